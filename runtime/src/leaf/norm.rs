//! Norms, which candle computes by fused kernels without gradients, or by operations that have them.

use candle_core::{Module, Result, Tensor};
use candle_nn::{LayerNorm, RmsNorm};

use super::{IsLeaf, call, tapped_leaf};
use crate::ops::{fused_layer_norm, fused_rms_norm};
use crate::pass::At;
use crate::site::{Builder, Site};
use crate::tapped::{Layer, Tapped};

tapped_leaf! {
    [] LayerNorm: Tensor;
    [] RmsNorm: Tensor;
}

impl Layer for LayerNorm {
    fn __taper_forward(&self, x: &Tensor, at: At<'_, '_, '_, Site<Tensor>>) -> Result<Tensor> {
        // Which kernel candle takes depends on the layout, and they differ in the last bits: the same choice is made here.
        call(self, x, at, || match self.bias() {
            Some(bias) if x.is_contiguous() && self.remove_mean() => {
                fused_layer_norm(x, self.weight(), bias, self.eps() as f32)
            }
            _ => self.forward(x),
        })
    }
}

impl Layer for RmsNorm {
    fn __taper_forward(&self, x: &Tensor, at: At<'_, '_, '_, Site<Tensor>>) -> Result<Tensor> {
        call(self, x, at, || match x.is_contiguous() {
            true => fused_rms_norm(x, self.weight(), self.eps() as f32),
            false => self.forward(x),
        })
    }
}
