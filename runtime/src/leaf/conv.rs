//! Convolutions of images, whose gradient candle has only where height and width fit the stride equally well.

use candle_core::{Module, Result, Tensor};
use candle_nn::{Conv2d, Conv2dConfig};

use super::{IsLeaf, call, tapped_leaf};
use crate::pass::At;
use crate::site::{Builder, Site};
use crate::tapped::{Layer, Tapped};

tapped_leaf! {
    [] Conv2d: Tensor;
}

impl Layer for Conv2d {
    fn __taper_forward(&self, x: &Tensor, at: At<'_, '_, '_, Site<Tensor>>) -> Result<Tensor> {
        call(self, x, at, || match read_whole(self, x)? {
            Some(x) => {
                let config = Conv2dConfig { padding: 0, ..*self.config() };
                Conv2d::new(self.weight().clone(), self.bias().cloned(), config).forward(&x)
            }
            None => self.forward(x),
        })
    }
}

/// `x` padded and cut to what the convolution reads, where a gradient is wanted that candle fails to compute: how many rows
/// a stride leaves unread it takes for how many columns too. Of what is read whole, nothing is left; the sums are the same,
/// bit for bit.
fn read_whole(conv: &Conv2d, x: &Tensor) -> Result<Option<Tensor>> {
    let Conv2dConfig { padding, stride, dilation, .. } = *conv.config();
    let tracked = x.track_op() || conv.weight().track_op();
    let (true, [_, _, height, width], [_, _, rows, columns]) = (tracked, x.dims(), conv.weight().dims()) else {
        return Ok(None);
    };
    let unread = |len: usize, kernel: usize| {
        let last = (len + 2 * padding).checked_sub(dilation * kernel.checked_sub(1)? + 1)?;
        last.checked_rem(stride)
    };
    match (unread(*height, *rows), unread(*width, *columns)) {
        (Some(below), Some(right)) if below != right => {
            let fit = |x: &Tensor, dim: usize, unread: usize| {
                x.narrow(dim, 0, x.dim(dim)? - unread.saturating_sub(padding))?.pad_with_zeros(
                    dim,
                    padding,
                    padding.saturating_sub(unread),
                )
            };
            Ok(Some(fit(&fit(x, 2, below)?, 3, right)?))
        }
        // An error is candle's to report.
        _ => Ok(None),
    }
}
