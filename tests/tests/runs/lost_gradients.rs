//! What has no gradient, or loses it on the way, is an error that says so.

use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::{Linear, VarBuilder, VarMap, linear};
use taper::{Model, forward};
use taper_tests::fixtures::{assert_error, assert_same, input};

use crate::models::net;

fn loss(y: &Tensor) -> Result<Tensor> {
    y.sqr()?.sum_all()
}

#[test]
fn what_has_no_gradient_is_an_error() -> Result<()> {
    let (model, ids) = (net(), input());
    let sum = |y: &Tensor| y.sum_all();
    // A loss that is off the graph.
    let run = model.run().loss(|t| t.output, |y| y.detach().sum_all());
    assert_error(run.gradients(&ids, |t| t.blocks[1].mid), &["does not depend on `blocks.1.mid`"]);
    // A loss of something before.
    let run = model.run().loss(|t| (t.embed.output, t.output), |(e, _)| e.sum_all());
    assert_error(run.gradients(&ids, |t| t.blocks[1].mid), &["does not depend on `blocks.1.mid`"]);
    // Not one number, and of nothing.
    assert_error(
        model.run().loss(|t| t.output, |y| y.sum(1)).gradients(&ids, |t| t.blocks[1].mid),
        &["one number", "[2]"],
    );
    assert_error(
        model.run().loss(|_| (), |_| Tensor::zeros((), DType::F32, &Device::Cpu)).gradients(&ids, |t| t.head.output),
        &["nothing"],
    );
    // Of whole numbers.
    let run = Ranks::load(taper_tests::fixtures::builder(&VarMap::new()))?;
    assert_error(run.run().loss(|t| t.output, sum).gradients(&ids, |t| t.best), &["`best`", "U32"]);
    assert_error(run.run().loss(|t| t.output, sum).gradients(&ids, |t| t.width), &["`width`", "tensors"]);
    Ok(())
}

#[derive(Model)]
pub struct Ranks {
    #[load(linear(4, 4))]
    pub lin: Linear,
}

#[forward]
impl Ranks {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        #[tap]
        let best = x.argmax(1)?;
        #[tap]
        let width: usize = best.dim(0)?;
        self.lin.forward(&(x * width as f64)?)
    }
}

/// Detaches what it gets.
pub struct Detaching;

impl Module for Detaching {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.detach() * 2.
    }
}

#[derive(Model)]
pub struct Losing {
    #[load(linear(4, 4))]
    pub first: Linear,
    #[load(value = Box::new(Detaching))]
    pub own: Box<dyn Module>,
    #[load(linear(4, 4))]
    pub last: Linear,
}

#[forward]
impl Losing {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.first.forward(x)?;
        let x = self.own.forward(&x)?;
        self.last.forward(&x)
    }
}

macro_rules! with_softmax {
    ($name:ident, $tap:meta) => {
        #[derive(Model)]
        pub struct $name {
            #[load(linear(4, 4))]
            pub lin: Linear,
        }

        #[forward]
        impl $name {
            pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
                let h = self.lin.forward(x)?;
                #[$tap]
                let pattern = candle_nn::ops::softmax_last_dim(&h)?;
                h * pattern
            }
        }
    };
}
with_softmax!(Softmax, tap);
with_softmax!(OnPurpose, tap(detached));

#[test]
fn what_loses_the_gradient_is_named() -> Result<()> {
    let x = input();
    let vars = VarMap::new();
    let frozen = |vars: &VarMap| {
        let data = vars.data().lock().unwrap();
        let tensors = data.iter().map(|(k, v)| (k.clone(), v.as_detached_tensor())).collect();
        VarBuilder::from_tensors(tensors, DType::F32, &Device::Cpu)
    };
    Losing::load(taper_tests::fixtures::builder(&vars))?;
    let model = Losing::load(frozen(&vars))?;
    let run = model.run().loss(|t| t.output, loss);
    assert_error(run.gradients(&x, |t| t.first), &["`own`", "drops the gradient"]);
    run.gradients(&x, |t| t.own)?;
    Softmax::load(taper_tests::fixtures::builder(&vars))?;
    let model = Softmax::load(frozen(&vars))?;
    assert_error(
        model.run().loss(|t| t.output, loss).gradients(&x, |t| t.lin),
        &["`pattern`", "lost its gradient", "tap(detached)"],
    );
    let model = OnPurpose::load(frozen(&vars))?;
    let g = model.run().loss(|t| t.output, |y| y.sum_all()).gradients(&x, |t| (t.lin, t.pattern))?;
    assert_same(&g.gradients.0, &g.values.1);
    assert_same(&g.gradients.1, &g.values.0);
    Ok(())
}
