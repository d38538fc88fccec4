//! `entropy` and `kl_divergence`.

use candle_core::{DType, Device, Result, Tensor, Var};
use taper::tensors::{entropy, kl_divergence};
use taper_tests::gradients::{assert_gradient, numbers};

use super::{assert_close, assert_fault, new, values};

const HIDDEN: f32 = f32::NEG_INFINITY;

#[test]
fn entropy_in_nats() -> Result<()> {
    let p = Tensor::new(&[[1f32, 0., 0., 0.], [0.25, 0.25, 0.25, 0.25], [0.5, 0.25, 0.25, 0.]], &Device::Cpu)?;
    // ½·ln 2 + 2·¼·ln 4 = 1.5·ln 2
    assert_close(&entropy(&p)?, &[0., 4f32.ln(), 1.5 * 2f32.ln()]);
    assert!(values(&entropy(&p)?)[0].is_sign_positive());
    assert_close(&entropy(&p.t()?.contiguous()?.t()?)?, &[0., 4f32.ln(), 1.5 * 2f32.ln()]);
    Ok(())
}

#[test]
fn entropy_has_a_finite_gradient() -> Result<()> {
    let p = ((numbers((2, 3, 4), 1) + 1.1)? / 2.2)?;
    assert_gradient(&p, entropy);
    let p = Var::new(&[1f32, 0.], &Device::Cpu)?;
    // −ln p − 1, and 0 where the probability is.
    assert_eq!(values(entropy(&p)?.backward()?.get(&p).unwrap()), [-1., 0.]);
    Ok(())
}

#[test]
fn entropy_is_of_probabilities() -> Result<()> {
    assert_fault(entropy(&new(&[0.5, -0.5])), &["`entropy` of -0.5", "softmax"]);
    assert_fault(entropy(&new(&[3., 0.])), &["`entropy` of 3"]);
    assert_fault(entropy(&new(&[f32::NAN, 0.])), &["`entropy` of NaN"]);
    assert_fault(entropy(&Tensor::new(1f32, &Device::Cpu)?), &["last dimension"]);
    Ok(())
}

#[test]
fn divergence_of_known_distributions() -> Result<()> {
    // p = (⅛, ¼, ⅝), q = (½, ¼, ¼).
    let p = Tensor::new(&[[1f32, 2., 5.]], &Device::Cpu)?.log()?;
    let q = Tensor::new(&[[4f32, 2., 2.]], &Device::Cpu)?.log()?;
    let forward = 0.125 * 0.25f32.ln() + 0.625 * 2.5f32.ln();
    let backward = 0.5 * 4f32.ln() + 0.25 * 0.4f32.ln();
    assert_close(&kl_divergence(&p, &q)?, &[forward]);
    assert_close(&kl_divergence(&q, &p)?, &[backward]);
    assert_close(&kl_divergence(&(&p + 100.)?, &(&q - 100.)?)?.round_to(5)?, &[(forward * 1e5).round() / 1e5]);
    assert_eq!(values(&kl_divergence(&p, &p)?), [0.]);
    Ok(())
}

#[test]
fn divergence_where_something_cannot_be() -> Result<()> {
    let p = Tensor::new(&[[0f32, 0., HIDDEN], [0., 0., HIDDEN], [0., 0., 0.]], &Device::Cpu)?;
    let q = Tensor::new(&[[0f32, 0., HIDDEN], [0., 0., 0.], [0., 0., HIDDEN]], &Device::Cpu)?;
    assert_close(&kl_divergence(&p, &q)?, &[0., 1.5f32.ln(), f32::INFINITY]);
    let (var, other) = (Var::from_tensor(&p.narrow(0, 0, 2)?)?, q.narrow(0, 0, 2)?);
    let gradients = kl_divergence(&var, &other)?.sum_all()?.backward()?;
    assert_close(gradients.get(&var).unwrap(), &[0.; 6]);
    let var = Var::from_tensor(&other)?;
    let gradients = kl_divergence(&p.narrow(0, 0, 2)?, &var)?.sum_all()?.backward()?;
    // q − p
    let third = 1. / 3.;
    assert_close(gradients.get(&var).unwrap(), &[0., 0., 0., third - 0.5, third - 0.5, third]);
    Ok(())
}

#[test]
fn divergence_has_gradients_and_limits() -> Result<()> {
    let (p, q) = (numbers((2, 3, 4), 1), numbers((2, 3, 4), 2));
    assert_gradient(&p, |p| kl_divergence(p, &q));
    assert_gradient(&q, |q| kl_divergence(&p, q));
    assert_fault(kl_divergence(&p, &numbers(4, 1)), &["[2, 3, 4]", "[4]", "broadcast_as"]);
    assert_fault(kl_divergence(&p, &q.to_dtype(DType::F32)?), &["F64", "F32"]);
    // 1000 places of bf16: the sum is not made in bf16.
    let flat = Tensor::zeros(1000, DType::BF16, &Device::Cpu)?;
    let one = Tensor::cat(&[new(&[10.]), Tensor::zeros(999, DType::F32, &Device::Cpu)?], 0)?;
    let exact = values(&kl_divergence(&flat.to_dtype(DType::F64)?, &one.to_dtype(DType::F64)?)?)[0];
    let rounded = values(&kl_divergence(&flat, &one.to_dtype(DType::BF16)?)?)[0];
    assert!((exact - rounded).abs() <= exact / 256., "{exact} {rounded}");
    Ok(())
}
