use candle_core::{Result, Tensor};

/// PyTorch's `MaxPool2d(3, stride=2, padding=1)` of [batch, channel, height, width].
///
/// candle's own has no gradient where windows overlap, and no padding but zeros, which would win over the negative
/// values that an edit may bring. Equal maxima share their gradient; PyTorch gives all of it to the first.
pub(crate) fn max_pool(x: &Tensor) -> Result<Tensor> {
    max_of_three(&max_of_three(x, 2)?, 3)
}

/// Every second element along `dim` or one of its two neighbours, whichever is largest.
fn max_of_three(x: &Tensor, dim: usize) -> Result<Tensor> {
    let len = x.dim(dim)?.div_ceil(2);
    // A neighbour beyond the edge is one that the maximum is taken of anyway.
    let x = if x.dim(dim)?.is_multiple_of(2) { x.clone() } else { x.pad_with_same(dim, 0, 1)? };
    let mut pairs = x.dims().to_vec();
    pairs.splice(dim..=dim, [len, 2]);
    let pairs = x.reshape(pairs)?;
    let (even, odd) = (pairs.get_on_dim(dim + 1, 0)?, pairs.get_on_dim(dim + 1, 1)?);
    let before = odd.pad_with_same(dim, 1, 0)?.narrow(dim, 0, len)?;
    even.maximum(&odd)?.maximum(&before)
}

#[cfg(test)]
mod tests {
    use candle_core::{Device, Var};

    use super::*;

    /// Which elements of an image of this size is each element of the pool the largest of? The definition, in loops.
    fn windows(height: usize, width: usize) -> Vec<Vec<usize>> {
        let near = |at: usize, len: usize| (2 * at).saturating_sub(1)..(2 * at + 2).min(len);
        let of = |(row, column)| {
            near(row, height).flat_map(|row| near(column, width).map(move |column| row * width + column)).collect()
        };
        let rows = 0..height.div_ceil(2);
        rows.flat_map(|row| (0..width.div_ceil(2)).map(move |column| (row, column))).map(of).collect()
    }

    #[test]
    fn the_pool_takes_the_largest_of_each_window_and_gives_it_the_gradient() -> Result<()> {
        for (height, width) in [(6, 8), (5, 7), (4, 3), (1, 1), (2, 1)] {
            let count = height * width;
            // All different, in no order, and negative: a pool that pads with zeros finds larger ones outside.
            let values: Vec<f32> = (0..count).map(|i| (i * 37 % 101) as f32 - 200.0).collect();
            let x = Var::from_tensor(&Tensor::from_slice(&values, (1, 1, height, width), &Device::Cpu)?)?;
            let pool = max_pool(x.as_tensor())?;
            assert_eq!(pool.dims(), [1, 1, height.div_ceil(2), width.div_ceil(2)]);

            let windows = windows(height, width);
            let largest =
                |window: &Vec<usize>| *window.iter().max_by(|a, b| values[**a].total_cmp(&values[**b])).unwrap();
            let expected: Vec<f32> = windows.iter().map(|window| values[largest(window)]).collect();
            assert_eq!(pool.flatten_all()?.to_vec1::<f32>()?, expected, "{height} × {width}");

            // Weighted by its place, so that a gradient in another window's place shows.
            let weights: Vec<f32> = (1..=windows.len()).map(|i| i as f32).collect();
            let gradients =
                (pool.flatten_all()? * Tensor::new(weights.as_slice(), &Device::Cpu)?)?.sum_all()?.backward()?;
            let mut expected = vec![0f32; count];
            for (window, weight) in windows.iter().zip(&weights) {
                expected[largest(window)] += weight;
            }
            let gradient = gradients.get(&x).unwrap().flatten_all()?.to_vec1::<f32>()?;
            assert_eq!(gradient, expected, "{height} × {width}");
        }
        Ok(())
    }
}
