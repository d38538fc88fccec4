//! Each layer against candle's own of the same weights, and its gradients in a plain forward.

use candle_core::{DType, Device, Var};
use candle_nn::{Init, VarMap};

use super::*;

fn numbers(shape: &[usize]) -> Tensor {
    let numbers = (0..shape.iter().product()).map(|i: usize| (i as f32 * 1.7 + 0.3).sin()).collect();
    Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
}

/// Weights that are not those of the beginning.
fn weights(vars: &VarMap) {
    for (at, (_, var)) in vars.data().lock().unwrap().iter().enumerate() {
        var.set(&(numbers(var.dims()).abs().unwrap() + (1 + at) as f64 * 0.1).unwrap()).unwrap();
    }
}

#[track_caller]
fn assert_alike(ours: &Tensor, candles: &Tensor) {
    assert_eq!(ours.dims(), candles.dims());
    let off = (ours - candles).unwrap().abs().unwrap().max_all().unwrap().to_scalar::<f32>().unwrap();
    assert!(off < 1e-5, "{off} off");
}

#[test]
fn compute_what_candles_do_with_the_same_names_of_weights() -> Result<()> {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let config = Conv2dConfig { groups: 2, padding: 1, stride: 2, ..Conv2dConfig::default() };
    let ours = (
        conv2d(4, 6, 3, config, vb.pp("conv"))?,
        conv2d_no_bias(4, 6, 3, config, vb.pp("bare"))?,
        batch_norm(4, 1e-3, vb.pp("batch"))?,
        layer_norm(5, 1e-3, vb.pp("layer"))?,
        rms_norm(5, 1e-3, vb.pp("rms"))?,
        linear(5, 6, vb.pp("linear"))?,
        linear_no_bias(5, 6, vb.pp("linear_bare"))?,
    );
    weights(&vars);
    let candles = (
        candle_nn::conv2d(4, 6, 3, config, vb.pp("conv"))?,
        candle_nn::conv2d_no_bias(4, 6, 3, config, vb.pp("bare"))?,
        candle_nn::batch_norm(4, 1e-3, vb.pp("batch"))?,
        candle_nn::layer_norm(5, 1e-3, vb.pp("layer"))?,
        candle_nn::rms_norm(5, 1e-3, vb.pp("rms"))?,
        candle_nn::linear(5, 6, vb.pp("linear"))?,
        candle_nn::linear_no_bias(5, 6, vb.pp("linear_bare"))?,
    );
    let x = numbers(&[2, 4, 7, 5]);
    assert_alike(&ours.0.forward(&x)?, &candles.0.forward(&x)?);
    assert_alike(&ours.1.forward(&x)?, &candles.1.forward(&x)?);
    // A batch norm keeps statistics of its own.
    assert_alike(&BatchNorm::from(candles.2.clone()).forward_t(&x, false)?, &candles.2.forward_t(&x, false)?);
    assert_alike(&BatchNorm::from(candles.2.clone()).forward_t(&x, true)?, &candles.2.forward_t(&x, true)?);
    assert_eq!(ours.2.running_mean().dims(), [4]);
    assert_alike(&ours.3.forward(&x)?, &candles.3.forward(&x)?);
    assert_alike(&ours.4.forward(&x)?, &candles.4.forward(&x)?);
    assert_alike(&ours.5.forward(&x)?, &candles.5.forward(&x)?);
    assert_alike(&ours.6.forward(&x)?, &candles.6.forward(&x)?);
    let turned = x.transpose(1, 2)?;
    assert_alike(&ours.3.forward(&turned)?, &candles.3.forward(&turned)?);
    assert_alike(&ours.4.forward(&turned)?, &candles.4.forward(&turned)?);

    let without_bias = candle_nn::LayerNorm::new_no_bias(vb.get_with_hints(5, "one", Init::Const(1.))?, 1e-3);
    assert_alike(&LayerNorm::from(without_bias.clone()).forward(&x)?, &without_bias.forward(&x)?);
    Ok(())
}

#[test]
fn have_gradients_in_a_plain_forward() -> Result<()> {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    let (layer, rms) = (layer_norm(5, 1e-3, vb.pp("layer"))?, rms_norm(5, 1e-3, vb.pp("rms"))?);
    let x = Var::from_tensor(&numbers(&[2, 5]))?;
    for y in [layer.forward(&x)?, rms.forward(&x)?] {
        assert!(y.sqr()?.backward()?.get(&x).is_some());
    }
    Ok(())
}
