//! Layers whose weights may be quantized.
//!
//! A model with these in place of candle-nn's loads quantized files as they are ([`Gguf`](crate::Gguf)), and all others
//! as before: what differs is one `use`. They are leaves, and have gradients with respect to their inputs, which candle's
//! own `QMatMul` drops.

use std::fmt;
use std::sync::Arc;

use candle_core::quantized::QTensor;
use candle_core::{Module, Result, Tensor};
use candle_nn::VarBuilder;

use crate::layers;
use crate::leaf::{IsLeaf, LeafInfo, call, tapped_leaf};
use crate::load::quantized_tensor;
use crate::ops::quantized_matmul;
use crate::pass::At;
use crate::site::{Builder, Site};
use crate::tapped::{Layer, Tapped};

/// `x` times the transposed weight, plus the bias: [`layers::Linear`], or one whose weight is quantized.
#[derive(Clone)]
pub enum Linear {
    /// With a weight of floats.
    Float(layers::Linear),
    /// With a quantized weight, `[out, in]`.
    Quantized {
        /// The weight.
        weight: Arc<QTensor>,
        /// The bias: `[out]`.
        bias: Option<Tensor>,
    },
}

/// A layer of `in_dim` to `out_dim` channels from `weight`, `[out, in]`, and if `bias` from `bias`, `[out]`: quantized if the
/// file has it so.
///
/// # Errors
/// Those of the builder.
pub fn linear_b(in_dim: usize, out_dim: usize, bias: bool, vb: VarBuilder) -> Result<Linear> {
    match quantized_tensor(&vb, (out_dim, in_dim), "weight")? {
        None => layers::linear_b(in_dim, out_dim, bias, vb).map(Linear::Float),
        Some(weight) => {
            let bias = if bias { Some(vb.get(out_dim, "bias")?) } else { None };
            Ok(Linear::Quantized { weight: Arc::new(weight), bias })
        }
    }
}

/// [`linear_b`] without a bias.
///
/// # Errors
/// Those of the builder.
pub fn linear_no_bias(in_dim: usize, out_dim: usize, vb: VarBuilder) -> Result<Linear> {
    linear_b(in_dim, out_dim, false, vb)
}

impl Linear {
    /// The weight, `[out, in]`; computed anew where it is quantized.
    ///
    /// # Errors
    /// Those of the device.
    pub fn weight(&self) -> Result<Tensor> {
        match self {
            Self::Float(linear) => Ok(linear.weight().clone()),
            Self::Quantized { weight, .. } => weight.dequantize(&weight.device()),
        }
    }

    /// The bias: `[out]`.
    pub fn bias(&self) -> Option<&Tensor> {
        match self {
            Self::Float(linear) => linear.bias(),
            Self::Quantized { bias, .. } => bias.as_ref(),
        }
    }

    /// Output and input channels.
    fn dims(&self) -> &[usize] {
        match self {
            Self::Float(linear) => linear.weight().dims(),
            Self::Quantized { weight, .. } => weight.shape().dims(),
        }
    }
}

impl From<layers::Linear> for Linear {
    fn from(linear: layers::Linear) -> Self {
        Self::Float(linear)
    }
}

impl From<candle_nn::Linear> for Linear {
    fn from(linear: candle_nn::Linear) -> Self {
        Self::Float(linear.into())
    }
}

impl Module for Linear {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Float(linear) => linear.forward(x),
            Self::Quantized { weight, bias } => {
                let y = quantized_matmul(x, weight)?;
                match bias {
                    Some(bias) => y.broadcast_add(bias),
                    None => Ok(y),
                }
            }
        }
    }
}

impl fmt::Debug for Linear {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

impl LeafInfo for Linear {
    fn shown(&self) -> String {
        let kind = match self {
            Self::Float(_) => String::new(),
            Self::Quantized { weight, .. } => format!(" {:?}", weight.dtype()),
        };
        match self.dims() {
            [gives, takes] => format!("Linear{kind} {takes}→{gives}"),
            dims => format!("Linear{kind} {dims:?}"),
        }
    }

    fn gives(&self, x: &Tensor) -> Option<Vec<usize>> {
        let (_, before) = x.dims().split_last()?;
        Some([before, &[*self.dims().first()?]].concat())
    }

    /// A quantized weight is nothing that an optimizer could change.
    fn weights(&self) -> Vec<Option<&Tensor>> {
        match self {
            Self::Float(linear) => vec![Some(linear.weight()), linear.bias()],
            Self::Quantized { bias, .. } => vec![bias.as_ref()],
        }
    }
}

tapped_leaf!([] Linear: Tensor;);

impl Layer for Linear {
    fn __taper_forward(&self, x: &Tensor, at: At<'_, '_, '_, Site<Tensor>>) -> Result<Tensor> {
        call(self, x, at, || self.forward(x))
    }
}
