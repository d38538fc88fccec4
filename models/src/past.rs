//! What a decoder keeps of the tokens that it has read: the cache of keys and values.

use candle_core::{Result, Tensor, bail};
use taper::{Input, Seen};

/// The keys and the values of one block's attention, each [batch, key head, token, channel of the head].
pub type KeysValues = (Tensor, Tensor);

/// What a decoder keeps of the tokens that it has read, so that they need not be read again: the keys and values of every
/// block.
///
/// It is a value, not a buffer: a forward pass reads it and changes nothing. The next one is made of two taps of each
/// block's attention, `k` and `v`, as the pass went, its edits included. [`Generation`](crate::Generation) does so step by
/// step.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::VarBuilder;
/// use taper_models::Past;
/// use taper_models::gpt2::{Config, Gpt2};
///
/// # let json = r#"{"vocab_size": 11, "n_positions": 8, "n_embd": 4, "n_layer": 2, "n_head": 2}"#;
/// # let config: Config = serde_json::from_str(json).unwrap();
/// let model = Gpt2::load(VarBuilder::zeros(DType::F32, &Device::Cpu), &config)?;
/// let ids = Tensor::new(&[[3u32, 1, 4, 1]], &Device::Cpu)?;
/// let blocks = model.capture(&ids, None, |t| t.blocks.each(|b| (b.attn.k, b.attn.v)))?;
/// let past = Past::new(blocks)?;
/// assert_eq!(past.len(), 4);
///
/// let logits = model.forward(&Tensor::new(&[[5u32]], &Device::Cpu)?, Some(&past))?;
/// assert_eq!(logits.dims(), [1, 1, 11]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Past {
    blocks: Vec<KeysValues>,
    len: usize,
}

impl Past {
    /// Of the keys and values of each block, in order.
    ///
    /// # Errors
    /// No block, tensors that are not [batch, key head, token, channel], and numbers of tokens that differ.
    pub fn new(blocks: Vec<KeysValues>) -> Result<Self> {
        let Some((first, _)) = blocks.first() else { bail!("a past needs the keys and values of at least one block") };
        let (batch, _, len, _) = first.dims4()?;
        for (i, (keys, values)) in blocks.iter().enumerate() {
            for (what, tensor) in [("keys", keys), ("values", values)] {
                let (its_batch, _, its_len, _) = tensor.dims4()?;
                if (its_batch, its_len) != (batch, len) {
                    let shape = tensor.shape();
                    bail!(
                        "the {what} of block {i}, {shape:?}, are not of {batch} × {len} tokens, as those of block 0 are"
                    );
                }
            }
        }
        Ok(Self { blocks, len })
    }

    /// With the keys and values of the tokens that were read after it, of each block in order.
    ///
    /// # Errors
    /// Those of [`new`](Self::new), and another number of blocks, texts, heads or channels.
    pub fn then(&self, blocks: Vec<KeysValues>) -> Result<Self> {
        Self::check(Some(self), blocks.len())?;
        let then = |(past, (k, v)): (&KeysValues, &KeysValues)| extend(Some(past), k, v);
        Self::new(self.blocks.iter().zip(&blocks).map(then).collect::<Result<_>>()?)
    }

    /// The number of tokens.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The keys and values of every block.
    pub fn blocks(&self) -> &[KeysValues] {
        &self.blocks
    }

    /// An error if it is not of so many blocks: it is another model's then.
    pub(crate) fn check(past: Option<&Self>, blocks: usize) -> Result<()> {
        match past {
            Some(past) if past.blocks.len() != blocks => {
                bail!("this past has {} blocks and the model {blocks}: it is another model's", past.blocks.len())
            }
            _ => Ok(()),
        }
    }

    /// The number of tokens before those that are read now.
    pub(crate) fn tokens(past: Option<&Self>) -> usize {
        past.map_or(0, Self::len)
    }
}

impl Input for Past {
    fn see(&self) -> Seen {
        self.blocks.see()
    }
}

/// The keys and values of the past, and after them these.
pub(crate) fn extend(past: Option<&KeysValues>, k: &Tensor, v: &Tensor) -> Result<KeysValues> {
    match past {
        None => Ok((k.clone(), v.clone())),
        Some((keys, values)) => Ok((Tensor::cat(&[keys, k], 2)?, Tensor::cat(&[values, v], 2)?)),
    }
}

#[cfg(test)]
mod tests {
    use candle_core::{DType, Device};

    use super::*;

    fn keys(batch: usize, tokens: usize) -> Tensor {
        Tensor::zeros((batch, 2, tokens, 4), DType::F32, &Device::Cpu).unwrap()
    }

    #[test]
    fn every_block_has_read_the_same_tokens() {
        assert_eq!(Past::new(vec![(keys(2, 3), keys(2, 3)); 2]).unwrap().len(), 3);
        let error = Past::new(vec![(keys(2, 3), keys(2, 3)), (keys(2, 3), keys(2, 4))]).unwrap_err().to_string();
        assert!(error.contains("values of block 1"), "{error}");
        assert!(Past::new(Vec::new()).is_err());
    }

    #[test]
    fn another_models_past_is_refused() {
        let past = Past::new(vec![(keys(1, 3), keys(1, 3))]).unwrap();
        assert!(Past::check(Some(&past), 1).is_ok() && Past::check(None, 7).is_ok());
        assert!(Past::check(Some(&past), 2).unwrap_err().to_string().contains("another model's"));
    }
}
