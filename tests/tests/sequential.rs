//! Chains without a `forward` of their own.

use candle_core::{DType, Device, Module, ModuleT, Result, Tensor};
use candle_nn::{
    Activation, BatchNorm, Conv2d, Conv2dConfig, Dropout, Linear, VarBuilder, VarMap, batch_norm, conv2d, linear,
};
use taper::Model;

#[derive(Model)]
#[model(sequential)]
pub struct LeNet {
    /// Edges.
    #[load(conv2d(1, 6, 5, Conv2dConfig::default()))]
    #[then(act1 = Tensor::relu, pool1 = |x| x.max_pool2d(2))]
    pub conv1: Conv2d,
    #[load(conv2d(6, 16, 5, Conv2dConfig::default()))]
    #[then(act2 = Tensor::relu, pool2 = |x| x.max_pool2d(2), flat = |x| x.flatten_from(1))]
    pub conv2: Conv2d,
    #[load(linear(256, 120))]
    #[then(act3 = Tensor::relu)]
    pub fc1: Linear,
    #[load(linear(120, 10))]
    pub fc2: Linear,
}

fn builder() -> VarBuilder<'static> {
    VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu)
}

fn same(a: &Tensor, b: &Tensor) -> bool {
    let values = |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    a.dims() == b.dims() && values(a) == values(b)
}

#[test]
fn steps_are_taps_and_the_order_is_that_of_the_fields() -> Result<()> {
    let net = LeNet::load(builder())?;
    let names: Vec<String> = net.sites().iter().map(|n| n.name().to_owned()).collect();
    let expected =
        ["input", "conv1", "act1", "pool1", "conv2", "act2", "pool2", "flat", "fc1", "act3", "fc2", "output"];
    assert_eq!(names, expected);
    let x = Tensor::randn(0f32, 1., (2, 1, 28, 28), &Device::Cpu)?;
    let (y, taps) = net.forward_with_taps(&x)?;
    let by_hand = net.conv2.forward(&net.conv1.forward(&x)?.relu()?.max_pool2d(2)?)?.relu()?.max_pool2d(2)?;
    assert!(same(&taps.pool2, &by_hand) && same(&taps.input, &x));
    let by_hand = net.fc2.forward(&net.fc1.forward(&by_hand.flatten_from(1)?)?.relu()?)?;
    assert!(same(&y, &by_hand) && same(&Module::forward(&net, &x)?, &y));
    assert!(same(&net.capture(&x, |t| t.pool1)?, &taps.pool1));
    Ok(())
}

#[derive(Model)]
#[model(sequential(train))]
pub struct Trained {
    #[load(linear(4, 8))]
    pub up: Linear,
    #[load(batch_norm(8, 1e-5))]
    pub norm: BatchNorm,
    #[load(expr = Activation::Gelu)]
    pub act: Activation,
    #[load(expr = Dropout::new(0.5))]
    #[then(kept = |x| x.clone().contiguous())]
    pub drop: Dropout,
}

#[derive(Model)]
#[model(sequential(train))]
pub struct Nested {
    pub first: Trained,
    #[load(each(2, |_i| linear(8, 8)))]
    pub list: Vec<Linear>,
    #[load(maybe(false, linear(8, 8)))]
    pub absent: Option<Linear>,
    #[load(maybe(true, linear(8, 3)))]
    pub last: Option<Linear>,
}

#[test]
fn chains_with_train_nest() -> Result<()> {
    let net = Nested::load(builder())?;
    let x = Tensor::randn(0f32, 1., (5, 4), &Device::Cpu)?;
    let (y, taps) = net.forward_with_taps(&x, false)?;
    assert!(same(&taps.first.kept, &taps.first.act) && same(&net.forward(&x, false)?, &y));
    assert!(same(&net.first.forward_t(&x, false)?, &taps.first.output));
    assert!(taps.absent.is_none() && same(taps.last.as_ref().unwrap(), &y));
    assert!(same(&taps.list[1], &net.list[1].forward(&taps.list[0])?));
    let (dropped, _) = net.forward_with_taps(&x, true)?;
    assert!(!same(&dropped, &y));
    Ok(())
}

mod generic {
    use super::*;
    use taper::Layer;

    #[derive(Model)]
    #[model(sequential)]
    pub struct Twice<M: Layer> {
        pub inner: M,
        #[load(linear(10, 10))]
        pub out: Linear,
    }

    #[test]
    fn a_chain_may_be_generic() -> Result<()> {
        let net = Twice::<LeNet>::load(builder())?;
        let x = Tensor::randn(0f32, 1., (1, 1, 28, 28), &Device::Cpu)?;
        let (act1, out) = net.capture(&x, |t| (t.inner.act1, t.out))?;
        assert_eq!(act1.dims(), [1, 6, 24, 24]);
        assert!(same(&out, &net.forward(&x)?));
        Ok(())
    }
}
