//! What a decoder with cross-attention reads beside its own tokens.

use candle_core::{DType, Result, Tensor, bail};
use taper::{Input, Seen};

use crate::past::KeysValues;
use crate::shared::padding_mask;

/// What an encoder made of its input, for a decoder that reads it by cross-attention.
///
/// ```
/// # use candle_core::{DType, Device, Tensor};
/// # use candle_nn::VarBuilder;
/// use taper_models::t5::{Config, T5};
/// use taper_models::{Generation, Source};
///
/// # let json = r#"{"vocab_size": 11, "d_model": 4, "d_kv": 2, "d_ff": 8, "num_layers": 1, "num_heads": 2}"#;
/// # let config: Config = serde_json::from_str(json).unwrap();
/// let model = T5::load(VarBuilder::zeros(DType::F32, &Device::Cpu), &config)?;
/// let text = Tensor::new(&[[5u32, 3, 2, 1]], &Device::Cpu)?;
///
/// // The input is read once; every token of the answer reads what was made of it.
/// let encoded = model.encoder.forward(&text, None)?;
/// let source = model.decoder.prepare(&Source::new(encoded, None))?;
/// let run = model.decoder.run().edit(|t| t.blocks[0].cross_attn.output, |x| x * 2.0);
/// let mut answer = Generation::new(&run, &Tensor::new(&[[0u32]], &Device::Cpu)?, source);
/// answer.greedy(3)?;
/// assert_eq!(answer.ids().dims(), [1, 4]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Source {
    encoded: Tensor,
    mask: Option<Tensor>,
    prepared: Option<Vec<KeysValues>>,
}

impl Source {
    /// Of the encoder's output, [batch, key, channel], and the mask that it was given: integers of [batch, key], 0 where
    /// there is padding.
    pub fn new(encoded: Tensor, mask: Option<Tensor>) -> Self {
        Self { encoded, mask, prepared: None }
    }

    /// The encoder's output: [batch, key, channel].
    pub fn encoded(&self) -> &Tensor {
        &self.encoded
    }

    /// The mask of the encoder's input, if there is one.
    pub fn mask(&self) -> Option<&Tensor> {
        self.mask.as_ref()
    }

    /// With the keys and values of each block's cross-attention.
    pub(crate) fn prepared(&self, blocks: impl Iterator<Item = Result<KeysValues>>) -> Result<Self> {
        Ok(Self { prepared: Some(blocks.collect::<Result<_>>()?), ..self.clone() })
    }

    /// What a block reads: keys and values if they are prepared, of so many blocks.
    pub(crate) fn of_block(&self, i: usize, blocks: usize) -> Result<Reads<'_>> {
        match &self.prepared {
            None => Ok(Reads::Encoded(&self.encoded)),
            Some(prepared) if prepared.len() == blocks => Ok(Reads::Prepared(&prepared[i])),
            Some(prepared) => {
                bail!(
                    "this source is prepared for {} blocks and the model has {blocks}: it is another's",
                    prepared.len()
                )
            }
        }
    }

    /// What is added to the scores: [batch, 1, 1, key].
    pub(crate) fn added(&self, dtype: DType) -> Result<Option<Tensor>> {
        let (batch, keys, _) = self.encoded.dims3()?;
        self.mask.as_ref().map(|mask| padding_mask(mask, (batch, keys), dtype)).transpose()
    }
}

impl Input for Source {
    fn see(&self) -> Seen {
        (&self.encoded, &self.mask, &self.prepared).see()
    }
}

/// What the cross-attention of one block reads.
#[derive(Clone, Copy, Debug)]
pub enum Reads<'a> {
    /// What the encoder made, [batch, key, channel], of which keys and values are made.
    Encoded(&'a Tensor),
    /// Its keys and values as the block had them before.
    Prepared(&'a KeysValues),
}

impl Input for Reads<'_> {
    fn see(&self) -> Seen {
        match self {
            Self::Encoded(encoded) => (Some(encoded), None::<&KeysValues>).see(),
            Self::Prepared(prepared) => (None::<&Tensor>, Some(prepared)).see(),
        }
    }
}
