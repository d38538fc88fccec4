//! `taper::check` on sound models, and on models that are wrong in each way that it knows.

use candle_core::{Device, Result, Tensor};
use candle_nn::Linear;
use candle_nn::kv_cache::KvCache;
use taper::check::Verdict;
use taper::{Check, Model, forward};
use taper_tests::fixtures::input;

use crate::models::{Counted, net};

fn linear(seed: f32) -> Linear {
    let weights: Vec<f32> = (0..16).map(|i| ((i as f32 + seed) * 0.7).sin() * 0.5).collect();
    Linear::new(Tensor::from_vec(weights, (4, 4), &Device::Cpu).unwrap(), None)
}

fn counted(seed: f32) -> Counted {
    Counted { inner: linear(seed) }
}

/// The report of a model that is not sound.
#[track_caller]
fn failures<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn a_sound_model_passes_every_check_of_every_tap() -> Result<()> {
    let report = taper::check(&net(), &(input() * 0.1)?)?;
    assert_eq!(report.findings().len(), net().sites().len());
    for finding in report.findings() {
        let verdicts = [&finding.kept, &finding.stop, &finding.back, &finding.effect, &finding.before, &finding.replay];
        assert!(verdicts.iter().all(|v| **v == Verdict::Holds), "{finding:?}");
    }
    assert!(report.findings().iter().filter(|f| f.gradient == Verdict::Holds).count() > 100, "{report}");
    Ok(())
}

#[derive(Model)]
struct Useless {
    first: Counted,
    last: Counted,
}

#[forward]
impl Useless {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.first.forward(x)?;
        #[tap]
        let _probe = h.relu()?;
        #[tap]
        let logits = self.last.forward(&h)?;
        #[tap]
        let shifted = logits.broadcast_sub(&logits.max_keepdim(1)?)?;
        taper::ops::softmax_last_dim(&shifted)
    }
}

#[test]
fn a_tap_without_effect_is_named() {
    let model = Useless { first: counted(1.), last: counted(2.) };
    let report = failures(taper::check(&model, &input()));
    assert!(report.contains("`_probe` has no effect"), "{report}");
    assert!(!report.contains("`shifted` has"), "noise, unlike a constant, passes a softmax: {report}");
    Check::of(&model).without_effect("_probe").run(&input()).unwrap();
    let unknown = failures(Check::of(&model).without_effect("prob").run(&input()));
    assert!(unknown.contains("`_probe`"), "{unknown}");
}

#[derive(Model)]
struct Fused {
    first: Counted,
}

#[forward]
impl Fused {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        #[tap]
        let h = self.first.forward(x)?;
        &h + candle_nn::ops::softmax_last_dim(&(&h * 2.)?)?
    }
}

#[test]
fn a_gradient_that_is_partly_lost_is_found_by_finite_differences() {
    let report = failures(taper::check(&Fused { first: counted(1.) }, &input()));
    assert!(report.contains("`h` has a gradient that is not that of the output"), "{report}");
}

#[derive(Model)]
struct Lost {
    first: Counted,
}

#[forward]
impl Lost {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.first.forward(x)?;
        #[tap]
        let pattern = candle_nn::ops::softmax_last_dim(&h)?;
        pattern * 2.
    }
}

#[test]
fn a_gradient_that_is_wholly_lost_is_named_and_can_be_left_out() {
    let model = Lost { first: counted(1.) };
    let report = failures(taper::check(&model, &input()));
    assert!(report.contains("`first.inner` has no gradient: `pattern` has lost its gradient"), "{report}");
    Check::of(&model).without_gradients().run(&input()).unwrap();
}

/// A cache of a fixed size, which is written in place.
struct Cache {
    rows: Tensor,
    len: usize,
}

impl Cache {
    fn new() -> Self {
        Cache { rows: Tensor::zeros((4, 4), candle_core::DType::F32, &Device::Cpu).unwrap(), len: 0 }
    }

    fn append(&mut self, row: &Tensor) -> Result<Tensor> {
        self.rows.slice_set(&row.contiguous()?, 0, self.len)?;
        self.len += row.dim(0)?;
        Ok(self.rows.clone())
    }
}

#[derive(Model)]
struct InPlace {
    key: Counted,
    out: Counted,
}

#[forward]
impl InPlace {
    fn forward(&self, x: &Tensor, cache: &mut Cache) -> Result<Tensor> {
        #[tap(detached)]
        let first = cache.append(&self.key.forward(x)?.detach())?;
        let half = self.out.forward(&first)?;
        #[tap(detached)]
        let second = cache.append(&x.detach())?;
        half + second
    }
}

#[test]
fn a_tensor_that_is_overwritten_later_is_found() {
    let model = InPlace { key: counted(1.), out: counted(2.) };
    let check = Check::of(&model).without_gradients();
    let x = input();
    let report = failures(check.run_with(&mut |call| call((&x, &mut Cache::new()))));
    assert!(report.contains("`first` is overwritten after it was captured"), "{report}");
    assert!(!report.contains("`second` is overwritten"), "{report}");
}

#[derive(Model)]
struct Cached {
    key: Counted,
}

#[forward]
impl Cached {
    fn forward(&self, x: &Tensor, cache: &mut KvCache) -> Result<Tensor> {
        let k = self.key.forward(x)?;
        #[tap(detached)]
        let keys = cache.append(&k.detach(), &k.detach())?.0;
        keys.sum(0)
    }
}

#[test]
fn a_model_with_a_cache_that_grows_passes() -> Result<()> {
    let model = Cached { key: counted(1.) };
    let x = input();
    let check = Check::of(&model).without_gradients();
    let report = check.run_with(&mut |call| call((&x, &mut KvCache::new(0, 8))))?;
    assert!(report.findings().iter().all(|f| f.replay == Verdict::Unknown), "nothing of it can be recorded: {report}");
    Ok(())
}

/// It pushes on the sly.
#[derive(Model)]
struct Secretive {
    key: Counted,
}

#[forward]
impl Secretive {
    fn forward(&self, x: &Tensor, seen: &std::sync::Mutex<Vec<Tensor>>) -> Result<Tensor> {
        let k = self.key.forward(x)?.tanh()?;
        seen.lock().unwrap().push(k.clone());
        Ok(k)
    }
}

#[derive(Model)]
struct Outer {
    inner: Secretive,
}

#[forward]
impl Outer {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let seen = std::sync::Mutex::default();
        let y = self.inner.forward(x, &seen)?;
        let seen = seen.into_inner().unwrap();
        seen.iter().try_fold(y, |y, seen| y + seen)
    }
}

#[test]
fn effects_that_nobody_declared_are_found_by_putting_values_back() {
    let report = failures(taper::check(&Outer { inner: Secretive { key: counted(1.) } }, &input()));
    assert!(report.contains("`inner.output` put in its own place changes the output"), "{report}");
}

#[derive(Model)]
struct Random {
    first: Counted,
}

#[forward]
impl Random {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.first.forward(x)? + x.rand_like(0., 1.)?
    }
}

#[test]
fn two_runs_that_differ_are_told() {
    let report = failures(taper::check(&Random { first: counted(1.) }, &input()));
    assert!(report.contains("two runs on the same inputs differ"), "{report}");
    assert!(report.contains("the output with taps is not the output without"), "{report}");
}

#[derive(Model)]
struct Branch {
    first: Counted,
    other: Counted,
}

#[forward]
impl Branch {
    fn forward(&self, x: &Tensor, extra: bool) -> Result<Tensor> {
        let mut h = self.first.forward(x)?;
        if extra {
            h = (&h + self.other.forward(&h)?)?;
        }
        for _ in 0..3 {
            h = (self.first.forward(&h)?.tanh()? + &h)?;
        }
        Ok(h)
    }
}

#[test]
fn a_change_that_was_not_reached_is_an_error_also_where_the_run_stops_early() -> Result<()> {
    let model = Branch { first: counted(1.), other: counted(2.) };
    let x = input();
    let run = model.run().edit(|t| t.other.map(|o| o.output), |v| v.zeros_like());
    for extra in [true, false] {
        let all = run.forward(&x, extra).map_err(|e| e.to_string());
        let output = run.capture(&x, extra, |t| t.output).map_err(|e| e.to_string());
        if extra {
            assert_eq!(all.unwrap().dims(), output.unwrap().dims());
            continue;
        }
        for error in [all.unwrap_err(), output.unwrap_err()] {
            assert!(error.contains("the change at `other.output` was not made: the run did not reach it"), "{error}");
        }
    }
    run.if_reached().capture(&x, false, |t| t.output)?;
    Ok(())
}

#[test]
fn branches_and_visits_are_checked_where_they_are_reached() -> Result<()> {
    let model = Branch { first: counted(1.), other: counted(2.) };
    let report = taper::check(&model, (&input(), false))?;
    let shown = report.to_string();
    assert!(shown.contains("`other.inner` was not reached by these inputs"), "{shown}");
    let visits = |name: &str| report.findings().iter().find(|f| f.name == name).unwrap().visits;
    assert_eq!((visits("first.output"), visits("other.output")), (4, 0));
    let report = taper::check(&model, (&input(), true))?;
    assert!(report.findings().iter().all(|f| f.effect == Verdict::Holds), "{report}");
    Ok(())
}
