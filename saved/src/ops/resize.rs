//! Pictures of another size.

use candle_core::{DType, Tensor};

use super::{Build, Compute, ints, room, size, two};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[("ResizeNearestNeighbor", nearest), ("ResizeBilinear", bilinear)];

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
}
