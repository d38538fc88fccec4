//! Diagonals of matrices.

use candle_core::{Tensor, bail};

use crate::Result;

/// The diagonal of the last two dimensions, `offset` places right of the main one (left, if negative): of `[.., m, n]`
/// the `[.., len]` elements at `(i, i + offset)`. PyTorch's `torch.diagonal(x, offset, -2, -1)`, as a copy.
///
/// Of an attention pattern [batch, head, query, key], offset −1 is how much each token looks at the one before it, and
/// `1 − period` the stripe of an induction head on a text of that period. An offset beyond the matrix gives an empty
/// diagonal, as in PyTorch.
///
/// # Errors
/// Fewer than two dimensions.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// use taper::tensors::diagonal;
///
/// let x = Tensor::new(&[[1f32, 2., 3.], [4., 5., 6.]], &Device::Cpu)?;
/// assert_eq!(diagonal(&x, 0)?.to_vec1::<f32>()?, [1., 5.]);
/// assert_eq!(diagonal(&x, 1)?.to_vec1::<f32>()?, [2., 6.]);
/// assert_eq!(diagonal(&x, -1)?.to_vec1::<f32>()?, [4.]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn diagonal(x: &Tensor, offset: isize) -> Result<Tensor> {
    let [batch @ .., rows, columns] = x.dims() else {
        bail!("`diagonal` of a tensor of shape {:?}: it needs two dimensions at least", x.dims());
    };
    let (row, column) = if offset < 0 { (offset.unsigned_abs(), 0) } else { (0, offset.unsigned_abs()) };
    let len = rows.saturating_sub(row).min(columns.saturating_sub(column));
    let places: Vec<i64> = (0..len).map(|i| ((row + i) * columns + column + i) as i64).collect();
    let shape = [batch, &[len]].concat();
    if len == 0 || x.elem_count() == 0 {
        return Tensor::zeros(shape, x.dtype(), x.device());
    }
    let flat = x.contiguous()?.reshape((batch.iter().product::<usize>(), rows * columns))?;
    flat.index_select(&Tensor::from_vec(places, len, x.device())?, 1)?.reshape(shape)
}
