//! `diagonal`, `top_k`, `log_probs`, `logit_diff`: elements by their place.

use candle_core::{DType, Device, Result, Tensor};
use taper::tensors::{diagonal, log_probs, logit_diff, top_k};
use taper_tests::gradients::{assert_gradient, numbers};

use super::{assert_close, assert_fault, new, values};

#[test]
fn every_diagonal_of_wide_and_tall_matrices() -> Result<()> {
    for (rows, columns) in [(3, 5), (5, 3), (4, 4), (1, 3), (3, 1)] {
        let x = Tensor::arange(0f32, (2 * rows * columns) as f32, &Device::Cpu)?.reshape((2, rows, columns))?;
        for x in [x.clone(), x.transpose(0, 1)?.contiguous()?.transpose(0, 1)?] {
            for offset in -7isize..=7 {
                // PyTorch's definition, element by element.
                let mut expected = Vec::new();
                for matrix in x.to_vec3::<f32>()? {
                    for (i, row) in matrix.iter().enumerate() {
                        expected.extend(i.checked_add_signed(offset).and_then(|j| row.get(j)));
                    }
                }
                let diagonal = diagonal(&x, offset)?;
                assert_eq!((diagonal.dims(), values(&diagonal)), (&[2, expected.len() / 2][..], expected));
            }
        }
    }
    assert_eq!(diagonal(&Tensor::zeros((2, 0, 3), DType::F16, &Device::Cpu)?, 0)?.dims(), [2, 0]);
    assert_fault(diagonal(&new(&[1.]), 0), &["`diagonal`", "[1]"]);
    assert_eq!(diagonal(&Tensor::new(&[[1i64, 2], [3, 4]], &Device::Cpu)?, 0)?.to_vec1::<i64>()?, [1, 4]);
    Ok(())
}

#[test]
fn a_diagonal_has_a_gradient() {
    for offset in [-2, 0, 1] {
        assert_gradient(&numbers((2, 3, 4), 1), |x| diagonal(x, offset));
        assert_gradient(&numbers((2, 3, 4), 1), |x| diagonal(&x.transpose(1, 2)?, offset));
    }
}

#[test]
fn the_largest_come_first_and_equal_ones_in_order() -> Result<()> {
    let x = new(&[2., 5., -1., 5., f32::NEG_INFINITY, 2., 2.]);
    let (largest, places) = top_k(&x, 4)?;
    assert_eq!((values(&largest), places.to_vec1::<u32>()?), (vec![5., 5., 2., 2.], vec![1, 3, 0, 5]));
    let (all, places) = top_k(&x, 7)?;
    assert_eq!(places.to_vec1::<u32>()?, [1, 3, 0, 5, 6, 2, 4]);
    assert_eq!(all.dims(), [7]);
    // 0 and −0 are equal; NaN, of either sign, is the largest.
    let odd = new(&[-0., 0., f32::INFINITY, -f32::NAN, f32::NAN]);
    assert_eq!(top_k(&odd, 5)?.1.to_vec1::<u32>()?, [3, 4, 2, 0, 1]);
    Ok(())
}

#[test]
fn the_largest_of_every_dtype_and_layout() -> Result<()> {
    use DType::*;
    let x = Tensor::new(&[[1u8, 9, 4], [7, 3, 8]], &Device::Cpu)?;
    for dtype in [U8, U32, I16, I32, I64, F64, F32, F16, BF16] {
        let (largest, places) = top_k(&x.to_dtype(dtype)?.t()?, 1)?;
        assert_eq!((largest.dtype(), largest.dims()), (dtype, &[3, 1][..]));
        assert_eq!((values(&largest), places.to_vec2::<u32>()?), (vec![7., 9., 8.], vec![vec![1], vec![0], vec![1]]));
    }
    // f64 holds neither of these.
    let large = Tensor::new(&[(1i64 << 60) + 1, (1 << 60) + 2], &Device::Cpu)?;
    assert_eq!(top_k(&large, 1)?.1.to_vec1::<u32>()?, [1]);
    Ok(())
}

#[test]
fn the_largest_agree_with_a_sort() -> Result<()> {
    let x = numbers((5, 40), 3);
    for (row, sorted) in x.to_vec2::<f64>()?.iter().enumerate().map(|(i, row)| {
        let mut sorted = row.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        (i, sorted)
    }) {
        for k in [1, 7, 39, 40] {
            assert_eq!(top_k(&x, k)?.0.to_vec2::<f64>()?[row], sorted[..k]);
        }
    }
    Ok(())
}

#[test]
fn equal_ones_keep_their_order_in_long_rows() -> Result<()> {
    // 0, 1, 2, 0, 1, 2, ..: the twos stand at 2, 5, 8, .., then come the ones at 1, 4, 7, ..
    let x = Tensor::from_iter((0..3000).map(|i| (i % 3) as f32), &Device::Cpu)?;
    let expected: Vec<u32> = (0..1000).map(|i| 3 * i + 2).chain((0..500).map(|i| 3 * i + 1)).collect();
    assert_eq!(top_k(&x, 1500)?.1.to_vec1::<u32>()?, expected);
    Ok(())
}

#[test]
fn the_largest_have_a_gradient_and_limits() -> Result<()> {
    assert_gradient(&numbers((2, 3, 4), 1), |x| Ok(top_k(x, 2)?.0));
    assert_eq!(top_k(&new(&[1., 2.]), 0)?.0.dims(), [0]);
    assert_eq!(top_k(&Tensor::zeros((0, 3), DType::F32, &Device::Cpu)?, 2)?.1.dims(), [0, 2]);
    assert_fault(top_k(&new(&[1., 2.]), 3), &["`top_k`", "3 of the 2", "[2]"]);
    assert_fault(top_k(&Tensor::new(1f32, &Device::Cpu)?, 1), &["`top_k`", "unsqueeze"]);
    Ok(())
}

/// Logits whose exponentials are 1, 2, 5 and 4, 4, 2: probabilities of eighths, and of tenths.
fn logits() -> Result<Tensor> {
    Tensor::new(&[[1f32, 2., 5.], [4., 4., 2.]], &Device::Cpu)?.log()
}

#[test]
fn log_probs_of_given_tokens() -> Result<()> {
    let logits = logits()?;
    let expected = [0.625f32.ln(), 0.4f32.ln()];
    for tokens in [Tensor::new(&[2u32, 1], &Device::Cpu)?, Tensor::new(&[2i64, 1], &Device::Cpu)?] {
        assert_close(&log_probs(&logits, &tokens)?, &expected);
        // A constant added to all logits of a row changes nothing, even one that would overflow.
        assert_close(&log_probs(&(&logits + 8.)?, &tokens)?, &expected);
    }
    let large = Tensor::new(&[[1000f32, 0., -1000.]], &Device::Cpu)?;
    assert_close(&log_probs(&large, &Tensor::new(&[1u32], &Device::Cpu)?)?, &[-1000.]);
    // One row of logits without a batch, and a token that cannot be.
    let scalar = Tensor::new(0u32, &Device::Cpu)?;
    assert_close(&log_probs(&new(&[f32::NEG_INFINITY, 0.]), &scalar)?, &[f32::NEG_INFINITY]);
    Ok(())
}

#[test]
fn log_probs_have_a_gradient() -> Result<()> {
    let tokens = Tensor::new(&[[0u32, 3, 1], [2, 2, 0]], &Device::Cpu)?;
    assert_gradient(&numbers((2, 3, 4), 1), |x| log_probs(x, &tokens));
    assert_gradient(&numbers((2, 4, 3), 1), |x| log_probs(&x.transpose(1, 2)?, &tokens));
    assert_gradient(&numbers((2, 3, 4), 1), |x| logit_diff(x, &tokens, &tokens.t()?.contiguous()?.reshape((2, 3))?));
    Ok(())
}

#[test]
fn logit_differences() -> Result<()> {
    let logits = Tensor::new(&[[[1f32, 5., 2.], [7., 0., -1.]]], &Device::Cpu)?;
    let (correct, wrong) = (Tensor::new(&[[1u32, 2]], &Device::Cpu)?, Tensor::new(&[[2u32, 0]], &Device::Cpu)?);
    assert_eq!(logit_diff(&logits, &correct, &wrong)?.to_vec2::<f32>()?, [[3., -8.]]);
    // In bf16 the difference is rounded, not the way to it.
    let half = logits.to_dtype(DType::BF16)?;
    assert_eq!(values(&logit_diff(&half, &correct, &wrong)?), [3., -8.]);
    Ok(())
}

#[test]
fn tokens_that_are_none() -> Result<()> {
    let logits = logits()?;
    let device = &Device::Cpu;
    assert_fault(log_probs(&logits, &Tensor::new(&[0u32, 3], device)?), &["`log_probs`", "token 3", "vocabulary of 3"]);
    assert_fault(log_probs(&logits, &Tensor::new(&[0i64, -1], device)?), &["token -1"]);
    assert_fault(log_probs(&logits, &Tensor::new(&[u32::MAX, 0], device)?), &["token 4294967295"]);
    assert_fault(log_probs(&logits, &Tensor::new(&[0u32], device)?), &["[1]", "[2, 3]"]);
    assert_fault(log_probs(&logits, &Tensor::new(&[0f32, 1.], device)?), &["F32", "u32 or i64"]);
    let (good, bad) = (Tensor::new(&[0u32, 1], device)?, Tensor::new(&[0u32, 9], device)?);
    assert_fault(logit_diff(&logits, &good, &bad), &["`logit_diff`", "token 9"]);
    assert_fault(logit_diff(&logits, &bad, &good), &["`logit_diff`", "token 9"]);
    Ok(())
}
