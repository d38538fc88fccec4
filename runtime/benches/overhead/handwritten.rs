//! The same model without macros.

use taper::candle_core::{Module, Result, Tensor};
use taper::candle_nn::ops::layer_norm_slow;
use taper::candle_nn::{LayerNorm, Linear, VarBuilder, layer_norm, linear};

use super::Config;

pub(crate) struct Block {
    pub(crate) norm: LayerNorm,
    pub(crate) up: Linear,
    pub(crate) down: Linear,
}

impl Block {
    pub(crate) fn load(vb: VarBuilder, cfg: &Config) -> Result<Self> {
        Ok(Block {
            norm: layer_norm(cfg.width, 1e-5, vb.pp("norm"))?,
            up: linear(cfg.width, 4 * cfg.width, vb.pp("up"))?,
            down: linear(4 * cfg.width, cfg.width, vb.pp("down"))?,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let act = x.apply(&self.norm)?.apply(&self.up)?.gelu()?;
        x + self.down.forward(&act)?
    }

    /// The same, keeping what a pass with taps keeps.
    pub(crate) fn forward_kept(&self, x: &Tensor, kept: &mut Vec<Tensor>) -> Result<Tensor> {
        let norm = x.apply(&self.norm)?;
        let up = norm.apply(&self.up)?;
        let act = up.gelu()?;
        let down = self.down.forward(&act)?;
        let output = (x + &down)?;
        kept.extend([norm, up, act, down, output.clone()]);
        Ok(output)
    }

    /// The same with the norm made of operations that have gradients.
    pub(crate) fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        let bias = self.norm.bias().expect("the norm has a bias");
        let norm = layer_norm_slow(x, self.norm.weight(), bias, 1e-5)?;
        let act = norm.apply(&self.up)?.gelu()?;
        x + self.down.forward(&act)?
    }
}

pub(crate) struct Net {
    pub(crate) blocks: Vec<Block>,
}

impl Net {
    pub(crate) fn load(vb: VarBuilder, cfg: &Config) -> Result<Self> {
        let blocks = vb.pp("blocks");
        Ok(Net { blocks: (0..cfg.layers).map(|i| Block::load(blocks.pp(i), cfg)).collect::<Result<_>>()? })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for block in &self.blocks {
            x = block.forward(&x)?;
        }
        Ok(x)
    }
    pub(crate) fn forward_kept(&self, x: &Tensor) -> Result<(Tensor, Vec<Tensor>)> {
        let (mut x, mut kept) = (x.clone(), Vec::new());
        for block in &self.blocks {
            x = block.forward_kept(&x, &mut kept)?;
        }
        Ok((x, kept))
    }

    pub(crate) fn forward_composed(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for block in &self.blocks {
            x = block.forward_composed(&x)?;
        }
        Ok(x)
    }
}
