//! Errors of a run name the place.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module, VarMap, linear};
use taper::{Model, forward};
use taper_tests::fixtures::{assert_error, builder, input};

use crate::models::net;

/// Fails where it is told to.
#[derive(Model)]
pub struct Inner {
    #[load(linear(4, 4))]
    pub lin: Linear,
    #[load(linear(3, 4))]
    pub misfit: Linear,
}

#[forward]
impl Inner {
    pub fn forward(&self, x: &Tensor, fault: &str) -> Result<Tensor> {
        if fault == "leaf" {
            return self.misfit.forward(x);
        }
        #[tap]
        let act = self.lin.forward(x)?.relu()?;
        if fault == "body" {
            return act.reshape((5, 5));
        }
        Ok(act)
    }
}

#[derive(Model)]
pub struct Outer {
    #[load(each(2))]
    pub blocks: Vec<Inner>,
    #[load(linear(4, 4))]
    pub head: Linear,
}

#[forward]
impl Outer {
    pub fn forward(&self, x: &Tensor, fault: &str, survived: bool) -> Result<Tensor> {
        let x = self.blocks[0].forward(x, "")?;
        let x = match self.blocks[1].forward(&x, fault) {
            Err(error) if !survived => return Err(error),
            Err(_) => x,
            Ok(x) => x,
        };
        let x = self.head.forward(&x)?;
        if survived { x.reshape((7, 7)) } else { Ok(x) }
    }
}

fn outer() -> Outer {
    Outer::load(builder(&VarMap::new())).unwrap()
}

/// The error of every kind of run.
fn errors(model: &Outer, fault: &str, survived: bool) -> Vec<String> {
    let x = input();
    let run = model.run().edit(|t| t.blocks.at(0).act, |x| x * 2.);
    let errors = [
        model.forward_with_taps(&x, fault, survived).map(|_| ()),
        model.capture(&x, fault, survived, |t| t.output).map(|_| ()),
        run.forward(&x, fault, survived).map(|_| ()),
        run.forward_with_taps(&x, fault, survived).map(|_| ()),
        run.capture(&x, fault, survived, |t| t.output).map(|_| ()),
        run.record(&x, fault, survived).map(|_| ()),
        model
            .run()
            .loss(|t| t.output, |y| y.sum_all())
            .gradients(&x, fault, survived, |t| t.blocks.at(0).act)
            .map(|_| ()),
    ];
    errors.into_iter().map(|error| error.unwrap_err().to_string()).collect()
}

#[test]
fn a_layer_is_named_with_what_it_is_and_what_it_got() {
    for error in errors(&outer(), "leaf", false) {
        assert!(error.starts_with("in `blocks.1.misfit` (Linear 3→4) on [2, 4]: shape mismatch in matmul"), "{error}");
    }
    let (model, wrong) = (net(), Tensor::zeros((1, 2, 9), candle_core::DType::F32, &candle_core::Device::Cpu).unwrap());
    assert_error(model.capture(&wrong, |t| t.output), &["in `embed.inner` (Linear 4→4) on [1, 2, 9]: shape mismatch"]);
}

#[test]
fn a_model_s_own_code_is_named_by_the_last_tap_before() {
    for error in errors(&outer(), "body", false) {
        assert!(error.starts_with("in `blocks.1` (Inner), after `blocks.1.act`: "), "{error}");
    }
}

#[test]
fn an_error_that_was_survived_names_no_later_one() {
    for fault in ["leaf", "body", ""] {
        for error in errors(&outer(), fault, true) {
            assert!(error.starts_with("in Outer, after `head`: "), "{fault}: {error}");
        }
    }
}

/// Survives the error of a layer, and fails by itself at once.
#[derive(Model)]
pub struct AtOnce {
    #[load(linear(3, 4))]
    pub misfit: Linear,
}

#[forward]
impl AtOnce {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let kept = self.misfit.forward(x).ok();
        if kept.is_none() { x.reshape((7, 7)) } else { Ok(x.clone()) }
    }
}

#[test]
fn an_error_right_after_one_that_was_survived_is_not_the_layer_s() {
    let error = AtOnce::load(builder(&VarMap::new())).unwrap().forward_with_taps(&input()).unwrap_err().to_string();
    assert!(error.starts_with("in AtOnce, ") && error.contains("[7, 7]"), "{error}");
    assert!(!error.contains("misfit"), "{error}");
}

/// An error type that is not candle's.
#[derive(Model)]
pub struct Foreign {
    #[load(linear(4, 4))]
    pub lin: Linear,
    #[load(linear(3, 4))]
    pub misfit: Linear,
}

#[forward]
impl Foreign {
    pub fn forward(&self, x: &Tensor, own: bool) -> anyhow::Result<Tensor> {
        let x = self.lin.forward(x)?;
        anyhow::ensure!(!own, "my own");
        Ok(self.misfit.forward(&x)?)
    }
}

#[test]
fn errors_of_other_types_pass_through() {
    let model = Foreign::load(builder(&VarMap::new())).unwrap();
    let run = model.run().edit(|t| t.lin, |x| x * 2.);
    let layer = "in `misfit` (Linear 3→4) on [2, 4]: shape mismatch in matmul";
    for (own, text) in [(true, "my own"), (false, layer)] {
        for error in [
            model.forward_with_taps(&input(), own).map(|_| ()).unwrap_err(),
            model.capture(&input(), own, |t| t.output).map(|_| ()).unwrap_err(),
            run.forward(&input(), own).map(|_| ()).unwrap_err(),
        ] {
            assert!(error.to_string().starts_with(text), "{error}");
        }
    }
    assert_error(run.edit(|t| t.lin, |x| x.narrow(0, 0, 1)).forward(&input(), false), &["`lin`", "[1, 4]", "[2, 4]"]);
}
