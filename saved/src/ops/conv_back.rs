//! The transpose of a convolution: every element is spread over the window that it would have come from.

use candle_core::{D, Tensor};

use super::window::{Windows, pad};
use super::{Build, Compute, ints, room, size, three};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[("Conv2DBackpropInput", transposed)];

/// `sizes` are those of what comes out, `weight` is `[height, width, channels out, channels in]`.
fn transposed(attrs: &Attrs<'_>) -> Result<Compute> {
    let windows = Windows::read(attrs)?;
    three(move |sizes, weight, x| {
        let sizes = ints(sizes)?.into_iter().map(size).collect::<Result<Vec<_>>>()?;
        let (batch, rows, columns, channels) = x.dims4()?;
        let (&[height, width], &[kernel_rows, kernel_columns, out, given]) = (
            match sizes.as_slice() {
                [_, height, width, _] => &[*height, *width],
                [height, width] => &[*height, *width],
                _ => return Err(Error::Msg(format!("{sizes:?} is no batch of pictures"))),
            },
            weight.dims(),
        ) else {
            return Err(Error::Msg(format!("{:?} is no kernel", weight.dims())));
        };
        room(&[batch, height, width, out])?;
        let (r, top, bottom) = windows.along(0, height, kernel_rows)?;
        let (c, left, right) = windows.along(1, width, kernel_columns)?;
        if given != channels || r != rows || c != columns {
            return Err(Error::Msg(format!(
                "pictures of {height} by {width} do not become {:?} by the kernel {:?}",
                x.dims(),
                weight.dims()
            )));
        }
        let [down, across] = windows.stride();
        let [gap_down, gap_across] = windows.dilation();
        let (whole_rows, whole_columns) = (top + height + bottom, left + width + right);
        super::room_for(kernel_rows.saturating_mul(kernel_columns))?;
        room(&[batch, whole_rows, whole_columns, out])?;
        let flat = x.contiguous()?.reshape((batch * rows * columns, channels))?;
        // Where no gap is left between the elements.
        let spread = |x: &Tensor, axis: usize, stride: usize, first: usize, whole: usize| -> Result<Tensor> {
            let len = x.dims()[axis];
            let spaced = pad(&x.unsqueeze(axis + 1)?, axis + 1, 0, stride - 1, None)?;
            let mut sizes = x.dims().to_vec();
            sizes[axis] = len * stride;
            let spaced = spaced.contiguous()?.reshape(sizes)?.narrow(axis, 0, (len - 1) * stride + 1)?;
            pad(&spaced, axis, first, whole - first - ((len - 1) * stride + 1), None)
        };
        let mut sum: Option<Tensor> = None;
        for i in 0..kernel_rows {
            for j in 0..kernel_columns {
                let weight = weight.get(i)?.get(j)?.t()?.contiguous()?;
                let part = flat.matmul(&weight)?.reshape((batch, rows, columns, out))?;
                let part = spread(&part, 1, down, i * gap_down, whole_rows)?;
                let part = spread(&part, 2, across, j * gap_across, whole_columns)?;
                sum = Some(match sum.take() {
                    None => part,
                    Some(sum) => (sum + part)?,
                });
            }
        }
        let sum = sum.ok_or_else(|| Error::Msg("a kernel without elements".to_owned()))?;
        debug_assert_eq!(sum.dim(D::Minus1)?, out);
        sum.narrow(1, top, height)?.narrow(2, left, width)?.contiguous()
    })
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, flat, i, outputs, rising};

    /// Of a linear function and its transpose, `⟨Ax, y⟩ = ⟨x, Aᵀy⟩`.
    #[test]
    fn it_is_the_transpose_of_the_convolution() {
        for (size, kernel, stride, padding, y) in [
            ([1, 5, 4, 2], [3, 2, 2, 3], 2, "SAME", [1, 3, 2, 3]),
            ([1, 6, 5, 2], [3, 3, 2, 1], 1, "VALID", [1, 4, 3, 1]),
            ([2, 5, 5, 1], [2, 2, 1, 2], 3, "VALID", [2, 2, 2, 2]),
        ] {
            let (x, w) = (rising(&size), (rising(&kernel) * 0.1).unwrap());
            let y = (rising(&y) * 0.3).unwrap();
            let strides = [1, stride, stride, 1];
            let attrs = [("strides", A::Ints(&strides)), ("padding", A::Str(padding))];
            let there = outputs("Conv2D", &attrs, &[x.clone(), w.clone()]).unwrap().remove(0);
            let sizes = size.map(|size| size as i64);
            let back = outputs("Conv2DBackpropInput", &attrs, &[i(&[4], &sizes), w, y.clone()]).unwrap().remove(0);
            assert_eq!(back.dims(), size);
            let dot = |a, b| flat(a).1.iter().zip(flat(b).1).map(|(a, b)| a * b).sum::<f64>();
            let (one, other) = (dot(&there, &y), dot(&x, &back));
            assert!((one - other).abs() < 1e-5 * one.abs(), "{one} {other}");
        }
        let none = [("padding", A::Str("VALID"))];
        let wrong = [i(&[4], &[1, 9, 9, 1]), rising(&[2, 2, 1, 1]), rising(&[1, 2, 2, 1])];
        assert!(outputs("Conv2DBackpropInput", &none, &wrong).is_err());
    }
}
