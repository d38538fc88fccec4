use candle_core::{Result, Tensor, bail};
use taper::ops::contiguous;

/// [batch, token, head × channel of the head] to [batch, head, token, channel of the head].
pub(crate) fn split_heads(x: &Tensor, heads: usize) -> Result<Tensor> {
    let (batch, token, width) = x.dims3()?;
    // `matmul` takes no strides over the heads that are not in order.
    contiguous(&x.reshape((batch, token, heads, width / heads))?.transpose(1, 2)?)
}

/// [batch, head, token, channel of the head] to [batch, token, head × channel of the head].
pub(crate) fn merge_heads(z: &Tensor) -> Result<Tensor> {
    contiguous(&z.transpose(1, 2)?)?.flatten_from(2)
}

/// The width of each of `heads` heads among which `width` is divided.
///
/// # Errors
/// A number of heads by which the width cannot be divided.
pub(crate) fn head_width(width: usize, heads: usize) -> Result<usize> {
    if heads == 0 || !width.is_multiple_of(heads) {
        bail!("the width {width} cannot be divided among {heads} heads");
    }
    Ok(width / heads)
}
