//! Probability distributions over the last dimension.

use candle_core::{D, DType, Tensor, bail};

use crate::Result;
use crate::numeric::{float, same_kind, widen};

/// The entropy `−Σ p ln p` of probabilities over the last dimension, in nats, without that dimension: of an attention
/// pattern [batch, head, query, key] how widely each query looks, [batch, head, query]; 0 for one key, `ln n` for n
/// alike. PyTorch's `torch.special.entr(p).sum(-1)`.
///
/// A probability of 0 adds 0, and its gradient is 0 (where PyTorch's is infinite), so that causal patterns have one. Rows
/// that do not sum to 1, as after a head was scaled, are taken as they are.
///
/// # Errors
/// Numbers that are no probabilities (logits: take their softmax), integers, and a tensor without dimensions. (To look at
/// them, the numbers are read from the device.)
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// let p = Tensor::new(&[[1f32, 0.], [0.5, 0.5]], &Device::Cpu)?;
/// assert_eq!(taper::tensors::entropy(&p)?.to_vec1::<f32>()?, [0., 2f32.ln()]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn entropy(p: &Tensor) -> Result<Tensor> {
    has_rows("entropy", p)?;
    let wide = widen(p)?;
    are_probabilities(&wide)?;
    let zero = wide.eq(0.)?;
    let logs = zero.where_cond(&wide.ones_like()?, &wide)?.log()?;
    // Subtracted from 0 rather than negated: a certain row has entropy 0, not −0.
    let sum = (wide * logs)?.sum(D::Minus1)?;
    (sum.zeros_like()? - sum)?.to_dtype(p.dtype())
}

/// The Kullback–Leibler divergence `Σ p (ln p − ln q)` of two distributions given as logits, over the last dimension, in
/// nats, without that dimension: how far `q` is from the reference `p`. PyTorch's `kl_div(q.log_softmax(-1),
/// p.log_softmax(-1), reduction="none", log_target=True).sum(-1)`.
///
/// Logits of −∞ have probability 0: such a place adds 0 where `p` has it, and makes the divergence ∞ where only `q` has
/// it. A row of nothing but −∞ is no distribution, and gives NaN.
///
/// # Errors
/// Two shapes, dtypes or devices, integers, and tensors without dimensions.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// let p = Tensor::new(&[[0f32, 0.]], &Device::Cpu)?; // ½, ½
/// let q = Tensor::new(&[[0f32, 3f32.ln()]], &Device::Cpu)?; // ¼, ¾
/// let divergence = taper::tensors::kl_divergence(&p, &q)?.to_vec1::<f32>()?[0];
/// assert!((divergence - (0.5 * 2f32.ln() + 0.5 * (2. / 3f32).ln())).abs() < 1e-6);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn kl_divergence(p_logits: &Tensor, q_logits: &Tensor) -> Result<Tensor> {
    has_rows("kl_divergence", p_logits)?;
    same_kind("kl_divergence", p_logits, q_logits)?;
    if p_logits.dims() != q_logits.dims() {
        bail!(
            "`kl_divergence` of logits of shapes {:?} and {:?}: use `broadcast_as` if both are meant",
            p_logits.dims(),
            q_logits.dims()
        );
    }
    let (ln_p, ln_q) = (log_softmax(&widen(p_logits)?)?, log_softmax(&widen(q_logits)?)?);
    let p = ln_p.exp()?;
    // Chosen before it is multiplied: 0 · ∞ would be NaN, in the gradient too.
    let ratio = p.ne(0.)?.where_cond(&(&ln_p - &ln_q)?, &p.zeros_like()?)?;
    (p * ratio)?.sum(D::Minus1)?.to_dtype(p_logits.dtype())
}

/// Over the last dimension. The maximum is a constant to the gradient, as it cancels.
pub(super) fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let shifted = x.broadcast_sub(&x.detach().contiguous()?.max_keepdim(D::Minus1)?)?;
    shifted.broadcast_sub(&shifted.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

pub(super) fn has_rows(what: &str, x: &Tensor) -> Result<()> {
    float(what, x)?;
    match x.dims().last() {
        Some(1..) => Ok(()),
        _ => bail!("`{what}` of a tensor of shape {:?}: its last dimension must be there and not empty", x.dims()),
    }
}

fn are_probabilities(p: &Tensor) -> Result<()> {
    // A rounded softmax may come out a little above 1.
    let bad = |&value: &f64| !(0. ..=1.001).contains(&value);
    match p.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?.into_iter().find(bad) {
        Some(value) => bail!("`entropy` of {value}, which is no probability: give it the softmax of logits"),
        None => Ok(()),
    }
}
