//! One vector for a text, of those of its tokens.

use std::str::FromStr;

use candle_core::{Error, Result, Tensor, bail};
use taper::tensors;

use crate::shared::is_padding;

/// How the vectors of a text's tokens become that of the text.
///
/// ```
/// use candle_core::{Device, Tensor};
/// use taper_models::Pooling;
///
/// // One text of three tokens, the last of which is padding.
/// let stream = Tensor::new(&[[[3f32, 1.], [3., 7.], [9., 9.]]], &Device::Cpu)?;
/// let mask = Tensor::new(&[[1u32, 1, 0]], &Device::Cpu)?;
/// assert_eq!(Pooling::Mean.pooled(&stream, Some(&mask))?.to_vec2::<f32>()?, [[3., 4.]]);
/// assert_eq!(Pooling::Mean.of(&stream, Some(&mask))?.to_vec2::<f32>()?, [[0.6, 0.8]]);
/// assert_eq!(Pooling::Cls.pooled(&stream, Some(&mask))?.to_vec2::<f32>()?, [[3., 1.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pooling {
    /// The mean over what is no padding.
    #[default]
    Mean,
    /// The first token's.
    Cls,
}

impl Pooling {
    /// What texts are about, so that the product of two of these is their cosine similarity: [`pooled`](Self::pooled),
    /// divided by its length. [batch, token, channel] to [batch, channel].
    ///
    /// # Errors
    /// Those of [`pooled`](Self::pooled).
    pub fn of(self, stream: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let pooled = self.pooled(stream, mask)?;
        // A vector of zeros has no direction, and stays what it is.
        let length = pooled.sqr()?.sum_keepdim(1)?.sqrt()?.maximum(1e-12)?;
        pooled.broadcast_div(&length)
    }

    /// The vector of each text. `stream`: [batch, token, channel], `mask`: [batch, token], integers that are 0 where a token
    /// is padding; to [batch, channel].
    ///
    /// # Errors
    /// A mask of another shape or of floats, and a text of nothing but padding, which has no mean.
    pub fn pooled(self, stream: &Tensor, mask: Option<&Tensor>) -> Result<Tensor> {
        let (batch, len, _) = stream.dims3()?;
        match (self, mask) {
            (Self::Cls, _) => stream.get_on_dim(1, 0),
            (Self::Mean, None) => stream.mean(1),
            (Self::Mean, Some(mask)) => {
                let real = is_padding(mask, (batch, len))?.eq(0u8)?;
                tensors::masked_mean(stream, &real.unsqueeze(2)?, 1)
            }
        }
    }
}

/// `mean` or `cls`.
impl FromStr for Pooling {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        match name {
            "mean" => Ok(Self::Mean),
            "cls" => Ok(Self::Cls),
            _ => bail!("`{name}` is no way to pool; these are: `mean`, `cls`"),
        }
    }
}
