//! A capture runs what it needs and no more.

use candle_core::{Module, Result, Tensor};
use taper::{Model, forward};

use super::{Count, assert_error, assert_same, first, zero};

#[derive(Model, Default)]
pub struct Chain {
    #[model(leaf)]
    pub a: Count,
    #[model(leaf)]
    pub b: Count,
    #[model(leaf)]
    pub c: Count,
}

#[forward]
impl Chain {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.a.forward(x)?;
        #[tap]
        let middle = self.b.forward(&x)?;
        self.c.forward(&middle)
    }
}

impl Chain {
    fn calls(&self) -> [usize; 3] {
        [&self.a, &self.b, &self.c].map(Count::calls)
    }
}

#[test]
fn a_plain_site_ends_the_run() -> Result<()> {
    fn calls<S: taper::Selection>(select: impl FnOnce(ChainSites) -> S) -> Result<[usize; 3]> {
        let chain = Chain::default();
        chain.capture(&zero(), select)?;
        Ok(chain.calls())
    }
    assert_eq!(calls(|t| t.a)?, [1, 0, 0]);
    assert_eq!(calls(|t| t.b)?, [1, 1, 0]);
    assert_eq!(calls(|t| t.middle)?, [1, 1, 0]);
    assert_eq!(calls(|t| (t.middle, t.a))?, [1, 1, 0]);
    assert_eq!(calls(|t| t.a.map(|a| a.sum_all()))?, [1, 0, 0]);
    assert_eq!(calls(|t| t.output)?, [1, 1, 1]);
    assert_eq!(calls(|_| ())?, [0, 0, 0], "nothing is wanted");
    assert_eq!(calls(|t| vec![t.a; 0])?, [0, 0, 0], "nothing is wanted");
    Ok(())
}

/// A branch and a loop between two layers.
#[derive(Model, Default)]
pub struct Inner {
    #[model(leaf)]
    pub before: Count,
    #[model(leaf)]
    pub gate: Count,
    #[model(leaf)]
    pub shared: Count,
    #[model(leaf)]
    pub after: Count,
}

#[forward]
impl Inner {
    pub fn forward(&self, x: &Tensor, gated: bool) -> Result<Tensor> {
        let mut x = self.before.forward(x)?;
        if gated {
            x = self.gate.forward(&x)?;
        }
        for _ in 0..3 {
            x = self.shared.forward(&x)?;
        }
        self.after.forward(&x)
    }
}

impl Inner {
    fn calls(&self) -> [usize; 4] {
        [&self.before, &self.gate, &self.shared, &self.after].map(Count::calls)
    }
}

#[derive(Model, Default)]
pub struct Outer {
    pub inner: Inner,
    #[model(leaf)]
    pub last: Count,
}

#[forward]
impl Outer {
    pub fn forward(&self, x: &Tensor, gated: bool) -> Result<Tensor> {
        let x = self.inner.forward(x, gated)?;
        self.last.forward(&x)
    }
}

#[test]
fn what_may_be_skipped_or_repeated_is_known_when_its_model_ends() -> Result<()> {
    fn calls<S: taper::Selection>(
        gated: bool,
        select: impl FnOnce(OuterSites) -> S,
    ) -> Result<(S::Value, [usize; 4], usize)> {
        let outer = Outer::default();
        let value = outer.capture(&zero(), gated, select)?;
        Ok((value, outer.inner.calls(), outer.last.calls()))
    }
    let (_, inner, last) = calls(true, |t| t.inner.before)?;
    assert_eq!((inner, last), ([1, 0, 0, 0], 0));
    let (gate, inner, last) = calls(true, |t| t.inner.gate)?;
    assert_eq!((gate.as_ref().map(first), inner, last), (Some(2.), [1, 1, 3, 1], 0));
    let (gate, inner, last) = calls(false, |t| t.inner.gate)?;
    assert_eq!((gate.is_none(), inner, last), (true, [1, 0, 3, 1], 0));
    let (shared, inner, last) = calls(false, |t| t.inner.shared)?;
    assert_eq!((shared.iter().map(first).collect(), inner, last), (vec![2., 3., 4.], [1, 0, 3, 1], 0));
    let (second, _, last) = calls(false, |t| t.inner.shared.at(1))?;
    assert_eq!((first(&second), last), (3., 0));
    let (_, _, last) = calls(true, |t| (t.inner.gate, t.last))?;
    assert_eq!(last, 1);
    let (output, ..) = calls(true, |t| t.output)?;
    assert_same(&output, &Outer::default().forward(&zero(), true)?);
    Ok(())
}

/// A model that is called repeatedly, inside one that is called once.
#[derive(Model, Default)]
pub struct Repeats {
    pub inner: Inner,
    #[model(leaf)]
    pub last: Count,
}

#[forward]
impl Repeats {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for i in 0..2 {
            x = self.inner.forward(&x, i == 1)?;
        }
        self.last.forward(&x)
    }
}

#[derive(Model, Default)]
pub struct Whole {
    pub repeats: Repeats,
    #[model(leaf)]
    pub tail: Count,
}

#[forward]
impl Whole {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.tail.forward(&self.repeats.forward(x)?)
    }
}

#[test]
fn frames_in_frames_end_with_the_outermost_call() -> Result<()> {
    let whole = Whole::default();
    let values = whole.capture(&zero(), |t| t.repeats.inner.each(|i| (i.gate, i.shared.each(|s| s), i.before)))?;
    assert_eq!((whole.repeats.inner.calls(), whole.repeats.last.calls(), whole.tail.calls()), ([2, 1, 6, 2], 1, 0));
    let shown: Vec<_> = values
        .iter()
        .map(|(gate, shared, before)| (gate.as_ref().map(first), shared.iter().map(first).collect(), first(before)))
        .collect();
    assert_eq!(shown, [(None, vec![2., 3., 4.], 1.), (Some(7.), vec![8., 9., 10.], 6.)]);
    Ok(())
}

/// Code that takes errors for impossible, or for something to go on from.
#[derive(Model, Default)]
pub struct Careless {
    pub chain: Chain,
    #[model(leaf)]
    pub a: Count,
    #[model(leaf)]
    pub b: Count,
    #[model(leaf)]
    pub c: Count,
}

#[forward]
impl Careless {
    pub fn forward(&self, x: &Tensor) -> anyhow::Result<Tensor> {
        let x = self.chain.forward(x).unwrap();
        let x = self.a.forward(&x).unwrap_or_else(|_| panic!("ran on"));
        let x = self.b.forward(&x).ok().unwrap_or_else(|| x.clone());
        let Ok(x) = self.c.forward(&x) else { panic!("ran on") };
        self.tail(&x).map_err(|e| e.context("in the tail")).or_else(|_| Ok(zero()))
    }

    fn tail(&self, x: &Tensor) -> Result<Tensor> {
        #[tap]
        let tail = x.affine(2., 0.)?;
        Ok(tail)
    }
}

#[test]
fn code_that_unwraps_neither_panics_nor_runs_on() -> anyhow::Result<()> {
    let sites = Careless::default().sites();
    for (name, value, calls) in [
        ("chain.a", 1., [1, 0, 0, 0, 0, 0]),
        ("chain.output", 3., [1, 1, 1, 0, 0, 0]),
        ("a", 4., [1, 1, 1, 1, 0, 0]),
        ("b", 5., [1, 1, 1, 1, 1, 0]),
        ("c", 6., [1, 1, 1, 1, 1, 1]),
        ("tail", 12., [1, 1, 1, 1, 1, 1]),
        ("output", 12., [1, 1, 1, 1, 1, 1]),
    ] {
        let model = Careless::default();
        assert_eq!(first(&model.capture(&zero(), |_| sites.find(name).unwrap())?), value, "{name}");
        let [a, b, c] = model.chain.calls();
        assert_eq!([a, b, c, model.a.calls(), model.b.calls(), model.c.calls()], calls, "{name}");
    }
    Ok(())
}

/// A layer that always fails.
#[derive(Default)]
pub struct Broken;

impl Module for Broken {
    fn forward(&self, _: &Tensor) -> Result<Tensor> {
        candle_core::bail!("out of order")
    }
}

#[derive(Model, Default)]
pub struct Survives {
    #[model(leaf)]
    pub broken: Broken,
    #[model(leaf)]
    pub after: Count,
}

#[forward]
impl Survives {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.broken.forward(x).unwrap_or_else(|_| x.clone());
        self.after.forward(&x)
    }
}

#[test]
fn an_error_that_the_model_survives_does_not_end_the_run() -> Result<()> {
    let model = Survives::default();
    assert_eq!(first(&model.forward(&zero())?), 1.);
    assert_eq!(first(&model.capture(&zero(), |t| t.after)?), 1.);
    assert_error(model.capture(&zero(), |t| t.broken), &["`broken` has no value"]);
    assert_error(model.forward_with_taps(&zero()), &["`broken` has no value"]);
    Ok(())
}

#[test]
fn a_run_that_fails_gives_its_own_error() {
    #[derive(Model, Default)]
    pub struct Fails {
        #[model(leaf)]
        pub broken: Broken,
    }
    #[forward]
    impl Fails {
        pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
            self.broken.forward(x)
        }
    }
    assert_error(Fails::default().forward_with_taps(&zero()), &["out of order"]);
    assert_error(Fails::default().capture(&zero(), |t| t.output), &["out of order"]);
}
