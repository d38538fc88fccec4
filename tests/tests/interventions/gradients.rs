//! They stay on the graph: gradients against finite differences, for the value and for every operand.

use candle_core::{DType, Device, Result, Tensor, Var};
use taper::interventions::*;
use taper_tests::gradients::{assert_gradient, numbers};

fn x() -> Tensor {
    numbers((2, 3, 4), 1)
}

#[test]
fn of_whole_values() {
    let v = numbers(4, 2);
    assert_gradient(&x(), zero());
    assert_gradient(&x(), scale(0.));
    assert_gradient(&x(), scale(-1.5));
    assert_gradient(&x(), mean((0, 1)));
    assert_gradient(&x(), add(2., &v));
    assert_gradient(&x(), clamp(-0.5, 0.5));
    assert_gradient(&x(), noise(0.1, 3));
    assert_gradient(&x(), project_out(&v));
    assert_gradient(&x(), project_onto(&v));
    assert_gradient(&x(), resample(1, [2, 0, 0]));
    assert_gradient(&x(), shuffle(2, 5));
}

#[test]
fn of_slices() {
    for dim in 0..3 {
        assert_gradient(&x(), at(dim, 1, scale(3.)));
        assert_gradient(&x(), at(dim, [1, 0], scale(3.)));
        assert_gradient(&x(), at(dim, 1.., |x: &Tensor| x.sqr()));
        assert_gradient(&x(), at(dim, -1, zero()));
    }
    assert_gradient(&x(), at(0, 1, at(1, [2, 0], at(2, ..2, |x: &Tensor| x.exp()))));
}

#[test]
fn of_values_in_another_order() {
    let v = numbers(2, 2);
    assert_gradient(&x(), |x| add(2., &v)(&x.transpose(0, 2)?));
    assert_gradient(&x(), |x| at(1, [2, 0], scale(3.))(&x.transpose(0, 2)?));
    assert_gradient(&x(), |x| at(2, 1, scale(3.))(&x.narrow(2, 1, 2)?));
    assert_gradient(&x(), |x| project_out(&v)(&x.narrow(2, 1, 2)?));
}

#[test]
fn of_operands() {
    let v = numbers(4, 2);
    assert_gradient(&v, |v| add(2., v)(&x()));
    assert_gradient(&v, |v| at(1, 1, add(2., v))(&x()));
    assert_gradient(&v, |v| replace(v)(&x()));
    assert_gradient(&v, |v| project_out(v)(&x()));
    assert_gradient(&v, |v| at(0, 1, project_onto(v))(&x()));
    assert_gradient(&v, |v| interpolate(0.3)(&x(), v));
    assert_gradient(&v, |v| patch(1, [2, 0])(&x(), v));
    let other = numbers((2, 3, 4), 7);
    assert_gradient(&x(), |x| interpolate(0.3)(x, &other));
    assert_gradient(&x(), |x| patch(1, [2, 0])(x, &other));
    assert_gradient(&other, |other| at_with(2, 1..3, |x, v| x * v)(&x(), other));
}

/// 0 · ∞ in a gradient would be NaN.
#[test]
fn is_finite_though_the_value_is_not() -> Result<()> {
    let x = Var::new(&[[f32::INFINITY, 1.], [f32::NEG_INFINITY, 2.]], &Device::Cpu)?;
    let gradient = |y: Tensor| y.sum_all()?.backward()?.get(&x).unwrap().flatten_all()?.to_vec1::<f32>();
    assert_eq!(gradient(zero()(&x)?)?, [0.; 4]);
    assert_eq!(gradient(at(1, 0, zero())(&x)?)?, [0., 1., 0., 1.]);
    assert_eq!(gradient(clamp(-5., 5.)(&x)?)?, [0., 1., 0., 1.]);
    Ok(())
}

#[test]
fn of_clamp_is_1_at_the_bounds() -> Result<()> {
    let x = Var::new(&[-2f32, -1., 0., 1., 2.], &Device::Cpu)?;
    let gradient = clamp(-1., 1.)(&x)?.sum_all()?.backward()?;
    assert_eq!(gradient.get(&x).unwrap().to_vec1::<f32>()?, [0., 1., 1., 1., 0.]);
    Ok(())
}

#[test]
fn reaches_a_variable_of_half_precision() -> Result<()> {
    let v = Var::from_tensor(&Tensor::ones(4, DType::BF16, &Device::Cpu)?)?;
    let x = Tensor::zeros((3, 4), DType::BF16, &Device::Cpu)?;
    let gradients = at(0, 1.., add(2., &v))(&x)?.sum_all()?.backward()?;
    let gradient = gradients.get(&v).unwrap();
    assert_eq!((gradient.dtype(), super::values(gradient)), (DType::BF16, vec![4.; 4]));

    // A sum of 4096 ones stops at 256 in bf16.
    let x = Tensor::zeros((4096, 4), DType::BF16, &Device::Cpu)?;
    for y in [replace(&v)(&x)?, add(1., &v)(&x)?, patch(0, ..)(&x, &v)?, interpolate(1.)(&x, &v)?] {
        let gradients = y.sum_all()?.backward()?;
        assert_eq!(super::values(gradients.get(&v).unwrap()), [4096.; 4]);
    }
    let x = Var::from_tensor(&x)?;
    let gradients = mean(0)(&x)?.sum_all()?.backward()?;
    assert_eq!(super::values(gradients.get(&x).unwrap())[..4], [1.; 4]);
    Ok(())
}
