use candle_core::{DType, Result, Tensor, bail};

use super::check::same_type;
use super::{matmul, softmax_last_dim};

/// Which keys a query may read.
#[derive(Clone, Copy, Debug)]
pub enum Mask<'a> {
    /// All.
    None,
    /// None that is later than the query. The queries are the last of the keys, as they are where the earlier keys come
    /// from a cache: the last query may read every key. PyTorch's `is_causal=True` where there are as many queries as
    /// keys, and its `causal_lower_right` where there are fewer.
    Causal,
    /// Added to the scores, −∞ where a key may not be read; any shape that broadcasts to [batch, head, query, key], of the
    /// type of the scores. PyTorch's `attn_mask` of floats. It may be learned: gradients reach it.
    Added(&'a Tensor),
    /// A `u8` for each key, 0 where it may not be read; any shape that broadcasts to [batch, head, query, key]. PyTorch's
    /// `attn_mask` of booleans.
    Allowed(&'a Tensor),
}

/// What [`attention`] computes.
#[derive(Clone, Debug)]
pub struct Attention {
    /// How much of each key a query reads, the weights after the softmax: [batch, head, query, key].
    pub pattern: Tensor,
    /// The values so weighted: [batch, head, query, channel of the values].
    pub output: Tensor,
}

/// Scaled dot-product attention, with the pattern: softmax(q·kᵀ·`scale` + mask)·v.
///
/// `q`: [batch, head, query, channel], `k`: [batch, key head, key, channel], `v`: [batch, key head, key, channel of the
/// values]. With fewer key heads than heads (grouped queries), so many consecutive heads read the same keys and values.
/// `scale` is usually one over the square root of the channels. A query that may read nothing gets NaN.
///
/// PyTorch's `F.scaled_dot_product_attention(q, k, v, attn_mask, is_causal, scale, enable_gqa=True)`, which gives no
/// pattern, and 0 for a query that may read nothing. Differentiable in all inputs.
///
/// It is [`attention_scores`], [`softmax_last_dim`] and [`attention_output`], one after another. **In a model whose pattern
/// is to be changed, write these**, with a tap between them: a change of `pattern` can't reach an `output` that was
/// computed with it.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// use taper::ops::{Mask, attention};
///
/// // One head: three tokens with two channels.
/// let x = Tensor::new(&[[[[1f32, 0.], [0., 1.], [1., 1.]]]], &Device::Cpu)?;
/// let read = attention(&x, &x, &x, 0.5f64.sqrt(), Mask::Causal)?;
/// assert_eq!(read.output.dims(), [1, 1, 3, 2]);
/// // The first token reads itself, and nobody what is later.
/// let pattern = read.pattern.squeeze(0)?.squeeze(0)?.to_vec2::<f32>()?;
/// assert_eq!(pattern[0], [1., 0., 0.]);
/// assert_eq!(pattern[1][2], 0.);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Shapes, types and devices that don't fit, heads that are no multiple of the key heads, a mask that does not broadcast,
/// a causal mask for more queries than keys.
pub fn attention(q: &Tensor, k: &Tensor, v: &Tensor, scale: f64, mask: Mask<'_>) -> Result<Attention> {
    let pattern = softmax_last_dim(&attention_scores(q, k, scale, mask)?)?;
    let output = attention_output(&pattern, v)?;
    Ok(Attention { pattern, output })
}

/// What each query thinks of each key, before the softmax: q·kᵀ·`scale` + mask.
///
/// `q`: [batch, head, query, channel], `k`: [batch, key head, key, channel]; to [batch, head, query, key]. See
/// [`attention`].
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// use taper::ops::{Mask, attention_output, attention_scores, softmax_last_dim};
///
/// let q = Tensor::new(&[[[[1f32, 2.]]]], &Device::Cpu)?;
/// let k = Tensor::new(&[[[[3f32, 0.], [0., 1.]]]], &Device::Cpu)?;
/// let scores = attention_scores(&q, &k, 0.5, Mask::None)?;
/// assert_eq!(scores.flatten_all()?.to_vec1::<f32>()?, [1.5, 1.]);
/// let z = attention_output(&softmax_last_dim(&scores)?, &k)?;
/// assert_eq!(z.dims(), [1, 1, 1, 2]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Those of [`attention`].
pub fn attention_scores(q: &Tensor, k: &Tensor, scale: f64, mask: Mask<'_>) -> Result<Tensor> {
    let name = "attention_scores";
    let (batch, heads, queries, channels) = dims4(name, "q", "[batch, head, query, channel]", q)?;
    let (k_batch, k_heads, keys, k_channels) = dims4(name, "k", "[batch, head, key, channel]", k)?;
    if batch != k_batch || channels != k_channels {
        bail!("`{name}`: `q`, {:?}, and `k`, {:?}, differ in batch or channels", q.shape(), k.shape());
    }
    same_type(name, ("q", q), ("k", k))?;
    let group = group(name, ("q", heads), ("k", k_heads))?;
    // The heads that share keys are one head with more queries, so that the keys need not be repeated.
    let grouped = q.contiguous()?.reshape((batch, k_heads, group * queries, channels))?;
    let scores = (matmul(&grouped, &k.t()?)? * scale)?.reshape((batch, heads, queries, keys))?;
    masked(name, scores, mask)
}

/// The values that each query reads: pattern·v.
///
/// `pattern`: [batch, head, query, key], `v`: [batch, key head, key, channel]; to [batch, head, query, channel]. See
/// [`attention`].
///
/// ```
/// use taper::candle_core::{Device, Tensor};
///
/// let pattern = Tensor::new(&[[[[0.5f32, 0.5]]]], &Device::Cpu)?;
/// let v = Tensor::new(&[[[[1f32, 4.], [3., 0.]]]], &Device::Cpu)?;
/// let z = taper::ops::attention_output(&pattern, &v)?;
/// assert_eq!(z.flatten_all()?.to_vec1::<f32>()?, [2., 2.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Those of [`attention`].
pub fn attention_output(pattern: &Tensor, v: &Tensor) -> Result<Tensor> {
    let name = "attention_output";
    let (batch, heads, queries, keys) = dims4(name, "pattern", "[batch, head, query, key]", pattern)?;
    let (v_batch, v_heads, v_keys, channels) = dims4(name, "v", "[batch, head, key, channel]", v)?;
    if batch != v_batch || keys != v_keys {
        bail!("`{name}`: `pattern`, {:?}, and `v`, {:?}, differ in batch or keys", pattern.shape(), v.shape());
    }
    same_type(name, ("pattern", pattern), ("v", v))?;
    let group = group(name, ("pattern", heads), ("v", v_heads))?;
    let grouped = pattern.contiguous()?.reshape((batch, v_heads, group * queries, keys))?;
    matmul(&grouped, v)?.reshape((batch, heads, queries, channels))
}

fn dims4(op: &str, name: &str, wanted: &str, x: &Tensor) -> Result<(usize, usize, usize, usize)> {
    match x.dims4() {
        Ok(dims) => Ok(dims),
        Err(_) => bail!("`{op}`: `{name}`, {:?}, is not {wanted}: `reshape` it", x.shape()),
    }
}

/// How many heads share one head of the keys.
fn group(op: &str, (name, heads): (&str, usize), (k_name, k_heads): (&str, usize)) -> Result<usize> {
    if k_heads == 0 || !heads.is_multiple_of(k_heads) {
        bail!("`{op}`: the {heads} heads of `{name}` cannot share the {k_heads} of `{k_name}` evenly");
    }
    Ok(heads / k_heads)
}

fn masked(op: &str, scores: Tensor, mask: Mask<'_>) -> Result<Tensor> {
    let (_, _, queries, keys) = scores.dims4()?;
    let broadcast = |mask: &Tensor| match mask.broadcast_as(scores.shape()) {
        Ok(mask) => Ok(mask),
        Err(_) => bail!("`{op}`: the mask, {:?}, does not broadcast to the scores, {:?}", mask.shape(), scores.shape()),
    };
    match mask {
        Mask::None => Ok(scores),
        Mask::Causal if queries > keys => {
            bail!("`{op}`: {queries} queries for {keys} keys, whose last ones they are to be: use another mask")
        }
        Mask::Causal => &scores + broadcast(&causal(&scores, queries, keys)?)?,
        Mask::Added(added) => {
            same_type(op, ("q", &scores), ("mask", added))?;
            &scores + broadcast(added)?
        }
        Mask::Allowed(allowed) if allowed.dtype() != DType::U8 => {
            bail!("`{op}`: an allowing mask is U8, not {:?}: numbers to add are `Mask::Added`", allowed.dtype())
        }
        Mask::Allowed(allowed) => {
            let never = Tensor::full(f32::NEG_INFINITY, (), scores.device())?.to_dtype(scores.dtype())?;
            broadcast(allowed)?.where_cond(&scores, &never.broadcast_as(scores.shape())?)
        }
    }
}

/// [query, key]: −∞ where the key is later than the query, else 0.
fn causal(scores: &Tensor, queries: usize, keys: usize) -> Result<Tensor> {
    let later = |query: usize, key: usize| key > query + (keys - queries);
    let entries = (0..queries).flat_map(|query| (0..keys).map(move |key| (query, key)));
    let entries = entries.map(|(query, key)| if later(query, key) { f32::NEG_INFINITY } else { 0. }).collect();
    Tensor::from_vec(entries, (queries, keys), scores.device())?.to_dtype(scores.dtype())
}
