//! What may be done with a submodule without a tap.

use candle_core::{Result, Tensor};
use candle_nn::{BatchNormConfig, Linear, Module, VarBuilder, VarMap, linear};
use taper::{Model, forward};
use taper_tests::fixtures::{assert_same, builder, input};

model! {
    struct OptsOut { #[load(linear(4, 4))] a: Linear, #[load(linear(4, 4))] #[model(untapped)] hidden: Linear, #[load(each(2, |_i| linear(4, 4)))] list: Vec<Linear>, #[load(value = BatchNormConfig::default())] config: BatchNormConfig }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        #[untapped]
        let norms: Vec<f32> = self.list.iter().map(|l| l.weight().sqr()?.sum_all()?.to_scalar()).collect::<Result<_>>()?;
        let mut x = helper(&self.hidden, &self.a.forward(x)?)?;
        assert_eq!((self.list.len(), self.list.is_empty(), norms.len()), (2, false, 2));
        for layer in &self.list {
            x = (layer.forward(&x)? + self.config.eps)?;
        }
        let rows = self.a.weight().dim(0)?;
        x * rows as f64
    }
}

fn helper(layer: &Linear, x: &Tensor) -> Result<Tensor> {
    layer.forward(x)
}

#[test]
fn leaves_methods_and_opted_out_mentions_stand() -> Result<()> {
    let m = OptsOut::load(builder(&VarMap::new()))?;
    let names: Vec<String> = m.sites().iter().map(|n| n.name().to_owned()).collect();
    assert_eq!(names, ["a", "list.0", "list.1", "output"]);
    let (y, _) = m.forward_with_taps(&input())?;
    assert_same(&y, &m.forward(&input())?);
    Ok(())
}
