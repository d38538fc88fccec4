//! A small transformer-like model whose layers count their calls, and its parts.

use std::cell::Cell;

use candle_core::{Device, Result, Tensor};
use candle_nn::{Linear, Module, VarMap, linear};
use taper::{Model, forward};

thread_local! {
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

/// How many leaf calls of this thread `f` makes.
pub(crate) fn calls<T>(f: impl FnOnce() -> T) -> (T, usize) {
    let before = CALLS.get();
    let result = f();
    (result, CALLS.get() - before)
}

pub(crate) fn count() {
    CALLS.set(CALLS.get() + 1);
}

/// A linear layer that counts its calls.
#[derive(Model, Clone)]
#[model(vb = candle_nn::VarBuilder<'_>)]
pub(crate) struct Counted {
    #[load(linear(4, 4))]
    #[prefix("")]
    pub(crate) inner: Linear,
}

#[forward]
impl Counted {
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        count();
        self.inner.forward(x)
    }
}

#[derive(Model)]
#[model(vb = candle_nn::VarBuilder<'_>)]
pub(crate) struct Attn {
    pub(crate) qkv: Counted,
    pub(crate) proj: Counted,
}

#[forward]
impl Attn {
    pub(crate) fn forward(&self, #[tap] x: &Tensor) -> Result<Tensor> {
        let qkv = self.qkv.forward(x)?;
        #[tap]
        let pattern = taper::ops::softmax_last_dim(&qkv)?;
        #[tap]
        let z = (pattern * 2.)?;
        self.proj.forward(&z)
    }
}

#[derive(Model)]
#[model(vb = candle_nn::VarBuilder<'_>)]
pub(crate) struct Mlp {
    pub(crate) up: Counted,
    pub(crate) down: Counted,
}

#[forward]
impl Mlp {
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        #[tap]
        let act = self.up.forward(x)?.gelu()?;
        self.down.forward(&act)
    }
}

#[derive(Model)]
#[model(vb = candle_nn::VarBuilder<'_>)]
pub(crate) struct Block {
    pub(crate) attn: Attn,
    pub(crate) mlp: Mlp,
}

#[forward]
impl Block {
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        #[tap]
        let mid = (x + self.attn.forward(x)?)?;
        &mid + self.mlp.forward(&mid)?
    }
}

#[derive(Model)]
#[model(vb = candle_nn::VarBuilder<'_>)]
pub(crate) struct Net {
    pub(crate) embed: Counted,
    #[load(each(12))]
    pub(crate) blocks: Vec<Block>,
    pub(crate) head: Counted,
}

#[forward]
impl Net {
    pub(crate) fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        let mut x = self.embed.forward(ids)?;
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        self.head.forward(&x)
    }
}

/// The model with weights that are not on the autograd graph, and of about the same size everywhere.
pub(crate) fn net() -> Net {
    let vars = VarMap::new();
    Net::load(taper_tests::fixtures::builder(&vars)).unwrap();
    let mut names: Vec<_> = vars.data().lock().unwrap().iter().map(|(k, v)| (k.clone(), v.dims().to_vec())).collect();
    names.sort();
    let mut seed = 0f32;
    let mut number = || {
        seed += 1.;
        (seed * 12.9898).sin() * 0.4
    };
    let tensors = names.into_iter().map(|(name, dims)| {
        let numbers: Vec<f32> = (0..dims.iter().product()).map(|_| number()).collect();
        (name, Tensor::from_vec(numbers, dims, &Device::Cpu).unwrap())
    });
    let tensors = tensors.collect();
    Net::load(candle_nn::VarBuilder::from_tensors(tensors, candle_core::DType::F32, &Device::Cpu)).unwrap()
}
