//! Convolutions of pictures, `[batch, height, width, channel]`, as products of matrices: a row for every window.

use candle_core::{D, Tensor};
use taper::ops::{Conv2dOptions, channels_last};

use super::window::Windows;
use super::{Build, Compute, two};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[("Conv2D", conv2d), ("DepthwiseConv2dNative", depthwise)];

/// Height, width, channels that go in and that come out.
fn kernel(weight: &Tensor) -> Result<[usize; 4]> {
    match *weight.dims() {
        [height, width, channels, out] if height > 0 && width > 0 && channels > 0 => Ok([height, width, channels, out]),
        _ => Err(Error::Msg(format!("{:?} is no kernel", weight.dims()))),
    }
}

fn conv2d(attrs: &Attrs<'_>) -> Result<Compute> {
    let windows = Windows::read(attrs)?;
    two(move |x, weight| {
        let [height, width, channels, out] = kernel(weight)?;
        let all = x.dim(D::Minus1)?;
        let groups = all / channels;
        if all % channels != 0 || groups == 0 || out % groups != 0 {
            return Err(Error::Msg(format!("the kernel {:?} does not fit {:?}", weight.dims(), x.dims())));
        }
        windows.room(x, [height, width], out)?;
        if let Some(options) = windows.alike([x.dim(1)?, x.dim(2)?], [height, width])? {
            return channels_last::conv2d(x, weight, Conv2dOptions { groups, ..options });
        }
        // All windows at once, one beside the other.
        windows.room(x, [height, width], height.saturating_mul(width).saturating_mul(all))?;
        let mut places = Vec::new();
        windows.each(x, [height, width], None, |_, part| {
            places.push(part.contiguous()?);
            Ok(())
        })?;
        let [batch, rows, columns, _] = *places[0].dims() else { unreachable!("of four axes") };
        let count = batch * rows * columns;
        let of_group = |group: usize| {
            let parts: Vec<Tensor> = match groups {
                1 => places.iter().map(|part| part.reshape((count, channels))).collect::<Result<_>>()?,
                _ => {
                    let own = |part: &Tensor| {
                        part.narrow(3, group * channels, channels)?.contiguous()?.reshape((count, channels))
                    };
                    places.iter().map(own).collect::<Result<_>>()?
                }
            };
            let windows = if let [one] = parts.as_slice() { one.clone() } else { Tensor::cat(&parts, 1)? };
            let weight = weight.narrow(3, group * (out / groups), out / groups)?.contiguous()?;
            windows.matmul(&weight.reshape((height * width * channels, out / groups))?)
        };
        let given = (0..groups).map(of_group).collect::<Result<Vec<_>>>()?;
        let y = if let [one] = given.as_slice() { one.clone() } else { Tensor::cat(&given, 1)? };
        y.reshape((batch, rows, columns, out))
    })
}

/// Every channel by itself.
fn depthwise(attrs: &Attrs<'_>) -> Result<Compute> {
    let windows = Windows::read(attrs)?;
    two(move |x, weight| {
        let [height, width, channels, times] = kernel(weight)?;
        if x.dim(D::Minus1)? != channels {
            return Err(Error::Msg(format!("the kernel {:?} does not fit {:?}", weight.dims(), x.dims())));
        }
        windows.room(x, [height, width], channels.saturating_mul(times))?;
        if let Some(options) = windows.alike([x.dim(1)?, x.dim(2)?], [height, width])? {
            return channels_last::depthwise_conv2d(x, weight, options);
        }
        let mut sum: Option<Tensor> = None;
        windows.each(x, [height, width], None, |[i, j], part| {
            let weight = weight.get(i)?.get(j)?;
            let part = part.contiguous()?;
            let product = match times {
                1 => part.broadcast_mul(&weight.reshape(channels)?)?,
                _ => part.unsqueeze(D::Minus1)?.broadcast_mul(&weight)?.flatten_from(3)?,
            };
            sum = Some(match sum.take() {
                None => product,
                Some(sum) => (sum + product)?,
            });
            Ok(())
        })?;
        sum.ok_or_else(|| Error::Msg("a kernel without elements".to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use candle_core::Tensor;

    use super::super::testing::{A, f, flat, outputs, rising, same};

    /// By the definition, element by element.
    fn naive(
        x: &Tensor,
        w: &Tensor,
        stride: usize,
        dilation: usize,
        pad: [usize; 4],
        groups: usize,
    ) -> (Vec<usize>, Vec<f64>) {
        let (&[n, h, wd, c], &[kh, kw, ci, co]) = (x.dims(), w.dims()) else { unreachable!() };
        let [top, bottom, left, right] = pad;
        let oh = (h + top + bottom - (kh - 1) * dilation - 1) / stride + 1;
        let ow = (wd + left + right - (kw - 1) * dilation - 1) / stride + 1;
        let (x, w) = (flat(x).1, flat(w).1);
        let mut y = Vec::new();
        for (b, i, j) in (0..n).flat_map(|b| (0..oh).flat_map(move |i| (0..ow).map(move |j| (b, i, j)))) {
            for o in 0..co {
                let group = o / (co / groups);
                let mut sum = 0.;
                for (p, q, k) in (0..kh).flat_map(|p| (0..kw).flat_map(move |q| (0..ci).map(move |k| (p, q, k)))) {
                    let (r, s) = (i * stride + p * dilation, j * stride + q * dilation);
                    if (top..top + h).contains(&r) && (left..left + wd).contains(&s) {
                        let at = ((b * h + r - top) * wd + s - left) * c + group * ci + k;
                        sum += x[at] * w[((p * kw + q) * ci + k) * co + o];
                    }
                }
                y.push(sum);
            }
        }
        (vec![n, oh, ow, co], y)
    }

    #[test]
    fn convolutions_are_those_of_the_definition() {
        let x = (rising(&[2, 5, 4, 2]) * 0.1).unwrap();
        for (kernel, stride, dilation, padding, pad, groups) in [
            ([3, 2, 2, 3], 1, 1, "VALID", [0; 4], 1),
            ([3, 3, 2, 3], 1, 1, "SAME", [1, 1, 1, 1], 1),
            ([3, 2, 2, 3], 2, 1, "SAME", [1, 1, 0, 0], 1),
            ([2, 2, 2, 3], 1, 2, "VALID", [0; 4], 1),
            ([2, 2, 1, 4], 3, 1, "VALID", [0; 4], 2),
            ([1, 1, 2, 3], 2, 1, "VALID", [0; 4], 1),
        ] {
            let w = (rising(&kernel) * 0.01).unwrap();
            let attrs = [
                ("strides", A::Ints(&[1, stride, stride, 1])),
                ("dilations", A::Ints(&[1, dilation, dilation, 1])),
                ("padding", A::Str(padding)),
            ];
            let y = outputs("Conv2D", &attrs, &[x.clone(), w.clone()]).unwrap().remove(0);
            let (shape, values) = naive(&x, &w, stride as usize, dilation as usize, pad, groups);
            same(&y, &shape, &values);
        }
    }

    #[test]
    fn every_channel_by_itself() {
        let x = (rising(&[1, 4, 5, 2]) * 0.1).unwrap();
        let w = (rising(&[3, 3, 2, 2]) * 0.01).unwrap();
        let attrs = [("strides", A::Ints(&[1, 2, 2, 1])), ("padding", A::Str("SAME"))];
        let y = outputs("DepthwiseConv2dNative", &attrs, &[x.clone(), w.clone()]).unwrap().remove(0);
        // As a convolution in as many groups as channels.
        let grouped = w.permute((0, 1, 3, 2)).unwrap();
        let grouped = Tensor::cat(&[grouped.narrow(3, 0, 1).unwrap(), grouped.narrow(3, 1, 1).unwrap()], 2).unwrap();
        let grouped = grouped.reshape((3, 3, 1, 4)).unwrap();
        let (shape, values) = naive(&x, &grouped, 2, 1, [0, 1, 1, 1], 2);
        same(&y, &shape, &values);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let valid = [("padding", A::Str("VALID"))];
        for (x, w) in [([1, 2, 2, 1], [3, 3, 1, 1]), ([1, 4, 4, 3], [1, 1, 2, 1]), ([1, 4, 4, 1], [0, 1, 1, 1])] {
            let w = Tensor::zeros(&w, candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
            assert!(outputs("Conv2D", &valid, &[rising(&x), w]).is_err(), "{x:?}");
        }
        assert!(
            outputs("Conv2D", &[("data_format", A::Str("NCHW"))], &[f(&[1, 1, 1, 1], &[1.]), f(&[1, 1, 1, 1], &[1.])])
                .is_err()
        );
        assert!(outputs("Conv2D", &[("padding", A::Str("SAME")), ("strides", A::Ints(&[1, 0, 1, 1]))], &[]).is_err());
    }
}
