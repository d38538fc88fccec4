//! The model as a user of taper writes it.

use taper::candle_core::{Module, Result, Tensor};
use taper::candle_nn::{LayerNorm, Linear, layer_norm, linear};
use taper::{Model, forward};

use super::{Config, merge_heads, split_heads};

#[derive(Model)]
#[model(config = Config)]
pub(crate) struct Attention {
    #[load(linear(cfg.width, 3 * cfg.width))]
    pub(crate) qkv: Linear,
    #[load(linear(cfg.width, cfg.width))]
    pub(crate) proj: Linear,
    #[load(value = cfg.heads)]
    pub(crate) heads: usize,
    #[load(value = cfg.scale())]
    pub(crate) scale: f64,
}

#[forward]
impl Attention {
    pub(crate) fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let qkv = self.qkv.forward(x)?;
        #[tap]
        let (q, k, v) = split_heads(&qkv, self.heads)?;
        #[tap]
        let scores = (q.matmul(&k.t()?)? * self.scale)?.broadcast_add(mask)?;
        #[tap]
        let pattern = taper::ops::softmax_last_dim(&scores)?;
        #[tap]
        let z = pattern.matmul(&v)?;
        self.proj.forward(&merge_heads(&z)?)
    }
}

#[derive(Model)]
#[model(config = Config)]
pub(crate) struct Mlp {
    #[load(linear(cfg.width, 4 * cfg.width))]
    pub(crate) up: Linear,
    #[load(linear(4 * cfg.width, cfg.width))]
    pub(crate) down: Linear,
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
#[model(config = Config)]
pub(crate) struct Block {
    #[load(layer_norm(cfg.width, 1e-5))]
    pub(crate) ln_1: LayerNorm,
    pub(crate) attn: Attention,
    #[load(layer_norm(cfg.width, 1e-5))]
    pub(crate) ln_2: LayerNorm,
    pub(crate) mlp: Mlp,
}

#[forward]
impl Block {
    pub(crate) fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        #[tap]
        let after_attn = (x + self.attn.forward(&self.ln_1.forward(x)?, mask)?)?;
        &after_attn + self.mlp.forward(&self.ln_2.forward(&after_attn)?)?
    }
}

#[derive(Model)]
#[model(config = Config)]
pub(crate) struct Net {
    #[load(each(cfg.layers))]
    pub(crate) blocks: Vec<Block>,
}

#[forward]
impl Net {
    pub(crate) fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for block in &self.blocks {
            x = block.forward(&x, mask)?;
        }
        Ok(x)
    }
}
