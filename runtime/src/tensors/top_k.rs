//! The largest elements.

use std::cmp::Ordering;

use candle_core::{D, DType, Tensor, WithDType, bail};

use crate::Result;

/// The `k` largest elements of the last dimension, largest first, and where they stand: values [.., k] and indices
/// [.., k] of u32 (PyTorch's `topk(k)`).
///
/// NaN counts as the largest, as in PyTorch; of equal ones the first comes first, on every device. They are found on the
/// host: candle's `sort_last_dim` on CUDA keeps a row in shared memory, which rows as long as a vocabulary exceed. The
/// values are differentiable.
///
/// # Errors
/// A `k` above the size of the dimension, and a tensor without dimensions.
///
/// ```
/// use taper::candle_core::{Device, Tensor};
/// let x = Tensor::new(&[[1f32, 4., 2.], [9., 7., 8.]], &Device::Cpu)?;
/// let (values, indices) = taper::tensors::top_k(&x, 2)?;
/// assert_eq!(values.to_vec2::<f32>()?, [[4., 2.], [9., 8.]]);
/// assert_eq!(indices.to_vec2::<u32>()?, [[1, 2], [0, 2]]);
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
pub fn top_k(x: &Tensor, k: usize) -> Result<(Tensor, Tensor)> {
    let Some((&size, rows)) = x.dims().split_last() else {
        bail!("`top_k` of a tensor without dimensions: give it at least one, by `unsqueeze(0)`");
    };
    if k > size {
        bail!("`top_k`: {k} of the {size} elements of the last dimension of {:?}: use {size} at most", x.dims());
    }
    let shape = [rows, &[k]].concat();
    let indices = match x.dtype() {
        _ if k == 0 || x.elem_count() == 0 => Vec::new(),
        // f64 holds every value of the other types.
        DType::I64 => largest::<i64>(x, size, k, |a, b| a.cmp(b))?,
        _ => largest::<f64>(&x.to_dtype(DType::F64)?, size, k, nan_last)?,
    };
    if indices.is_empty() {
        return Ok((
            Tensor::zeros(shape.as_slice(), x.dtype(), x.device())?,
            Tensor::zeros(shape, DType::U32, x.device())?,
        ));
    }
    let indices = Tensor::from_vec(indices, shape, x.device())?;
    Ok((x.contiguous()?.gather(&indices, D::Minus1)?, indices))
}

fn nan_last(a: &f64, b: &f64) -> Ordering {
    a.partial_cmp(b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()))
}

/// The indices of the `k` largest of every row, row after row.
fn largest<T: WithDType>(x: &Tensor, size: usize, k: usize, order: fn(&T, &T) -> Ordering) -> Result<Vec<u32>> {
    let values = x.flatten_all()?.to_vec1::<T>()?;
    let mut indices = Vec::with_capacity(values.len() / size * k);
    for row in values.chunks(size) {
        let mut places: Vec<u32> = (0..size as u32).collect();
        let larger = |&a: &u32, &b: &u32| order(&row[b as usize], &row[a as usize]).then(a.cmp(&b));
        if k < size {
            places.select_nth_unstable_by(k, larger);
        }
        places.truncate(k);
        places.sort_unstable_by(larger);
        indices.extend(places);
    }
    Ok(indices)
}
