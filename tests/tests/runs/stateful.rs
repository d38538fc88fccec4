//! In a model with effects beside its values nothing is left out; elsewhere what is replaced is.

use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{Module, ModuleT, Result, Tensor};
use candle_nn::{BatchNorm, Dropout, Linear, VarMap, linear};
use taper::{Model, forward};
use taper_tests::fixtures::{assert_error, assert_same, builder, input};

use crate::models::{Counted, calls};

macro_rules! pairs {
    ($($(#[$attr:meta])? $name:ident($($arg:ident: $ty:ty)?))+) => {$(
        #[derive(Model)]
        $(#[$attr])?
        pub struct $name {
            #[load(expr = Counted::load(vb.pp("a"))?)]
            first: Counted,
            #[load(expr = Counted::load(vb.pp("b"))?)]
            last: Counted,
        }

        #[forward]
        impl $name {
            pub fn forward(&self, x: &Tensor $(, $arg: $ty)?) -> Result<Tensor> {
                $(*$arg += 1;)?
                let x = self.first.forward(x)?;
                self.last.forward(&x)
            }
        }
    )+};
}

pairs! {
    #[model(stateful)] Stateful()
    Cached(cache: &mut usize)
    Plain()
}

/// A cache that may be absent.
#[derive(Model)]
pub struct Optional {
    #[load(expr = Counted::load(vb.pp("a"))?)]
    first: Counted,
    #[load(expr = Counted::load(vb.pp("b"))?)]
    last: Counted,
}

#[forward]
impl Optional {
    pub fn forward(&self, x: &Tensor, cache: Option<&mut Vec<Tensor>>) -> Result<Tensor> {
        let first = self.first.forward(x)?;
        let y = self.last.forward(&first)?;
        if let Some(cache) = cache {
            cache.push(first);
            cache.push(y.clone());
        }
        Ok(y)
    }
}

#[test]
fn a_cache_in_an_option_is_an_effect() -> Result<()> {
    let (model, x) = (Optional::load(builder(&VarMap::new()))?, input());
    let mut cache = Vec::new();
    model.capture(&x, Some(&mut cache), |t| t.first.output)?;
    assert_eq!(cache.len(), 2);
    let (_, made) = calls(|| model.run().replace(|t| t.first.output, &x).forward(&x, Some(&mut cache)));
    assert_eq!((made, cache.len()), (2, 4));
    Ok(())
}

#[test]
fn what_is_replaced_runs_where_there_are_effects_and_nowhere_else() -> Result<()> {
    let (vars, x) = (VarMap::new(), input());
    let (stateful, cached, plain) =
        (Stateful::load(builder(&vars))?, Cached::load(builder(&vars))?, Plain::load(builder(&vars))?);
    let known = (&x * 3.)?;
    let expected = plain.last.forward(&known)?;
    let (output, made) = calls(|| stateful.run().replace(|t| t.first.output, &known).forward(&x));
    assert_same(&output?, &expected);
    assert_eq!(made, 2);
    let mut cache = 0;
    let (output, made) = calls(|| cached.run().replace(|t| t.first.output, &known).forward(&x, &mut cache));
    assert_same(&output?, &expected);
    assert_eq!((made, cache), (2, 1));
    let (output, made) = calls(|| plain.run().replace(|t| t.first.output, &known).forward(&x));
    assert_same(&output?, &expected);
    assert_eq!(made, 1);
    // What is inside may be looked at, since it runs.
    let inner = stateful.run().replace(|t| t.first.output, &known).capture(&x, |t| t.first.inner)?;
    assert_same(&inner, &plain.capture(&x, |t| t.first.inner)?);
    assert_error(plain.run().replace(|t| t.first.output, &known).capture(&x, |t| t.first.inner), &["`first.inner`"]);
    // Nothing stops early.
    let (_, made) =
        calls(|| cached.run().edit(|t| t.first.output, |x| x * 2.).capture(&x, &mut cache, |t| t.first.output));
    assert_eq!((made, cache), (2, 2));
    let (_, made) = calls(|| stateful.run().edit(|t| t.first.output, |x| x * 2.).capture(&x, |t| t.first.output));
    assert_eq!(made, 2);
    let (g, made) = calls(|| stateful.run().loss(|t| t.first.output, |y| y.sum_all()).gradients(&x, |t| t.first.inner));
    assert_same(&g?.gradients, &x.ones_like()?);
    assert_eq!(made, 2);
    Ok(())
}

#[derive(Model)]
pub struct Trained {
    #[load(linear(4, 4))]
    pub lin: Linear,
    #[load(candle_nn::batch_norm(4, 1e-5))]
    pub norm: BatchNorm,
    #[load(value = Dropout::new(0.5))]
    pub drop: Dropout,
}

#[forward]
impl Trained {
    pub fn forward(&self, x: &Tensor, norm: bool, drop: bool) -> Result<Tensor> {
        let x = self.lin.forward(x)?;
        let x = self.norm.forward_t(&x, norm)?;
        self.drop.forward_t(&x, drop)
    }
}

#[test]
fn a_run_in_training_cannot_be_recorded() -> Result<()> {
    let (model, x) = (Trained::load(builder(&VarMap::new()))?, input());
    assert_error(model.run().record(&x, true, false), &["`norm` (BatchNorm)", "can't be recorded", "evaluation"]);
    assert_error(model.run().record(&x, false, true), &["`drop` (Dropout)", "can't be recorded", "evaluation"]);
    let recording = model.run().record(&x, false, false)?;
    let evaluated = model.forward(&x, false, false)?;
    assert_same(&recording.replay().forward(&x, false, false)?, &evaluated);
    assert_error(recording.replay().edit(|t| t.lin, |x| x * 2.).forward(&x, true, false), &["`norm`"]);
    // A changed run in training goes to its end, so that the statistics are whole.
    model.run().edit(|t| t.lin, |x| x * 2.).forward(&x, true, true)?;
    Ok(())
}

/// Counts in itself: what a model may only do if it says so.
#[derive(Default)]
pub struct Ticks(AtomicUsize);

impl Module for Ticks {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ok(x.clone())
    }
}

#[derive(Model, Default)]
#[model(stateful)]
pub struct Inner {
    #[model(leaf)]
    pub ticks: Ticks,
}

#[forward]
impl Inner {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = self.ticks.forward(x)?;
        y * 2.
    }
}

/// A model around one with effects has them too.
#[derive(Model, Default)]
pub struct Around {
    pub inner: Inner,
}

#[forward]
impl Around {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.inner.forward(x)? + 1.
    }
}

#[test]
fn effects_of_a_submodule_are_the_whole_model_s() -> Result<()> {
    let (model, x) = (Around::default(), input());
    let output = model.run().replace(|t| t.inner.output, &x).forward(&x)?;
    assert_same(&output, &(&x + 1.)?);
    model.run().replace(|t| t.inner.ticks, &x).forward(&x)?;
    model.run().edit(|t| t.output, |x| x * 2.).capture(&x, |t| t.inner.ticks)?;
    assert_eq!(model.inner.ticks.0.load(Ordering::Relaxed), 3);
    Ok(())
}
