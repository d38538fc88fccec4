//! What the leaves are, for errors, and what they hold, for telling whether it has changed.

use candle_core::quantized::QMatMul;
use candle_core::{Module, Tensor};
use candle_nn::ops::Identity;
use candle_nn::{
    Activation, BatchNorm, Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, Dropout, Embedding, Func, FuncT, GRU,
    GroupNorm, LSTM, LayerNorm, Linear, PReLU, RmsNorm, Sequential,
};

use crate::layers;

/// A leaf, as errors name it, and its weights.
pub trait LeafInfo {
    /// Such as `Linear 768→3072`.
    fn shown(&self) -> String;

    /// The shape of what it gives for an input, where that is easily said.
    fn gives(&self, _x: &Tensor) -> Option<Vec<usize>> {
        None
    }

    /// The tensors that a change of shows in what it computes.
    fn weights(&self) -> Vec<Option<&Tensor>> {
        Vec::new()
    }
}

/// The sizes of a kernel, `3×3`.
fn sizes(dims: &[usize]) -> String {
    dims.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}

/// Input and output channels of a convolution, and its kernel.
fn convolution(name: &str, weight: &Tensor, transposed: bool, groups: usize) -> String {
    let dims = weight.dims();
    let (gives, takes) = if transposed { (dims[1] * groups, dims[0]) } else { (dims[0], dims[1] * groups) };
    format!("{name} {takes}→{gives}, {}", sizes(&dims[2..]))
}

/// The shape of the input.
fn same(x: &Tensor) -> Option<Vec<usize>> {
    Some(x.dims().to_vec())
}

impl LeafInfo for Linear {
    fn gives(&self, x: &Tensor) -> Option<Vec<usize>> {
        let (_, before) = x.dims().split_last()?;
        Some([before, &[*self.weight().dims().first()?]].concat())
    }

    fn shown(&self) -> String {
        let dims = self.weight().dims();
        let at = |from_end: usize| dims.len().checked_sub(from_end).map_or(0, |i| dims[i]);
        format!("Linear {}→{}", at(1), at(2))
    }

    fn weights(&self) -> Vec<Option<&Tensor>> {
        vec![Some(self.weight()), self.bias()]
    }
}

macro_rules! convolutions {
    ($($leaf:ident $transposed:literal)+) => {$(
        impl LeafInfo for $leaf {
            fn shown(&self) -> String {
                convolution(stringify!($leaf), self.weight(), $transposed, self.config().groups)
            }

            fn weights(&self) -> Vec<Option<&Tensor>> {
                vec![Some(self.weight()), self.bias()]
            }
        }
    )+};
}

convolutions! {
    Conv1d false
    Conv2d false
    ConvTranspose1d true
}

impl LeafInfo for ConvTranspose2d {
    fn shown(&self) -> String {
        // candle has no groups here.
        convolution("ConvTranspose2d", self.weight(), true, 1)
    }

    fn weights(&self) -> Vec<Option<&Tensor>> {
        vec![Some(self.weight()), self.bias()]
    }
}

impl LeafInfo for Embedding {
    fn gives(&self, x: &Tensor) -> Option<Vec<usize>> {
        Some([x.dims(), &[self.hidden_size()]].concat())
    }

    fn shown(&self) -> String {
        format!("Embedding {}", sizes(self.embeddings().dims()))
    }

    fn weights(&self) -> Vec<Option<&Tensor>> {
        vec![Some(self.embeddings())]
    }
}

impl LeafInfo for LayerNorm {
    fn gives(&self, x: &Tensor) -> Option<Vec<usize>> {
        same(x)
    }

    fn shown(&self) -> String {
        format!("LayerNorm {}", sizes(self.weight().dims()))
    }

    fn weights(&self) -> Vec<Option<&Tensor>> {
        vec![Some(self.weight()), self.bias()]
    }
}

impl LeafInfo for RmsNorm {
    fn gives(&self, x: &Tensor) -> Option<Vec<usize>> {
        same(x)
    }

    fn shown(&self) -> String {
        format!("RmsNorm {}", sizes(self.weight().dims()))
    }

    fn weights(&self) -> Vec<Option<&Tensor>> {
        vec![Some(self.weight())]
    }
}

impl LeafInfo for BatchNorm {
    fn gives(&self, x: &Tensor) -> Option<Vec<usize>> {
        same(x)
    }

    fn shown(&self) -> String {
        format!("BatchNorm {}", self.running_mean().elem_count())
    }

    fn weights(&self) -> Vec<Option<&Tensor>> {
        let (weight, bias) = self.weight_and_bias().unzip();
        vec![Some(self.running_mean()), Some(self.running_var()), weight, bias]
    }
}

impl LeafInfo for PReLU {
    fn gives(&self, x: &Tensor) -> Option<Vec<usize>> {
        same(x)
    }

    fn shown(&self) -> String {
        "PReLU".to_owned()
    }

    fn weights(&self) -> Vec<Option<&Tensor>> {
        vec![Some(self.weight())]
    }
}

impl LeafInfo for Activation {
    fn gives(&self, x: &Tensor) -> Option<Vec<usize>> {
        same(x)
    }

    fn shown(&self) -> String {
        format!("{self:?}")
    }
}

macro_rules! of_candles {
    ($($leaf:ident)+) => {$(
        impl LeafInfo for layers::$leaf {
            fn gives(&self, x: &Tensor) -> Option<Vec<usize>> {
                LeafInfo::gives(&**self, x)
            }

            fn shown(&self) -> String {
                LeafInfo::shown(&**self)
            }

            fn weights(&self) -> Vec<Option<&Tensor>> {
                LeafInfo::weights(&**self)
            }
        }
    )+};
}

of_candles! {
    Linear
    Conv2d
    BatchNorm
    LayerNorm
    RmsNorm
}

macro_rules! named {
    ($([$($generics:tt)*] $leaf:ty: $name:literal;)*) => {$(
        impl<$($generics)*> LeafInfo for $leaf {
            fn shown(&self) -> String {
                $name.to_owned()
            }
        }
    )*};
}

// What these hold is not to be had.
named! {
    [] GroupNorm: "GroupNorm";
    [] Identity: "Identity";
    [] Sequential: "Sequential";
    ['a] Func<'a>: "Func";
    ['a] FuncT<'a>: "FuncT";
    [] Dropout: "Dropout";
    [] LSTM: "LSTM";
    [] GRU: "GRU";
    [] QMatMul: "QMatMul";
    ['a] dyn Module + 'a: "dyn Module";
    ['a] dyn Module + Send + 'a: "dyn Module";
    ['a] dyn Module + Send + Sync + 'a: "dyn Module";
}
