//! The calls that are traced.

use candle_core::{Result, Tensor};
use candle_nn::rnn::LSTMState;
use candle_nn::{
    BatchNorm, Dropout, GRU, LSTM, LSTMConfig, Linear, Module, ModuleT, RNN, VarBuilder, VarMap, batch_norm, linear,
    lstm,
};
use taper::{Model, forward};
use taper_tests::fixtures::{assert_same, builder, input};

model! {
    struct Applied { #[load(linear(4, 4))] a: Linear, #[load(linear(4, 4))] b: Linear, #[load(value = Dropout::new(0.5))] drop: Dropout }

    pub fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let y = x.apply(&self.a)?.relu()?.apply(&self.b)?;
        self.drop.forward(&y, train)
    }
}

#[test]
fn apply_and_dropouts_own_forward() -> Result<()> {
    let m = Applied::load(builder(&VarMap::new()))?;
    let (a, b, drop) = m.capture(&input(), false, |t| (t.a, t.b, t.drop))?;
    assert_same(&a, &m.a.forward(&input())?);
    assert_same(&b, &m.b.forward(&a.relu()?)?);
    assert_same(&drop, &b);
    Ok(())
}

model! {
    struct Trained { #[load(linear(4, 4))] a: Linear, #[load(batch_norm(4, 1e-5))] norm: BatchNorm, #[load(value = Dropout::new(0.5))] drop: Dropout }

    pub fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        let a = self.a.forward_t(x, train)?;
        a.apply_t(&self.norm, train)?.apply_t(&self.drop, train)
    }
}

#[test]
fn forward_t_and_apply_t() -> Result<()> {
    let m = Trained::load(builder(&VarMap::new()))?;
    let (_, taps) = m.forward_with_taps(&input(), false)?;
    assert_same(&taps.norm, &m.norm.forward_t(&taps.a, false)?);
    assert_same(&taps.drop, &taps.norm);
    Ok(())
}

model! {
    struct Recurrent {
        #[load(lstm(4, 3, LSTMConfig::default()))] whole: LSTM,
        #[load(lstm(3, 2, LSTMConfig::default()))] stepped: LSTM,
        #[load(candle_nn::gru(3, 2, Default::default()))] gru: GRU,
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let states = self.whole.seq(x)?;
        let mut state = self.stepped.zero_state(x.dim(0)?)?;
        for s in &states {
            state = self.stepped.step(s.h(), &state)?;
        }
        let g = self.gru.step(states[0].h(), &self.gru.zero_state(x.dim(0)?)?)?;
        state.h() + g.h()
    }
}

#[test]
fn recurrent_leaves() -> Result<()> {
    let m = Recurrent::load(builder(&VarMap::new()))?;
    let x = input().unsqueeze(0)?;
    let (_, taps) = m.forward_with_taps(&x)?;
    let whole: &Vec<LSTMState> = &taps.whole;
    let stepped: &Vec<LSTMState> = &taps.stepped;
    assert_eq!((whole.len(), stepped.len()), (2, 2));
    assert_same(whole[1].h(), m.whole.seq(&x)?[1].h());
    assert_same(&(stepped[1].h() + taps.gru.h())?, &taps.output);
    Ok(())
}

model! {
    struct Indexed { #[load(each(3, |_i| linear(4, 4)))] list: Vec<Linear>, #[load(value = 2)] last: usize }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let first = &self.list[0];
        let x = first.forward(x)?;
        let x = self.list[1].forward(&x)?;
        self.list[2].forward(&x)
    }
}

#[test]
fn literal_indices_are_different_submodules() -> Result<()> {
    let m = Indexed::load(builder(&VarMap::new()))?;
    let list: Vec<Tensor> = m.capture(&input(), |t| t.list)?;
    assert_same(&list[1], &m.list[1].forward(&list[0])?);
    assert_eq!(m.last, 2);
    Ok(())
}

model! {
    struct Helped { #[load(linear(4, 4))] a: Linear, #[load(linear(4, 4))] b: Linear, #[load(value = 0.5)] scale: f64 }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let (l, r) = self.both(x, self.scale())?;
        l + r
    }

    fn both(&self, x: &Tensor, scale: f64) -> Result<(Tensor, Tensor)> {
        let a = self.a.forward(x)?;
        #[tap]
        let scaled = (a * scale)?;
        Ok((self.second(&scaled)?, scaled))
    }

    fn second(&self, x: &Tensor) -> Result<Tensor> {
        self.b.forward(x)
    }

    fn scale(&self) -> f64 {
        self.scale
    }
}

#[test]
fn taps_of_helpers_are_the_models() -> Result<()> {
    let m = Helped::load(builder(&VarMap::new()))?;
    let scaled: Tensor = m.capture(&input(), |t| t.scaled)?;
    assert_same(&scaled, &(m.a.forward(&input())? * 0.5)?);
    assert_same(&m.capture(&input(), |t| t.b)?, &m.b.forward(&scaled)?);
    Ok(())
}

#[derive(Model)]
pub struct AsModule {
    #[load(linear(4, 4))]
    a: Linear,
}

#[forward]
impl Module for AsModule {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        #[tap]
        let h = self.a.forward(x)?;
        h.relu()
    }
}

#[derive(Model)]
pub struct AsModuleT {
    #[load(linear(4, 4))]
    a: Linear,
    #[load(value = Dropout::new(0.5))]
    drop: Dropout,
}

#[forward]
impl ModuleT for AsModuleT {
    fn forward_t(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.drop.forward_t(&self.a.forward(x)?, train)
    }
}

model! {
    struct Outer { m: AsModule, t: AsModuleT }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x.apply(&self.m)?.apply_t(&self.t, false)
    }
}

#[test]
fn impls_of_candles_traits() -> Result<()> {
    let m = Outer::load(builder(&VarMap::new()))?;
    let (y, taps) = m.forward_with_taps(&input())?;
    assert_same(&y, &Module::forward(&m, &input())?);
    assert_same(&taps.m.h.relu()?, &taps.m.output);
    assert_same(&taps.t.a, &m.t.a.forward(&taps.m.output)?);
    assert_same(&m.m.capture(&input(), |t| t.h)?, &taps.m.h);
    Ok(())
}

model! {
    struct Foreign {
        #[load(value = Double(2.))] #[model(leaf)] double: Double,
        #[load(value = Box::new(|x: &Tensor| x.tanh()))] #[model(leaf)] closure: Closure,
        #[load(value = Parts)] #[model(leaf = (Tensor, usize))] parts: Parts,
        #[load(value = vec![Double(3.), Double(5.)])] #[model(leaf)] #[model(repeated)] list: Vec<Double>,
    }

    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = self.double.forward(&(self.closure)(x)?)?;
        for double in self.list.iter().rev().chain(&self.list) {
            x = double.forward(&x)?;
        }
        let (x, n) = self.parts.forward(&x)?;
        x * n as f64
    }
}

#[test]
fn foreign_layers_and_closures() -> Result<()> {
    let m = Foreign::load(builder(&VarMap::new()))?;
    let (y, taps) = m.forward_with_taps(&input())?;
    assert_same(&taps.closure, &input().tanh()?);
    assert_same(&taps.double, &(&taps.closure * 2.)?);
    let list: &Vec<Vec<Tensor>> = &taps.list;
    assert_same(&list[1][0], &(&taps.double * 5.)?);
    assert_same(&list[1][1], &(&list[0][1] * 5.)?);
    let parts: (Tensor, usize) = m.capture(&input(), |t| t.parts)?;
    assert_same(&(parts.0 * parts.1 as f64)?, &y);
    Ok(())
}

type Closure = Box<dyn Fn(&Tensor) -> Result<Tensor>>;

pub struct Double(f64);

impl Double {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        x * self.0
    }
}

pub struct Parts;

impl Parts {
    pub fn forward(&self, x: &Tensor) -> Result<(Tensor, usize)> {
        Ok((x.clone(), 3))
    }
}
