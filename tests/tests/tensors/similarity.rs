//! `cosine_similarity`.

use candle_core::{D, DType, Device, Result, Tensor, Var};
use taper::tensors::cosine_similarity;
use taper_tests::gradients::{assert_gradient, numbers};

use super::{assert_close, assert_fault, new, values};

#[test]
fn is_the_cosine() -> Result<()> {
    let a = Tensor::new(&[[3f32, 4.], [1., 1.], [-2., 0.]], &Device::Cpu)?;
    let b = Tensor::new(&[[4f32, 3.], [-1., 1.], [5., 0.]], &Device::Cpu)?;
    assert_close(&cosine_similarity(&a, &b, D::Minus1)?, &[0.96, 0., -1.]);
    assert_close(&cosine_similarity(&a.t()?, &b.t()?, 0)?, &[0.96, 0., -1.]);
    // Every row of one to every row of the other.
    let all = cosine_similarity(&a.unsqueeze(1)?, &b.unsqueeze(0)?, 2)?;
    assert_eq!(all.dims(), [3, 3]);
    assert_close(&all.get(2)?, &[-0.8, 0.5f32.sqrt(), -1.]);
    // A dimension that only one of the two has.
    assert_close(&cosine_similarity(&new(&[3., 4.]), &b, 1)?, &[0.96, 0.02f32.sqrt(), 0.6]);
    let half = |x: &Tensor| x.to_dtype(DType::F16);
    assert_eq!(values(&cosine_similarity(&(half(&a)? * 1000.)?, &half(&b)?, 1)?)[2], -1.);
    Ok(())
}

#[test]
fn to_nothing_is_0_with_a_finite_gradient() -> Result<()> {
    let a = Var::new(&[0f32, 0.], &Device::Cpu)?;
    let similarity = cosine_similarity(&a, &new(&[3., 4.]), 0)?;
    assert_eq!(values(&similarity), [0.]);
    // PyTorch's: b / (|b| · 1e-8).
    assert_close(similarity.backward()?.get(&a).unwrap(), &[0.6e8, 0.8e8]);
    Ok(())
}

#[test]
fn has_gradients_and_limits() -> Result<()> {
    let (a, b) = (numbers((2, 3, 4), 1), numbers((2, 3, 4), 2));
    for dim in 0..3 {
        assert_gradient(&a, |a| cosine_similarity(a, &b, dim));
    }
    assert_gradient(&numbers(4, 3), |b| cosine_similarity(&a, b, 2));
    assert_fault(cosine_similarity(&a, &b.to_dtype(DType::F32)?, 0), &["F64", "F32", "to_dtype"]);
    assert_fault(cosine_similarity(&a, &b, 3), &["cosine_similarity", "3"]);
    assert_fault(cosine_similarity(&a, &numbers(3, 1), 0), &["cosine_similarity", "[3]"]);
    Ok(())
}
