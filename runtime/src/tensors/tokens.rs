//! What logits say about given tokens.

use candle_core::{D, DType, Tensor, bail};

use super::distributions::{has_rows, log_softmax};
use crate::Result;
use crate::numeric::{same_device, widen};

/// The log-probability, in nats, that `logits` [.., vocabulary] give to `tokens` [..]: [..]. The mean of it, negated, is the
/// cross-entropy (PyTorch's `log_softmax(-1).gather(-1, tokens)`).
///
/// Logits at position i speak of token i + 1: for the probabilities of a text, narrow away the last position of the
/// logits and the first of the tokens.
///
/// # Errors
/// Tokens whose shape is not that of the logits without the last dimension, that are no u32 or i64 or beyond the
/// vocabulary, another device, and logits that are integers. (To look at them, the tokens are read from the device.)
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// use taper::tensors::log_probs;
///
/// let ids = Tensor::new(&[[2u32, 0, 1]], &Device::Cpu)?; // [batch, token]
/// let logits = Tensor::zeros((1, 3, 4), taper::candle_core::DType::F32, &Device::Cpu)?; // [batch, token, vocabulary]
/// let text = log_probs(&logits.narrow(1, 0, 2)?, &ids.narrow(1, 1, 2)?)?;
/// assert_eq!(text.to_vec2::<f32>()?, [[-4f32.ln(); 2]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn log_probs(logits: &Tensor, tokens: &Tensor) -> Result<Tensor> {
    speak_of("log_probs", logits, tokens)?;
    pick(&log_softmax(&widen(logits)?)?, tokens)?.to_dtype(logits.dtype())
}

/// How much more `logits` [.., vocabulary] say `correct` than `wrong`, both [..]: `logits[correct] − logits[wrong]`, [..].
/// For the last position of [batch, token, vocabulary], narrow to it and squeeze first.
///
/// It is the logarithm of the ratio of the two probabilities. Source: Wang et al., *Interpretability in the wild* (2022).
///
/// # Errors
/// Those of [`log_probs`].
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// use taper::tensors::logit_diff;
///
/// let logits = Tensor::new(&[[1f32, 5., 2.]], &Device::Cpu)?; // [batch, vocabulary]
/// let (correct, wrong) = (Tensor::new(&[1u32], &Device::Cpu)?, Tensor::new(&[2u32], &Device::Cpu)?);
/// assert_eq!(logit_diff(&logits, &correct, &wrong)?.to_vec1::<f32>()?, [3.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn logit_diff(logits: &Tensor, correct: &Tensor, wrong: &Tensor) -> Result<Tensor> {
    speak_of("logit_diff", logits, correct)?;
    speak_of("logit_diff", logits, wrong)?;
    let wide = widen(logits)?;
    (pick(&wide, correct)? - pick(&wide, wrong)?)?.to_dtype(logits.dtype())
}

/// The element of each row whose index stands in `tokens`.
fn pick(rows: &Tensor, tokens: &Tensor) -> Result<Tensor> {
    let tokens = tokens.unsqueeze(D::Minus1)?.contiguous()?;
    rows.contiguous()?.gather(&tokens, D::Minus1)?.squeeze(D::Minus1)
}

fn speak_of(what: &str, logits: &Tensor, tokens: &Tensor) -> Result<()> {
    has_rows(what, logits)?;
    let Some((&vocabulary, rows)) = logits.dims().split_last() else { return Ok(()) };
    if tokens.dims() != rows {
        bail!(
            "`{what}`: the tokens have shape {:?}, and the logits {:?}: give one token for each row of logits, {rows:?}",
            tokens.dims(),
            logits.dims()
        );
    }
    if !matches!(tokens.dtype(), DType::U32 | DType::I64) {
        bail!("`{what}` takes tokens of u32 or i64, and these are {:?}: convert them by `to_dtype`", tokens.dtype());
    }
    same_device(what, logits, tokens)?;
    // On a GPU nothing else looks: candle would read beyond the row.
    let beyond = |&token: &i64| !(0..vocabulary as i64).contains(&token);
    match tokens.to_dtype(DType::I64)?.flatten_all()?.to_vec1::<i64>()?.into_iter().find(beyond) {
        Some(token) => {
            bail!("`{what}`: token {token} is not in the vocabulary of {vocabulary}: use 0 to {}", vocabulary - 1)
        }
        None => Ok(()),
    }
}
