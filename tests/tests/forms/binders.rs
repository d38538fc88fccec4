//! The variables that are followed: every order of a loop, containers in containers.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder, VarMap, linear};
use taper::{Model, forward};
use taper_tests::fixtures::{assert_same, builder, input};

model! {
    struct Orders {
        #[load(each(4, |_i| linear(4, 4)))] zip: Vec<Linear>,
        #[load(each(4, |_i| linear(4, 4)))] rev: Vec<Linear>,
        #[load(each(4, |_i| linear(4, 4)))] #[model(partial)] skip: Vec<Linear>,
        #[load(each(4, |_i| linear(4, 4)))] #[model(partial)] filter: Vec<Linear>,
        #[load(each(4, |_i| linear(4, 4)))] #[model(partial)] step: Vec<Linear>,
        #[load(each(4, |_i| linear(4, 4)))] chunks: Vec<Linear>,
        #[load(each(4, |_i| linear(4, 4)))] indexed: [Linear; 4],
        #[load(each(4, |_i| linear(4, 4)))] sorted: Vec<Linear>,
        #[load(each(4, |_i| linear(4, 4)))] popped: Vec<Linear>,
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for (k, layer) in [1., 2., 3., 4.].into_iter().zip(&self.zip) {
            x = (layer.forward(&x)? * k)?;
        }
        for (i, layer) in self.rev.iter().enumerate().rev() {
            x = (x.apply(layer)? + i as f64)?;
        }
        for layer in self.skip.iter().skip(1).take(2) {
            x = layer.forward(&x)?;
        }
        for (_, layer) in self.filter.iter().enumerate().filter(|(i, l)| i % 2 == 1 && l.weight().rank() == 2) {
            x = layer.forward(&x)?;
        }
        for layer in self.step.iter().step_by(3) {
            x = layer.forward(&x)?;
        }
        for pair in self.chunks.chunks(2) {
            for layer in pair.iter().rev() {
                x = layer.forward(&x)?;
            }
        }
        for i in (0..self.indexed.len()).rev() {
            let layer = &self.indexed[i];
            x = layer.forward(&x)?;
        }
        let order: Vec<&Linear> = self.sorted.iter().rev().collect();
        for layer in &order {
            x = layer.forward(&x)?;
        }
        let mut rest = self.popped.iter();
        while let Some(layer) = rest.next_back() {
            x = layer.forward(&x)?;
        }
        Ok(x)
    }
}

#[test]
fn elements_keep_their_place_in_every_order() -> Result<()> {
    let m = Orders::load(builder(&VarMap::new()))?;
    let (y, taps) = m.forward_with_taps(&input())?;
    assert_same(&y, &m.forward(&input())?);
    let plain: [&Vec<Tensor>; 6] = [&taps.zip, &taps.rev, &taps.chunks, &taps.indexed, &taps.sorted, &taps.popped];
    assert!(plain.iter().all(|taps| taps.len() == 4));
    let partial: [&Vec<Option<Tensor>>; 3] = [&taps.skip, &taps.filter, &taps.step];
    let there = partial.map(|taps| taps.iter().map(Option::is_some).collect::<Vec<_>>());
    assert_eq!(there, [[false, true, true, false], [false, true, false, true], [true, false, false, true]]);
    // Each value is that of the layer at its place.
    assert_same(&taps.popped[0], &m.popped[0].forward(&taps.popped[1])?);
    assert_same(&taps.popped[0], &y);
    assert_same(&taps.indexed[1], &m.indexed[1].forward(&taps.indexed[2])?);
    assert_same(&taps.chunks[1], &m.chunks[1].forward(taps.step[3].as_ref().unwrap())?);
    assert_same(&taps.chunks[2], &m.chunks[2].forward(&taps.chunks[3])?);
    assert_same(&taps.rev[3], &m.rev[3].forward(&(&taps.zip[3] * 4.)?)?);
    Ok(())
}

model! {
    struct Nested { #[load(value = Vec::new())] stages: Vec<Vec<Linear>>, #[load(each(2))] boxed: Vec<Box<Inner>> }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.clone();
        for stage in self.stages.iter().rev() {
            for layer in stage {
                x = layer.forward(&x)?;
            }
        }
        for inner in &self.boxed {
            x = inner.forward(&x)?;
        }
        Ok(x)
    }
}

model! {
    struct Inner { #[load(linear(4, 4))] a: Linear, #[load(maybe(true, linear(4, 4)))] b: Option<Linear>, #[load(maybe(false, linear(4, 4)))] c: Option<Linear> }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.a.forward(x)?.apply(&self.b.as_ref())?;
        self.c.as_ref().forward(&x)
    }
}

#[test]
fn containers_in_containers() -> Result<()> {
    let vb = builder(&VarMap::new());
    let mut m = Nested::load(vb.clone())?;
    let layer = |name: &str| linear(4, 4, vb.pp(name));
    m.stages = vec![vec![layer("x")?], vec![layer("y")?, layer("z")?]];
    let (_, taps) = m.forward_with_taps(&input())?;
    let stages: &Vec<Vec<Tensor>> = &taps.stages;
    assert_same(&stages[0][0], &m.stages[0][0].forward(&stages[1][1])?);
    assert_same(&stages[1][1], &m.stages[1][1].forward(&stages[1][0])?);
    let b: &Option<Tensor> = &taps.boxed[1].b;
    assert!(b.is_some() && taps.boxed[1].c.is_none());
    assert_same(b.as_ref().unwrap(), &taps.boxed[1].output);
    let second = m.capture(&input(), |t| t.stages[1][1])?;
    assert_same(&second, &stages[1][1]);
    Ok(())
}
