//! Parts and neighbourhoods of pictures, `[batch, height, width, channel]`.

use candle_core::{D, DType, Tensor};

use super::window::{Windows, pad};
use super::{Build, Compute, one, room, several};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("LRN", local_response),
    ("ExtractImagePatches", patches),
    ("MaxPoolWithArgmax", largest),
    ("AdjustContrastv2", |_| super::two(contrast)),
    ("CropAndResize", crop_and_resize),
];

/// Divided by the squares of the channels nearby.
fn local_response(attrs: &Attrs<'_>) -> Result<Compute> {
    let radius = super::size(attrs.int("depth_radius")?.unwrap_or(5))?;
    let float = |name, default| Ok::<_, Error>(f64::from(attrs.float_or(name, default)?));
    let (bias, alpha, beta) = (float("bias", 1.)?, float("alpha", 1.)?, float("beta", 0.5)?);
    one(move |x| {
        let channels = x.dim(D::Minus1)?;
        let radius = radius.min(channels);
        let padded = pad(&x.sqr()?, x.rank() - 1, radius, radius, None)?;
        let around = (0..=2 * radius).map(|at| padded.narrow(D::Minus1, at, channels));
        let sum = around.reduce(|sum, part| sum? + part?).unwrap_or_else(|| x.zeros_like())?;
        x * (((sum * alpha)? + bias)?.log()? * -beta)?.exp()?
    })
}

/// A list of the four sizes of windows under another name.
fn four(attrs: &Attrs<'_>, name: &str) -> Result<Vec<i64>> {
    attrs.ints(name)?.ok_or_else(|| Error::Msg(format!("the attribute `{name}` is missing")))
}

/// The pixels of every window, one behind the other, as channels.
fn patches(attrs: &Attrs<'_>) -> Result<Compute> {
    let (size, rates) = (four(attrs, "ksizes")?, four(attrs, "rates")?);
    let lists = [("ksize", size.as_slice()), ("dilations", rates.as_slice())];
    let (windows, size) =
        super::layout::with(attrs, "NHWC", &lists, |attrs| Ok((Windows::read(attrs)?, Windows::size(attrs)?)))?;
    one(move |x| {
        windows.room(x, size, size[0].saturating_mul(size[1]).saturating_mul(x.dim(D::Minus1)?))?;
        let mut parts = Vec::new();
        windows.each(x, size, None, |_, part| {
            parts.push(part.contiguous()?);
            Ok(())
        })?;
        Tensor::cat(&parts, 3)
    })
}

/// The largest of every window, and where in the picture it stands.
fn largest(attrs: &Attrs<'_>) -> Result<Compute> {
    let (windows, size) = (Windows::read(attrs)?, Windows::size(attrs)?);
    let with_batch = attrs.bool("include_batch_in_index")?;
    several(move |inputs| {
        let [x] = super::take(inputs)?;
        windows.room(x, size, size[0].saturating_mul(size[1]).saturating_mul(x.dim(D::Minus1)?))?;
        let count = i64::try_from(x.elem_count()).map_err(Error::wrap)?;
        let of_one = if with_batch { count } else { count / x.dim(0)?.max(1) as i64 };
        // Double precision has room for every place.
        let places: Vec<f64> = (0..count).map(|at| (at % of_one.max(1)) as f64).collect();
        let places = Tensor::from_vec(places, x.shape(), x.device())?;
        let least = Tensor::new(f32::NEG_INFINITY, x.device())?.to_dtype(x.dtype())?;
        let mut parts = Vec::new();
        windows.each(x, size, Some(&least), |_, part| {
            parts.push(part.contiguous()?);
            Ok(())
        })?;
        let mut at = 0;
        let mut found: Option<(Tensor, Tensor)> = None;
        windows.each(&places, size, None, |_, place| {
            let (part, place) = (parts[at].clone(), place.contiguous()?);
            at += 1;
            found = Some(match found.take() {
                None => (part, place),
                // Of equal ones the first.
                Some((best, known)) => {
                    let more = part.gt(&best)?;
                    (more.where_cond(&part, &best)?, more.where_cond(&place, &known)?)
                }
            });
            Ok(())
        })?;
        let (best, places) = found.ok_or_else(|| Error::Msg("a window without elements".to_owned()))?;
        Ok(vec![best, places.to_dtype(DType::I64)?])
    })
}

/// Away from the mean of each channel, or towards it.
fn contrast(x: &Tensor, factor: &Tensor) -> Result<Tensor> {
    if x.rank() < 3 {
        return Err(Error::Msg(format!("{:?} is no picture", x.dims())));
    }
    let mean = x.mean_keepdim(vec![x.rank() - 3, x.rank() - 2])?;
    x.broadcast_sub(&mean)?.broadcast_mul(factor)?.broadcast_add(&mean)
}

/// Rectangles of pictures, as pictures of a size. It has no gradient.
fn crop_and_resize(attrs: &Attrs<'_>) -> Result<Compute> {
    let outside = attrs.float_or("extrapolation_value", 0.)?;
    let nearest = match attrs.str("method")? {
        None | Some("bilinear") => false,
        Some("nearest") => true,
        Some(other) => return Err(Error::Msg(format!("the method `{other}` is not supported"))),
    };
    several(move |inputs| {
        let [x, boxes, which, size] = super::take(inputs)?;
        if x.track_op() || boxes.track_op() {
            return Err(Error::Msg("it has no gradient here: detach what goes in".to_owned()));
        }
        let (batch, height, width, channels) = x.dims4()?;
        let size = super::ints(size)?.into_iter().map(super::size).collect::<Result<Vec<_>>>()?;
        let &[rows, columns] = size.as_slice() else { return Err(Error::Msg(format!("{size:?} is no size"))) };
        let boxes = boxes.to_dtype(DType::F32)?.to_vec2::<f32>()?;
        let which = which.to_vec1::<i64>()?;
        if boxes.len() != which.len() || boxes.iter().any(|own| own.len() != 4) || height == 0 || width == 0 {
            return Err(Error::Msg("a rectangle is four numbers, and one of a picture".to_owned()));
        }
        room(&[boxes.len(), rows, columns, channels])?;
        let pixels = x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
        // Where row or column `at` of `count` lies in a picture of `len`.
        let place = |from: f32, to: f32, at: usize, count: usize, len: usize| {
            let last = (len - 1) as f32;
            match count > 1 {
                true => from * last + at as f32 * ((to - from) * last / (count - 1) as f32),
                false => 0.5 * (from + to) * last,
            }
        };
        let mut given = Vec::with_capacity(boxes.len() * rows * columns * channels);
        for (own, picture) in boxes.iter().zip(which) {
            let picture = usize::try_from(picture).ok().filter(|picture| *picture < batch);
            let picture = picture.ok_or_else(|| Error::Msg(format!("there is no such picture among {batch}")))?;
            let [y0, x0, y1, x1] = own[..] else { unreachable!("four numbers") };
            let pixel = |y: f32, x: f32, c: usize| {
                pixels[((picture * height + y as usize) * width + x as usize) * channels + c]
            };
            for row in 0..rows {
                let y = place(y0, y1, row, rows, height);
                for column in 0..columns {
                    let x = place(x0, x1, column, columns, width);
                    let inside = (0. ..=(height - 1) as f32).contains(&y) && (0. ..=(width - 1) as f32).contains(&x);
                    given.extend((0..channels).map(|c| match (inside, nearest) {
                        (false, _) => outside,
                        (true, true) => pixel(y.round(), x.round(), c),
                        (true, false) => {
                            let (top, left) = (y.floor(), x.floor());
                            let across = |y: f32| {
                                let (a, b) = (pixel(y, left, c), pixel(y, x.ceil(), c));
                                a + (b - a) * (x - left)
                            };
                            across(top) + (across(y.ceil()) - across(top)) * (y - top)
                        }
                    }));
                }
            }
        }
        Ok(vec![Tensor::from_vec(given, (boxes.len(), rows, columns, channels), x.device())?])
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, f, i, output, outputs, rising, same};

    /// By TensorFlow.
    #[test]
    fn neighbourhoods() {
        let near = [("depth_radius", A::Int(1)), ("alpha", A::Float(0.5)), ("beta", A::Float(0.75))];
        let y = output("LRN", &near, [rising(&[1, 1, 1, 3])]);
        same(&y, &[1, 1, 1, 3], &[0.390_795, 0.420_448_2, 0.661_950_1]);
        let attrs = [
            ("ksizes", A::Ints(&[1, 2, 1, 1])),
            ("strides", A::Ints(&[1, 1, 2, 1])),
            ("rates", A::Ints(&[1, 1, 1, 1])),
            ("padding", A::Str("VALID")),
        ];
        let y = output("ExtractImagePatches", &attrs, [rising(&[1, 2, 3, 1])]);
        same(&y, &[1, 1, 2, 2], &[1., 4., 3., 6.]);
        let attrs =
            [("ksize", A::Ints(&[1, 2, 2, 1])), ("strides", A::Ints(&[1, 2, 2, 1])), ("padding", A::Str("SAME"))];
        let given = outputs("MaxPoolWithArgmax", &attrs, [rising(&[1, 3, 3, 1])]).unwrap();
        same(&given[0], &[1, 2, 2, 1], &[5., 6., 8., 9.]);
        same(&given[1], &[1, 2, 2, 1], &[4., 5., 7., 8.]);
        let y = output("AdjustContrastv2", &[], [rising(&[1, 1, 2, 1]), f(&[], &[3.])]);
        same(&y, &[1, 1, 2, 1], &[0., 3.]);
        let cut = [rising(&[1, 2, 2, 1]), f(&[1, 4], &[0., 0., 1., 2.]), i(&[1], &[0]), i(&[2], &[2, 2])];
        same(&output("CropAndResize", &[], &cut), &[1, 2, 2, 1], &[1., 0., 3., 0.]);
        let middle = [rising(&[1, 2, 2, 1]), f(&[1, 4], &[0., 0., 1., 1.]), i(&[1], &[0]), i(&[2], &[1, 1])];
        same(&output("CropAndResize", &[], &middle), &[1, 1, 1, 1], &[2.5]);
    }
}
