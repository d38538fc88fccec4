//! Convolutions and pooling of volumes, `[batch, depth, height, width, channel]`: every slice is a picture, and the slices
//! of a window are put together.

use candle_core::{DType, Tensor};

use super::layout::with;
use super::window::pad;
use super::{Build, Compute, ints, one, room, size, three, two};
use crate::limits::WINDOW;
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("Conv3D", |attrs| last(attrs, &[0], None, convolution)),
    ("Conv3DBackpropInputV2", |attrs| last(attrs, &[2], Some(0), transposed)),
    ("MaxPool3D", |attrs| last(attrs, &[0], None, max)),
    ("AvgPool3D", |attrs| last(attrs, &[0], None, mean)),
];

/// What an operation with the channels last gives, where the file may have them first.
fn last(
    attrs: &Attrs<'_>,
    inputs: &'static [usize],
    sizes: Option<usize>,
    build: fn(&Attrs<'_>) -> Result<Compute>,
) -> Result<Compute> {
    if attrs.str("data_format")? != Some("NCDHW") {
        return build(attrs);
    }
    let moved = |list: &[i64]| match *list {
        [n, c, d, h, w] => Ok(vec![n, d, h, w, c]),
        _ => Err(Error::Msg(format!("{list:?} is no list for the axes of volumes"))),
    };
    let mut lists = Vec::new();
    for name in ["strides", "dilations", "ksize"] {
        if let Some(list) = attrs.ints(name)?.filter(|list| !list.is_empty()) {
            lists.push((name, moved(&list)?));
        }
    }
    let lists: Vec<(&str, &[i64])> = lists.iter().map(|(name, list)| (*name, list.as_slice())).collect();
    let Compute::Tensors(f) = with(attrs, "NDHWC", &lists, build)? else { unreachable!("of tensors") };
    super::several(move |given| {
        let given = given.iter().enumerate().map(|(at, x)| match (inputs.contains(&at), sizes == Some(at)) {
            (true, _) if x.rank() == 5 => x.permute((0, 2, 3, 4, 1))?.contiguous(),
            (_, true) => Tensor::from_vec(moved(&ints(x)?)?, 5, x.device()),
            _ => Ok(x.clone()),
        });
        let given = f(&given.collect::<Result<Vec<_>>>()?)?;
        given.into_iter().map(|y| y.permute((0, 4, 1, 2, 3))?.contiguous()).collect()
    })
}

/// How windows slide along the depth.
#[derive(Clone, Copy)]
struct Depth {
    stride: usize,
    dilation: usize,
    same: bool,
}

/// The first of the three numbers for depth, height and width, and the four that say the others for pictures.
fn split(attrs: &Attrs<'_>, name: &str) -> Result<(usize, [i64; 4])> {
    match attrs.ints(name)?.as_deref() {
        None | Some([]) => Ok((1, [1; 4])),
        Some(&[1, depth, height, width, 1]) if (1..WINDOW).contains(&depth) => {
            Ok((depth as usize, [1, height, width, 1]))
        }
        Some(list) => Err(Error::Msg(format!("`{name}` is {list:?}"))),
    }
}

impl Depth {
    /// How many windows of `size` there are in `len` slices, and what is put before and behind them.
    fn along(self, len: usize, size: usize) -> Result<(usize, usize, usize)> {
        let wrong = || Error::Msg(format!("a window of {size} does not fit in {len} slices"));
        let reach = size.checked_sub(1).and_then(|steps| steps.checked_mul(self.dilation)).ok_or_else(wrong)? + 1;
        let around = match self.same {
            true => (len.div_ceil(self.stride).saturating_sub(1) * self.stride + reach).saturating_sub(len),
            false => 0,
        };
        let windows = (len + around).checked_sub(reach).ok_or_else(wrong)? / self.stride + 1;
        Ok((windows, around / 2, around - around / 2))
    }

    /// Calls `f` with the slices at every place of the windows, as pictures: `[batch · windows, height, width, channel]`.
    fn each(
        self,
        x: &Tensor,
        size: usize,
        around: Option<&Tensor>,
        mut f: impl FnMut(usize, Tensor) -> Result<()>,
    ) -> Result<usize> {
        let (batch, depth, height, width, channels) = x.dims5()?;
        let (windows, before, behind) = self.along(depth, size)?;
        super::room_for(size)?;
        let padded = pad(x, 1, before, behind, around)?.contiguous()?;
        for at in 0..size {
            let places: Vec<i64> = (0..windows).map(|w| (w * self.stride + at * self.dilation) as i64).collect();
            let part = padded.index_select(&Tensor::from_vec(places, windows, x.device())?, 1)?;
            f(at, part.reshape((batch * windows, height, width, channels))?)?;
        }
        Ok(windows)
    }
}

/// Along the depth, and the operation that pictures are given to, with these of the attributes.
fn read(attrs: &Attrs<'_>, names: &[&'static str], picture: &str) -> Result<(Depth, Compute)> {
    let same = match attrs.str("padding")?.unwrap_or_default() {
        "SAME" => true,
        "VALID" => false,
        other => return Err(Error::Msg(format!("the padding `{other}` is not supported"))),
    };
    let lists = names.iter().map(|name| Ok((*name, split(attrs, name)?.1))).collect::<Result<Vec<_>>>()?;
    let lists: Vec<(&str, &[i64])> = lists.iter().map(|(name, list)| (*name, list.as_slice())).collect();
    let made = |attrs: &Attrs<'_>| super::make(picture, attrs).unwrap_or_else(|| Err(nothing()));
    let picture = with(attrs, "NHWC", &lists, made)?;
    Ok((Depth { stride: split(attrs, "strides")?.0, dilation: split(attrs, "dilations")?.0, same }, picture))
}

fn of_pictures(picture: &Compute, inputs: &[Tensor]) -> Result<Tensor> {
    let Compute::Tensors(f) = picture else { unreachable!("of tensors") };
    f(inputs)?.into_iter().next().ok_or_else(|| Error::Msg("it gives nothing".to_owned()))
}

/// As volumes again.
fn volumes(x: &Tensor, batch: usize) -> Result<Tensor> {
    let (all, height, width, channels) = x.dims4()?;
    x.reshape((batch, all / batch.max(1), height, width, channels))
}

fn added(sum: Option<Tensor>, part: Tensor) -> Result<Tensor> {
    match sum {
        None => Ok(part),
        Some(sum) => sum + part,
    }
}

fn nothing() -> Error {
    Error::Msg("a window without elements".to_owned())
}

fn convolution(attrs: &Attrs<'_>) -> Result<Compute> {
    let (depth, picture) = read(attrs, &["strides", "dilations"], "Conv2D")?;
    two(move |x, weight| {
        if weight.rank() != 5 || x.rank() != 5 {
            return Err(Error::Msg(format!("the kernel {:?} does not fit {:?}", weight.dims(), x.dims())));
        }
        let mut sum = None;
        depth.each(x, weight.dims()[0], None, |at, slices| {
            sum = Some(added(sum.take(), of_pictures(&picture, &[slices, weight.get(at)?])?)?);
            Ok(())
        })?;
        volumes(&sum.ok_or_else(nothing)?, x.dims()[0])
    })
}

/// `sizes` are those of what comes out.
fn transposed(attrs: &Attrs<'_>) -> Result<Compute> {
    let (depth, picture) = read(attrs, &["strides", "dilations"], "Conv2DBackpropInput")?;
    three(move |sizes, weight, x| {
        let sizes = ints(sizes)?.into_iter().map(size).collect::<Result<Vec<_>>>()?;
        let ([_, whole, height, width, channels], &[reach, ..]) = (
            match sizes.as_slice() {
                &[n, d, h, w, c] => [n, d, h, w, c],
                _ => return Err(Error::Msg(format!("{sizes:?} is no batch of volumes"))),
            },
            weight.dims(),
        ) else {
            return Err(Error::Msg(format!("{:?} is no kernel", weight.dims())));
        };
        room(&sizes)?;
        let (batch, slices, rows, columns, given) = x.dims5()?;
        let (windows, before, behind) = depth.along(whole, reach)?;
        if windows != slices {
            return Err(Error::Msg(format!("{whole} slices do not become {slices} by the kernel {:?}", weight.dims())));
        }
        let flat = x.contiguous()?.reshape((batch * slices, rows, columns, given))?;
        let of_slice = [batch * slices, height, width, channels].map(|size| size as i64);
        let of_slice = Tensor::from_slice(&of_slice, 4, x.device())?;
        let padded = before + whole + behind;
        super::room_for(reach)?;
        room(&[batch, padded, height, width, channels])?;
        let mut sum = None;
        for at in 0..reach {
            let part = volumes(&of_pictures(&picture, &[of_slice.clone(), weight.get(at)?, flat.clone()])?, batch)?;
            // Slices between which nothing is left: those that nothing comes to are the zeros behind.
            let spread = pad(&part, 1, 0, 1, None)?.contiguous()?;
            let mut places = vec![slices as i64; padded];
            (0..slices).for_each(|w| places[w * depth.stride + at * depth.dilation] = w as i64);
            let spread = spread.index_select(&Tensor::from_vec(places, padded, x.device())?, 1)?;
            sum = Some(added(sum, spread)?);
        }
        sum.ok_or_else(nothing)?.narrow(1, before, whole)?.contiguous()
    })
}

fn max(attrs: &Attrs<'_>) -> Result<Compute> {
    let (depth, picture) = read(attrs, &["strides", "ksize"], "MaxPool")?;
    let size = split(attrs, "ksize")?.0;
    one(move |x| {
        let least = Tensor::new(f32::NEG_INFINITY, x.device())?.to_dtype(x.dtype())?;
        let mut found: Option<Tensor> = None;
        depth.each(x, size, Some(&least), |_, slices| {
            let part = of_pictures(&picture, &[slices])?;
            found = Some(match found.take() {
                None => part,
                Some(found) => found.maximum(&part)?,
            });
            Ok(())
        })?;
        volumes(&found.ok_or_else(nothing)?, x.dims()[0])
    })
}

/// Of what lies inside the volume.
fn mean(attrs: &Attrs<'_>) -> Result<Compute> {
    let (depth, picture) = read(attrs, &["strides", "ksize"], "AvgPool")?;
    let size = split(attrs, "ksize")?.0;
    one(move |x| {
        let sum = |x: &Tensor, picture: Option<&Compute>| {
            let mut sum = None;
            depth.each(x, size, None, |_, slices| {
                let part = picture.map_or(Ok(slices.clone()), |picture| of_pictures(picture, &[slices]))?;
                sum = Some(added(sum.take(), part)?);
                Ok(())
            })?;
            volumes(&sum.ok_or_else(nothing)?, x.dims()[0])
        };
        let count = Tensor::ones((1, x.dim(1)?, 1, 1, 1), DType::F32, x.device())?.to_dtype(x.dtype())?;
        sum(x, Some(&picture))?.broadcast_div(&sum(&count, None)?)
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, i, output, outputs, rising, same};
    use candle_core::Tensor;

    fn attrs(stride: [i64; 3], padding: &'static str) -> [(&'static str, A<'static>); 3] {
        let [d, h, w] = stride;
        let list: &'static [i64] = Box::leak(Box::new([1, d, h, w, 1]));
        [("strides", A::Ints(list)), ("ksize", A::Ints(&[1, 2, 2, 2, 1])), ("padding", A::Str(padding))]
    }

    #[test]
    fn windows_of_volumes() {
        let x = rising(&[1, 3, 2, 3, 1]);
        // By TensorFlow's `max_pool3d` and `avg_pool3d`.
        same(&output("MaxPool3D", &attrs([1, 1, 1], "VALID"), [x.clone()]), &[1, 2, 1, 2, 1], &[11., 12., 17., 18.]);
        same(&output("MaxPool3D", &attrs([2, 2, 2], "SAME"), [x.clone()]), &[1, 2, 1, 2, 1], &[11., 12., 17., 18.]);
        same(&output("AvgPool3D", &attrs([2, 2, 2], "SAME"), [x.clone()]), &[1, 2, 1, 2, 1], &[6., 7.5, 15., 16.5]);
        // A kernel of ones gives the sums.
        let ones = Tensor::ones((2, 2, 2, 1, 1), candle_core::DType::F32, x.device()).unwrap();
        same(&output("Conv3D", &attrs([2, 2, 2], "SAME"), [x, ones]), &[1, 2, 1, 2, 1], &[48., 30., 60., 33.]);
    }

    /// Of a linear function and its transpose, `⟨Ax, y⟩ = ⟨x, Aᵀy⟩`.
    #[test]
    fn the_transpose_of_a_convolution() {
        for (size, kernel, stride, padding) in [
            ([1, 4, 5, 4, 2], [3, 2, 2, 2, 3], [2, 2, 1], "SAME"),
            ([2, 5, 4, 3, 1], [2, 2, 1, 1, 2], [3, 1, 2], "VALID"),
        ] {
            let (x, w) = (rising(&size), (rising(&kernel) * 0.1).unwrap());
            let there = output("Conv3D", &attrs(stride, padding), [x.clone(), w.clone()]);
            let y = (rising(there.dims()) * 0.3).unwrap();
            let sizes = size.map(|size| size as i64);
            let back = output("Conv3DBackpropInputV2", &attrs(stride, padding), [i(&[5], &sizes), w, y.clone()]);
            assert_eq!(back.dims(), size);
            let dot = |a: &Tensor, b: &Tensor| (a * b).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
            let (one, other) = (dot(&there, &y), dot(&x, &back));
            assert!((one - other).abs() < 1e-4 * one.abs(), "{one} {other}");
        }
        let wrong = [i(&[5], &[1, 9, 9, 9, 1]), rising(&[2, 2, 2, 1, 1]), rising(&[1, 2, 2, 2, 1])];
        assert!(outputs("Conv3DBackpropInputV2", &attrs([1, 1, 1], "VALID"), &wrong).is_err());
        assert!(
            outputs("Conv3D", &attrs([1, 1, 1], "VALID"), [rising(&[1, 1, 1, 1, 1]), rising(&[2, 1, 1, 1, 1])])
                .is_err()
        );
    }
}
