//! The model as a user of taper writes it.

use taper::candle_core::{Module, Result, Tensor};
use taper::candle_nn::{LayerNorm, Linear, layer_norm, linear};
use taper::{Model, forward};

use super::Config;

/// A transformer's block without the heads.
#[derive(Model)]
#[model(config = Config)]
pub(crate) struct Block {
    #[load(layer_norm(cfg.width, 1e-5))]
    pub(crate) norm: LayerNorm,
    #[load(linear(cfg.width, 4 * cfg.width))]
    pub(crate) up: Linear,
    #[load(linear(4 * cfg.width, cfg.width))]
    pub(crate) down: Linear,
}

#[forward]
impl Block {
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        #[tap]
        let act = x.apply(&self.norm)?.apply(&self.up)?.gelu()?;
        x + self.down.forward(&act)?
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
    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        Ok(x)
    }
}
