//! The same model without macros.

use taper::candle_core::{Module, Result, Tensor};
use taper::candle_nn::{LayerNorm, Linear, VarBuilder, layer_norm, linear};

use super::{Config, merge_heads, split_heads};

pub(crate) struct Attention {
    pub(crate) qkv: Linear,
    pub(crate) proj: Linear,
    pub(crate) heads: usize,
    pub(crate) scale: f64,
}

impl Attention {
    pub(crate) fn load(vb: VarBuilder, cfg: &Config) -> Result<Self> {
        Ok(Attention {
            qkv: linear(cfg.width, 3 * cfg.width, vb.pp("qkv"))?,
            proj: linear(cfg.width, cfg.width, vb.pp("proj"))?,
            heads: cfg.heads,
            scale: cfg.scale(),
        })
    }

    pub(crate) fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let qkv = self.qkv.forward(x)?;
        let (q, k, v) = split_heads(&qkv, self.heads)?;
        let scores = (q.matmul(&k.t()?)? * self.scale)?.broadcast_add(mask)?;
        let pattern = taper::ops::softmax_last_dim(&scores)?;
        let z = pattern.matmul(&v)?;
        self.proj.forward(&merge_heads(&z)?)
    }
}

pub(crate) struct Mlp {
    pub(crate) up: Linear,
    pub(crate) down: Linear,
}

impl Mlp {
    pub(crate) fn load(vb: VarBuilder, cfg: &Config) -> Result<Self> {
        Ok(Mlp {
            up: linear(cfg.width, 4 * cfg.width, vb.pp("up"))?,
            down: linear(4 * cfg.width, cfg.width, vb.pp("down"))?,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let act = self.up.forward(x)?.gelu()?;
        self.down.forward(&act)
    }
}

pub(crate) struct Block {
    pub(crate) ln_1: LayerNorm,
    pub(crate) attn: Attention,
    pub(crate) ln_2: LayerNorm,
    pub(crate) mlp: Mlp,
}

impl Block {
    pub(crate) fn load(vb: VarBuilder, cfg: &Config) -> Result<Self> {
        Ok(Block {
            ln_1: layer_norm(cfg.width, 1e-5, vb.pp("ln_1"))?,
            attn: Attention::load(vb.pp("attn"), cfg)?,
            ln_2: layer_norm(cfg.width, 1e-5, vb.pp("ln_2"))?,
            mlp: Mlp::load(vb.pp("mlp"), cfg)?,
        })
    }

    pub(crate) fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let after_attn = (x + self.attn.forward(&self.ln_1.forward(x)?, mask)?)?;
        &after_attn + self.mlp.forward(&self.ln_2.forward(&after_attn)?)?
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

    pub(crate) fn forward(&self, x: &Tensor, mask: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for block in &self.blocks {
            x = block.forward(&x, mask)?;
        }
        Ok(x)
    }
}
