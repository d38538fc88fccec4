//! Attributes that stand for others: of a layout with the channels first, or of volumes that are pictures in a row.

use candle_core::Tensor;

use super::Compute;
use crate::proto::{Attrs, NodeDef};
use crate::{Error, Result};

fn put(out: &mut Vec<u8>, number: u64) {
    let mut left = number;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

/// A field of a message, as it stands in a file.
fn field(number: u64, bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, number << 3 | 2);
    put(&mut out, bytes.len() as u64);
    out.extend_from_slice(bytes);
    out
}

/// Calls `f` with other lists of numbers, and another layout, in place of those that there are.
pub(super) fn with<T>(
    attrs: &Attrs<'_>,
    format: &str,
    lists: &[(&str, &[i64])],
    f: impl FnOnce(&Attrs<'_>) -> Result<T>,
) -> Result<T> {
    let entry = |name: &str, value: &[u8]| field(5, &[field(1, name.as_bytes()), field(2, value)].concat());
    let mut node = entry("data_format", &field(2, format.as_bytes()));
    for (name, list) in lists {
        let mut packed = Vec::new();
        list.iter().for_each(|number| put(&mut packed, number.cast_unsigned()));
        node.extend(entry(name, &field(1, &field(3, &packed))));
    }
    let node = NodeDef::parse(&node)?;
    f(&node.attrs.or(attrs))
}

/// Of four numbers for axes with the channels first, those with the channels last.
fn channels_last(list: &[i64]) -> Result<Vec<i64>> {
    match *list {
        [batch, channels, height, width] => Ok(vec![batch, height, width, channels]),
        // Two for each axis.
        [a, b, c, d, top, bottom, left, right] => Ok(vec![a, b, top, bottom, left, right, c, d]),
        _ => Err(Error::Msg(format!("{list:?} is no list for the axes of pictures"))),
    }
}

/// An operation on pictures, made for the channels last. Where the file has them first, the axes are moved before and
/// behind it: of the inputs at these places, and of the output; `sizes` is the place of an input that is a shape.
pub(super) fn pictures(
    attrs: &Attrs<'_>,
    inputs: &'static [usize],
    sizes: Option<usize>,
    build: impl FnOnce(&Attrs<'_>) -> Result<Compute>,
) -> Result<Compute> {
    if attrs.str("data_format")? != Some("NCHW") {
        return build(attrs);
    }
    let mut lists = Vec::new();
    for name in ["strides", "dilations", "ksize", "explicit_paddings"] {
        if let Some(list) = attrs.ints(name)?.filter(|list| !list.is_empty()) {
            lists.push((name, channels_last(&list)?));
        }
    }
    let lists: Vec<(&str, &[i64])> = lists.iter().map(|(name, list)| (*name, list.as_slice())).collect();
    let Compute::Tensors(f) = with(attrs, "NHWC", &lists, build)? else {
        return Err(Error::Msg("it is of lists, which have no layout".to_owned()));
    };
    super::several(move |given| {
        let moved = given.iter().enumerate().map(|(at, x)| match (inputs.contains(&at), sizes == Some(at)) {
            (true, _) if x.rank() == 4 => x.permute((0, 2, 3, 1))?.contiguous(),
            (true, _) => Err(Error::Msg(format!("{:?} is no batch of pictures", x.dims()))),
            (_, true) => {
                let list = channels_last(&super::ints(x)?)?;
                Tensor::from_vec(list, 4, x.device())
            }
            _ => Ok(x.clone()),
        });
        let given = f(&moved.collect::<Result<Vec<_>>>()?)?;
        given.into_iter().map(|y| if y.rank() == 4 { y.permute((0, 3, 1, 2))?.contiguous() } else { Ok(y) }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, f, i, output, rising};
    use candle_core::Tensor;

    fn first(x: &Tensor) -> Tensor {
        x.permute((0, 3, 1, 2)).unwrap().contiguous().unwrap()
    }

    fn last(x: &Tensor) -> Tensor {
        x.permute((0, 2, 3, 1)).unwrap().contiguous().unwrap()
    }

    /// What each gives with the channels last, which others compare with TensorFlow.
    #[test]
    fn channels_first_are_channels_last_with_their_axes_moved() {
        let x = (rising(&[1, 5, 6, 2]) * 0.1).unwrap();
        let weight = (rising(&[2, 3, 2, 4]) * 0.1).unwrap();
        let attrs = |format, [n, a, b, c]: [i64; 4]| {
            let list: &'static [i64] = Box::leak(Box::new([n, a, b, c]));
            [
                ("data_format", A::Str(format)),
                ("strides", A::Ints(list)),
                ("ksize", A::Ints(list)),
                ("padding", A::Str("SAME")),
                ("block_size", A::Int(1)),
                ("is_training", A::Bool(false)),
            ]
        };
        let (nchw, nhwc) = (attrs("NCHW", [1, 1, 2, 3]), attrs("NHWC", [1, 2, 3, 1]));
        for (op, others) in [
            ("Conv2D", vec![weight.clone()]),
            ("DepthwiseConv2dNative", vec![weight.clone()]),
            ("MaxPool", vec![]),
            ("AvgPool", vec![]),
            ("BiasAdd", vec![f(&[2], &[1., 2.])]),
            ("SpaceToDepth", vec![]),
        ] {
            let given = |x: Tensor| [vec![x], others.clone()].concat();
            let (one, other) = (output(op, &nchw, given(first(&x))), output(op, &nhwc, given(x.clone())));
            super::super::testing::same(&last(&one), other.dims(), &super::super::testing::flat(&other).1);
        }
        let y = output("Conv2D", &nhwc, [x.clone(), weight.clone()]);
        let back = output("Conv2DBackpropInput", &nhwc, [i(&[4], &[1, 5, 6, 2]), weight.clone(), y.clone()]);
        let moved = output("Conv2DBackpropInput", &nchw, [i(&[4], &[1, 2, 5, 6]), weight, first(&y)]);
        super::super::testing::same(&last(&moved), back.dims(), &super::super::testing::flat(&back).1);
    }
}
