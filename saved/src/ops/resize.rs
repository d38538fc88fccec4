//! Pictures of another size.

use candle_core::{DType, Tensor};

use super::{Build, Compute, ints, room, size, two};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("ResizeNearestNeighbor", nearest),
    ("ResizeBilinear", bilinear),
    ("ResizeBicubic", bicubic),
    ("ResizeArea", area),
    ("ScaleAndTranslate", scale_and_translate),
];

/// How places in the new picture are those in the old one.
#[derive(Clone, Copy)]
struct Scale {
    corners: bool,
    centers: bool,
}

impl Scale {
    fn read(attrs: &Attrs<'_>) -> Result<Self> {
        Ok(Scale { corners: attrs.bool("align_corners")?, centers: attrs.bool("half_pixel_centers")? })
    }

    /// How many old pixels a new one is.
    fn factor(self, old: usize, new: usize) -> f32 {
        if self.corners && new > 1 { (old - 1) as f32 / (new - 1) as f32 } else { old as f32 / new as f32 }
    }
}

/// Batch, height, width and channels, and the new height and width.
fn sizes(x: &Tensor, to: &Tensor) -> Result<([usize; 4], [usize; 2])> {
    let (batch, height, width, channels) = x.dims4()?;
    let to = ints(to)?.into_iter().map(size).collect::<Result<Vec<_>>>()?;
    let &[rows, columns] = to.as_slice() else { return Err(Error::Msg(format!("{to:?} is no height and width"))) };
    if [height, width, rows, columns].contains(&0) {
        return Err(Error::Msg(format!("{height} by {width} pixels can't become {rows} by {columns}")));
    }
    room(&[batch, rows, columns, channels])?;
    // A weight for every pixel of a row that every new one may be made of.
    room(&[rows, height])?;
    room(&[columns, width])?;
    Ok(([batch, height, width, channels], [rows, columns]))
}

fn pick(x: &Tensor, axis: usize, places: Vec<i64>) -> Result<Tensor> {
    x.contiguous()?.index_select(&Tensor::new(places, x.device())?, axis)
}

fn nearest(attrs: &Attrs<'_>) -> Result<Compute> {
    let scale = Scale::read(attrs)?;
    two(move |x, to| {
        let ([_, height, width, _], [rows, columns]) = sizes(x, to)?;
        let places = |old: usize, new: usize| {
            let factor = scale.factor(old, new);
            let place = |at: usize| {
                let place = if scale.centers { (at as f32 + 0.5) * factor } else { at as f32 * factor };
                let place = if scale.corners { place.round() } else { place.floor() };
                (place.max(0.) as i64).min(old as i64 - 1)
            };
            (0..new).map(place).collect::<Vec<i64>>()
        };
        pick(&pick(x, 1, places(height, rows))?, 2, places(width, columns))
    })
}

fn bilinear(attrs: &Attrs<'_>) -> Result<Compute> {
    let scale = Scale::read(attrs)?;
    two(move |x, to| {
        let ([_, height, width, _], [rows, columns]) = sizes(x, to)?;
        // It is computed as `float32`, whatever comes in.
        let x = x.to_dtype(DType::F32)?;
        let x = along(&x, 1, scale, height, rows)?;
        along(&x, 2, scale, width, columns)
    })
}

/// Between the two pixels next to each place along an axis.
fn along(x: &Tensor, axis: usize, scale: Scale, old: usize, new: usize) -> Result<Tensor> {
    let factor = scale.factor(old, new);
    let mut lower = Vec::with_capacity(new);
    let mut upper = Vec::with_capacity(new);
    let mut weights = Vec::with_capacity(new);
    for at in 0..new {
        let place = if scale.centers { (at as f32 + 0.5) * factor - 0.5 } else { at as f32 * factor };
        let whole = place.floor();
        lower.push((whole as i64).clamp(0, old as i64 - 1));
        upper.push((whole as i64 + 1).clamp(0, old as i64 - 1));
        weights.push(place - whole);
    }
    let mut shape = vec![1; 4];
    shape[axis] = new;
    let weights = Tensor::from_vec(weights, shape, x.device())?;
    let (lower, upper) = (pick(x, axis, lower)?, pick(x, axis, upper)?);
    &lower + (upper - &lower)?.broadcast_mul(&weights)?
}

/// Every new row or column as a sum of old ones.
fn mixed(x: &Tensor, axis: usize, weights: Vec<Vec<f32>>) -> Result<Tensor> {
    let (new, old) = (weights.len(), x.dims()[axis]);
    room(&[new, old])?;
    let weights = Tensor::from_vec(weights.concat(), (new, old), x.device())?;
    // With the axis in front, it is a product of matrices.
    let front = x.transpose(0, axis)?.contiguous()?;
    let mut sizes = front.dims().to_vec();
    let flat = front.reshape((old, front.elem_count() / old.max(1)))?;
    sizes[0] = new;
    weights.matmul(&flat)?.reshape(sizes)?.transpose(0, axis)?.contiguous()
}

/// Of the four pixels around each place, by a table of cubic weights.
fn bicubic(attrs: &Attrs<'_>) -> Result<Compute> {
    const TABLE: f64 = 1024.;
    let scale = Scale::read(attrs)?;
    // Where the centers of pixels count, as Keys has it.
    let a: f64 = if scale.centers { -0.5 } else { -0.75 };
    let near = move |x: f64| ((a + 2.) * x - (a + 3.)) * x * x + 1.;
    let far = move |x: f64| ((a * x - 5. * a) * x + 8. * a) * x - 4. * a;
    two(move |x, to| {
        let ([_, height, width, _], [rows, columns]) = sizes(x, to)?;
        let x = x.to_dtype(DType::F32)?;
        let weights = |old: usize, new: usize| {
            let factor = scale.factor(old, new);
            let of_place = |at: usize| {
                let place = if scale.centers { (at as f32 + 0.5) * factor - 0.5 } else { at as f32 * factor };
                let whole = place.floor();
                let step = (f64::from(place - whole) * TABLE).round() / TABLE;
                let mut row = vec![0f32; old];
                let mut sum = 0.;
                for (offset, weight) in
                    [(-1, far(step + 1.)), (0, near(step)), (1, near(1. - step)), (2, far(2. - step))]
                {
                    let from = whole as i64 + offset;
                    let inside = (0..old as i64).contains(&from);
                    // Beyond the edge there is nothing, or the pixel at the edge.
                    if inside || !scale.centers {
                        row[from.clamp(0, old as i64 - 1) as usize] += weight as f32;
                        sum += weight as f32;
                    }
                }
                if scale.centers && sum.abs() >= 1000. * f32::MIN_POSITIVE {
                    row.iter_mut().for_each(|weight| *weight /= sum);
                }
                row
            };
            (0..new).map(of_place).collect()
        };
        mixed(&mixed(&x, 1, weights(height, rows))?, 2, weights(width, columns))
    })
}

/// Of all the pixels that a new one covers, as far as it does.
fn area(attrs: &Attrs<'_>) -> Result<Compute> {
    let scale = Scale::read(attrs)?;
    two(move |x, to| {
        let ([_, height, width, _], [rows, columns]) = sizes(x, to)?;
        let x = x.to_dtype(DType::F32)?;
        let weights = |old: usize, new: usize| {
            let factor = scale.factor(old, new);
            let of_place = |at: usize| {
                let (from, to) = (at as f32 * factor, (at + 1) as f32 * factor);
                let mut row = vec![0f32; old];
                for place in from.floor() as i64..to.ceil() as i64 {
                    let covered = (to.min(place as f32 + 1.) - from.max(place as f32)).max(0.);
                    row[place.clamp(0, old as i64 - 1) as usize] += covered / factor;
                }
                row
            };
            (0..new).map(of_place).collect()
        };
        mixed(&mixed(&x, 1, weights(height, rows))?, 2, weights(width, columns))
    })
}

/// The weight of a pixel by how far away it is.
type Kernel = fn(f32) -> f32;

/// A kernel by its name, and how far it reaches.
fn kernel(name: &str) -> Option<(f32, Kernel)> {
    fn sinc(x: f32) -> f32 {
        let x = std::f32::consts::PI * x;
        if x.abs() < 1e-3 { 1. } else { x.sin() / x }
    }
    fn cubic(x: f32, b: f32, c: f32) -> f32 {
        match x {
            ..1. => ((12. - 9. * b - 6. * c) * x * x * x + (-18. + 12. * b + 6. * c) * x * x + 6. - 2. * b) / 6.,
            ..2. => {
                ((-b - 6. * c) * x * x * x + (6. * b + 30. * c) * x * x + (-12. * b - 48. * c) * x + 8. * b + 24. * c)
                    / 6.
            }
            _ => 0.,
        }
    }
    Some(match name {
        "lanczos1" => (1., |x| if x > 1. { 0. } else { sinc(x) * sinc(x) }),
        "lanczos3" => (3., |x| if x > 3. { 0. } else { sinc(x) * sinc(x / 3.) }),
        "lanczos5" => (5., |x| if x > 5. { 0. } else { sinc(x) * sinc(x / 5.) }),
        "gaussian" => (1.5, |x| if x >= 1.5 { 0. } else { (-x * x / (2. * 0.5 * 0.5)).exp() }),
        "box" => (1., |x| match x {
            ..0.5 => 1.,
            0.5 => 0.5,
            _ => 0.,
        }),
        "triangle" => (1., |x| (1. - x).max(0.)),
        "keyscubic" => (2., |x| cubic(x, 0., 0.5)),
        "mitchellcubic" => (2., |x| cubic(x, 1. / 3., 1. / 3.)),
        _ => return None,
    })
}

/// By a kernel around every place, which is as wide as what is left out where it smooths.
fn scale_and_translate(attrs: &Attrs<'_>) -> Result<Compute> {
    let name = attrs.str("kernel_type")?.unwrap_or("lanczos3");
    let (radius, kernel) = kernel(name).ok_or_else(|| Error::Msg(format!("the kernel `{name}` is not supported")))?;
    let smooths = attrs.get("antialias")?.is_none_or(|attr| attr == crate::proto::Attr::Bool(true));
    super::several(move |inputs| {
        let [x, to, scale, moved] = super::take(inputs)?;
        let ([_, height, width, _], [rows, columns]) = sizes(x, to)?;
        let x = x.to_dtype(DType::F32)?;
        let pair = |x: &Tensor| -> Result<[f32; 2]> {
            let pair = x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>()?;
            pair.try_into().map_err(|_| Error::Msg("a scale is two numbers".to_owned()))
        };
        let (scale, moved) = (pair(scale)?, pair(moved)?);
        let weights = |axis: usize, old: usize, new: usize| {
            let inverse = 1. / scale[axis];
            let wide = if smooths { inverse.max(1.) } else { 1. };
            let of_place = |at: usize| {
                let place = (at as f32 + 0.5) * inverse - inverse * moved[axis];
                let mut row = vec![0f32; old];
                if !(0. ..=old as f32).contains(&place) {
                    return row;
                }
                let from = ((place - radius * wide - 0.5).ceil().max(0.)) as usize;
                let to = ((place + radius * wide - 0.5).floor().min(old as f32 - 1.)).max(0.) as usize;
                let to = to.min(old - 1);
                let mut sum = 0.;
                for (at, weight) in row.iter_mut().enumerate().take(to + 1).skip(from) {
                    *weight = kernel(((at as f32 + 0.5 - place) / wide).abs());
                    sum += *weight;
                }
                if sum.abs() >= 1000. * f32::MIN_POSITIVE {
                    row.iter_mut().for_each(|weight| *weight /= sum);
                }
                row
            };
            (0..new).map(of_place).collect()
        };
        Ok(vec![mixed(&mixed(&x, 1, weights(0, height, rows))?, 2, weights(1, width, columns))?])
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, i, output, outputs, rising, same};

    #[test]
    fn pixels_are_repeated_or_mixed() {
        let x = rising(&[1, 1, 2, 1]);
        let to = |op, attrs: &[(&str, A<'_>)], width| output(op, attrs, &[x.clone(), i(&[2], &[1, width])]);
        let centers = [("half_pixel_centers", A::Bool(true))];
        same(&to("ResizeNearestNeighbor", &centers, 4), &[1, 1, 4, 1], &[1., 1., 2., 2.]);
        same(&to("ResizeBilinear", &centers, 4), &[1, 1, 4, 1], &[1., 1.25, 1.75, 2.]);
        same(&to("ResizeBilinear", &[("align_corners", A::Bool(true))], 3), &[1, 1, 3, 1], &[1., 1.5, 2.]);
        same(&to("ResizeBilinear", &[], 4), &[1, 1, 4, 1], &[1., 1.5, 2., 2.]);
        assert!(outputs("ResizeBilinear", &[], &[x.clone(), i(&[2], &[0, 4])]).is_err());
    }

    /// By TensorFlow.
    #[test]
    fn pixels_are_mixed_by_kernels() {
        let x = rising(&[1, 1, 4, 1]);
        let size = |width| i(&[2], &[1, width]);
        let centers = [("half_pixel_centers", A::Bool(true))];
        let y = output("ResizeBicubic", &centers, [x.clone(), size(6)]);
        let values = [0.934_111_1, 1.411_764_7, 2.166_992_2, 2.833_007_8, 3.588_235_4, 4.065_888_4];
        same(&y, &[1, 1, 6, 1], &values);
        same(&output("ResizeBicubic", &[], [x.clone(), size(3)]), &[1, 1, 3, 1], &[1., 2.370_099, 3.741_012]);
        same(&output("ResizeArea", &[], [x.clone(), size(3)]), &[1, 1, 3, 1], &[1.25, 2.5, 3.75]);
        for (kernel, first) in [
            ("triangle", 1.3),
            ("lanczos3", 1.159_392_95),
            ("lanczos5", 1.161_238_8),
            ("gaussian", 1.347_220_9),
            ("mitchellcubic", 1.264_509_4),
            ("keyscubic", 1.189_931_4),
        ] {
            let scale = super::super::testing::f(&[2], &[1., 0.75]);
            let none = super::super::testing::f(&[2], &[0., 0.]);
            let attrs = [("kernel_type", A::Str(kernel))];
            let y = output("ScaleAndTranslate", &attrs, [x.clone(), size(3), scale, none]);
            same(&y, &[1, 1, 3, 1], &[first, 2.5, 5. - first]);
        }
        assert!(outputs("ScaleAndTranslate", &[("kernel_type", A::Str("none"))], []).is_err());
    }
}
