//! Windows that slide over pictures, and what is put around pictures for them.

use candle_core::Tensor;
use taper::ops::{self, Conv2dOptions};

use super::room;
use crate::limits::WINDOW;
use crate::proto::Attrs;
use crate::{Error, Result};

/// How far windows go beyond the edge.
#[derive(Clone, Debug, PartialEq)]
enum Padding {
    /// As many windows as elements, divided by the stride.
    Same,
    Valid,
    /// Before and behind, of height and width.
    Explicit([(usize, usize); 2]),
}

/// Steps of windows along height and width. Pictures are `[batch, height, width, channel]`.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    stride: [usize; 2],
    dilation: [usize; 2],
    padding: Padding,
}

/// The middle two of four numbers, one for each axis.
fn middle(list: Option<Vec<i64>>, name: &str) -> Result<[usize; 2]> {
    match list.as_deref() {
        None => Ok([1, 1]),
        Some([1, height, width, 1]) => match (usize::try_from(*height), usize::try_from(*width)) {
            (Ok(height), Ok(width))
                if (1..WINDOW as usize).contains(&height) && (1..WINDOW as usize).contains(&width) =>
            {
                Ok([height, width])
            }
            _ => Err(Error::Msg(format!("`{name}` is {height} and {width}"))),
        },
        Some(list) => Err(Error::Msg(format!("`{name}` is {list:?}, and only that of height and width is supported"))),
    }
}

impl Windows {
    pub(super) fn read(attrs: &Attrs<'_>) -> Result<Self> {
        if let Some(format) = attrs.str("data_format")?
            && format != "NHWC"
        {
            return Err(Error::Msg(format!(
                "the layout {format} is not supported, which TensorFlow runs on GPUs only"
            )));
        }
        let padding = match attrs.str("padding")?.unwrap_or_default() {
            "SAME" => Padding::Same,
            "VALID" => Padding::Valid,
            "EXPLICIT" => match attrs.ints("explicit_paddings")?.as_deref() {
                Some(&[0, 0, top, bottom, left, right, 0, 0]) => {
                    let size = super::size;
                    Padding::Explicit([(size(top)?, size(bottom)?), (size(left)?, size(right)?)])
                }
                other => return Err(Error::Msg(format!("`explicit_paddings` is {other:?}"))),
            },
            other => return Err(Error::Msg(format!("the padding `{other}` is not supported"))),
        };
        Ok(Windows {
            stride: middle(attrs.ints("strides")?, "strides")?,
            dilation: middle(attrs.ints("dilations")?, "dilations")?,
            padding,
        })
    }

    /// The size of windows that is an attribute of the operation.
    pub(super) fn size(attrs: &Attrs<'_>) -> Result<[usize; 2]> {
        middle(attrs.ints("ksize")?, "ksize")
    }

    pub(super) fn stride(&self) -> [usize; 2] {
        self.stride
    }

    pub(super) fn dilation(&self) -> [usize; 2] {
        self.dilation
    }

    /// How many windows of `size` there are along an axis of `len` elements, and what is put before and behind it.
    pub(super) fn along(&self, axis: usize, len: usize, size: usize) -> Result<(usize, usize, usize)> {
        let (stride, dilation) = (self.stride[axis], self.dilation[axis]);
        let wrong = || Error::Msg(format!("a window of {size} does not fit in {len} elements"));
        let reach = size.checked_sub(1).and_then(|steps| steps.checked_mul(dilation)).map(|reach| reach + 1);
        let reach = reach.ok_or_else(wrong)?;
        let (before, behind) = match self.padding {
            Padding::Valid => (0, 0),
            Padding::Explicit(pairs) => pairs[axis],
            Padding::Same => {
                let windows = len.div_ceil(stride);
                let around = (windows.saturating_sub(1) * stride + reach).saturating_sub(len);
                (around / 2, around - around / 2)
            }
        };
        let padded = len.checked_add(before).and_then(|len| len.checked_add(behind)).ok_or_else(wrong)?;
        let windows = padded.checked_sub(reach).ok_or_else(wrong)? / stride + 1;
        Ok((windows, before, behind))
    }

    /// That there is room for pictures with what is put around them, and for `out` channels of every window.
    pub(super) fn room(&self, x: &Tensor, size: [usize; 2], out: usize) -> Result<()> {
        let (batch, height, width, channels) = x.dims4()?;
        let (rows, top, bottom) = self.along(0, height, size[0])?;
        let (columns, left, right) = self.along(1, width, size[1])?;
        room(&[batch, height + top + bottom, width + left + right, channels])?;
        room(&[batch, rows, columns, out])
    }

    /// The same in the terms of taper's convolutions, where the steps along height and width are alike.
    pub(super) fn alike(&self, [height, width]: [usize; 2], size: [usize; 2]) -> Result<Option<Conv2dOptions>> {
        let ([down, across], [apart, apart_across]) = (self.stride, self.dilation);
        if down != across || apart != apart_across {
            return Ok(None);
        }
        let (_, top, bottom) = self.along(0, height, size[0])?;
        let (_, left, right) = self.along(1, width, size[1])?;
        let padding = ops::Padding { top, bottom, left, right };
        Ok(Some(Conv2dOptions { stride: down, dilation: apart, padding, groups: 1 }))
    }

    /// Calls `f` with the elements at every place of the windows: `[batch, height, width, channel]`, one a window. `around`
    /// is what is put around the picture, 0 if there is none.
    pub(super) fn each(
        &self,
        x: &Tensor,
        size: [usize; 2],
        around: Option<&Tensor>,
        mut f: impl FnMut([usize; 2], Tensor) -> Result<()>,
    ) -> Result<()> {
        let (batch, height, width, channels) = x.dims4()?;
        let (rows, top, bottom) = self.along(0, height, size[0])?;
        let (columns, left, right) = self.along(1, width, size[1])?;
        let [down, across] = self.stride;
        super::room_for(size[0].saturating_mul(size[1]))?;
        let x = pad(x, 1, top, bottom, around)?;
        let x = pad(&x, 2, left, right, around)?;
        // So that every `stride`-th element is an axis of its own, and every place of the windows a view.
        let fill = |len: usize, stride: usize| len.next_multiple_of(stride) - len;
        let x = pad(&x, 1, 0, fill(x.dims()[1], down), around)?;
        let x = pad(&x, 2, 0, fill(x.dims()[2], across), around)?;
        let (height, width) = (x.dims()[1] / down, x.dims()[2] / across);
        let x = x.contiguous()?.reshape(vec![batch, height, down, width, across, channels])?;
        for i in 0..size[0] {
            for j in 0..size[1] {
                let (y0, x0) = (i * self.dilation[0], j * self.dilation[1]);
                let row = x.narrow(1, y0 / down, rows)?.narrow(2, y0 % down, 1)?;
                let part = row.narrow(3, x0 / across, columns)?.narrow(4, x0 % across, 1)?;
                f([i, j], part.squeeze(4)?.squeeze(2)?)?;
            }
        }
        Ok(())
    }
}

/// Puts elements before and behind an axis: zeros, or a value.
pub(super) fn pad(x: &Tensor, axis: usize, before: usize, behind: usize, value: Option<&Tensor>) -> Result<Tensor> {
    if before == 0 && behind == 0 {
        return Ok(x.clone());
    }
    let mut sizes = x.dims().to_vec();
    sizes[axis] = sizes[axis].saturating_add(before).saturating_add(behind);
    room(&sizes)?;
    let Some(value) = value else { return x.pad_with_zeros(axis, before, behind) };
    let block = |len: usize| {
        let mut sizes = x.dims().to_vec();
        sizes[axis] = len;
        value.reshape(())?.broadcast_as(sizes)?.contiguous()
    };
    let mut parts = Vec::new();
    if before > 0 {
        parts.push(block(before)?);
    }
    parts.push(x.contiguous()?);
    if behind > 0 {
        parts.push(block(behind)?);
    }
    Tensor::cat(&parts, axis)
}
