//! Every form that is traced, and the container that each place gives a tap: the types are written out, so that another
//! container would not compile.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{
    BatchNorm, BatchNormConfig, Dropout, GRU, LSTM, LSTMConfig, Linear, Module, ModuleT, RNN, VarBuilder, VarMap,
};
use candle_nn::{batch_norm, linear, lstm, rnn::LSTMState};
use taper::{Each, Maybe, Model, Site, Visits, forward};

fn builder(vars: &VarMap) -> VarBuilder<'static> {
    VarBuilder::from_varmap(vars, DType::F32, &Device::Cpu)
}

fn input() -> Tensor {
    Tensor::new(&[[0.5f32, -1., 2., 0.25], [1., 0., -0.5, 3.]], &Device::Cpu).unwrap()
}

#[track_caller]
fn assert_same(a: &Tensor, b: &Tensor) {
    let bits =
        |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!((a.dims(), bits(a)), (b.dims(), bits(b)));
}

/// Declares a model of linear layers and its forward.
macro_rules! model {
    (
        $(#[$attr:meta])*
        struct $name:ident { $($(#[$field_attr:meta])* $field:ident : $ty:ty),* $(,)? }
        $($body:tt)*
    ) => {
        #[derive(Model)]
        #[model(vb = VarBuilder<'_>)]
        $(#[$attr])*
        pub struct $name { $($(#[$field_attr])* pub $field: $ty),* }

        #[forward]
        impl $name { $($body)* }
    };
}

mod calls {
    use super::*;

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
}

mod binders {
    use super::*;

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
}

mod containers {
    use super::*;

    model! {
        struct Places { #[load(linear(4, 4))] once: Linear, #[load(linear(4, 4))] twice: Linear, #[load(linear(4, 4))] looped: Linear, #[load(linear(4, 4))] armed: Linear }

        #[allow(clippy::let_and_return, reason = "the value of the arm is tapped")]
        pub fn forward(&self, #[tap] x: &Tensor, n: usize) -> Result<Tensor> {
            let y = self.twice.forward(&self.twice.forward(&self.once.forward(x)?)?)?;
            let mut y = match n {
                0 => y,
                1 if self.armed.forward(&y)?.rank() == 2 => y,
                _ => {
                    #[tap]
                    let arm = y.relu()?;
                    arm
                }
            };
            let mut left = n;
            while left > 0 {
                #[tap]
                let turn = self.looped.forward(&y)?;
                y = turn;
                left -= 1;
            }
            if n == 7 {
                return Err(candle_core::Error::Msg("seven".into()));
            }
            /// Still certain: only an error came between.
            #[tap]
            let (certain, count): (Tensor, usize) = (y.sqr()?, n);
            if n == 3 {
                return Ok(certain);
            }
            #[tap]
            let late = (certain * count as f64)?;
            Ok(late)
        }
    }

    #[test]
    fn each_place_has_its_container() -> Result<()> {
        let m = Places::load(builder(&VarMap::new()))?;
        let sites = m.sites();
        let _: &Site<Tensor> = &sites.x;
        let _: &Site<Tensor> = &sites.once;
        let _: &Visits<Site<Tensor>> = &sites.twice;
        let _: &Visits<Site<Tensor>> = &sites.looped;
        let _: &Visits<Site<Tensor>> = &sites.turn;
        let _: &Maybe<Site<Tensor>> = &sites.armed;
        let _: &Maybe<Site<Tensor>> = &sites.arm;
        let _: (&Site<Tensor>, &Site<usize>) = (&sites.certain, &sites.count);
        let _: &Maybe<Site<Tensor>> = &sites.late;
        let _: &Site<Tensor> = &sites.output;
        let taps = m.forward_with_taps(&input(), 3)?.1;
        assert_eq!((taps.twice.len(), taps.turn.len(), taps.count), (2, 3, 3));
        assert!(taps.late.is_none() && taps.arm.is_some() && taps.armed.is_none());
        assert_same(&taps.turn[2].sqr()?, &taps.output);
        assert_same(&taps.x, &input());
        assert!(m.forward_with_taps(&input(), 7).is_err());
        Ok(())
    }

    type Blocks = Vec<Linear>;

    model! {
        struct Repeats {
            #[load(each(2, |_i| linear(4, 4)))] alias: Blocks,
            #[load(each(2, |_i| linear(4, 4)))] again: Vec<Linear>,
            #[load(each(2, |_i| linear(4, 4)))] branch: Vec<Linear>,
            #[load(each(2, |_i| linear(4, 4)))] #[model(repeated)] picked: Vec<Linear>,
        }

        pub fn forward(&self, x: &Tensor, picks: &[usize]) -> Result<Tensor> {
            let mut x = x.clone();
            for layer in &self.alias {
                x = layer.forward(&x)?;
            }
            for _ in 0..2 {
                for layer in &self.again {
                    x = layer.forward(&x)?;
                }
            }
            if !picks.is_empty() {
                for layer in &self.branch {
                    x = layer.forward(&x)?;
                }
            }
            for &i in picks {
                x = self.picked[i].forward(&x)?;
            }
            Ok(x)
        }
    }

    #[test]
    fn elements_may_be_repeated_or_skipped_as_a_whole() -> Result<()> {
        let m = Repeats::load(builder(&VarMap::new()))?;
        let sites = m.sites();
        let _: &Each<Site<Tensor>> = &sites.alias;
        let _: &Each<Visits<Site<Tensor>>> = &sites.again;
        let _: &Each<Maybe<Site<Tensor>>> = &sites.branch;
        let (y, taps) = m.forward_with_taps(&input(), &[1, 0, 1])?;
        assert_eq!(taps.picked.iter().map(Vec::len).collect::<Vec<_>>(), [1, 2]);
        assert_same(&taps.picked[1][1], &y);
        assert_same(&taps.again[0][1], &m.again[0].forward(&taps.again[1][0])?);
        let last = m.capture(&input(), &[0], |t| t.again[1].clone().at(-1))?;
        assert_same(&last, &taps.again[1][1]);
        let none = m.forward_with_taps(&input(), &[])?.1;
        assert!(none.branch.iter().all(Option::is_none));
        Ok(())
    }
}

mod under_cfg {
    use super::*;

    model! {
        struct Net { #[load(linear(4, 4))] a: Linear }

        pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
            #[cfg(any())]
            #[tap]
            let never = x.relu()?;
            #[cfg(all())]
            #[tap]
            let (there, also) = (x.sqr()?, x.sqrt()?);
            self.a.forward(&(there + also)?)
        }
    }

    #[test]
    fn a_cfg_on_the_statement_is_one_on_the_field() -> Result<()> {
        let m = Net::load(builder(&VarMap::new()))?;
        let names: Vec<String> = m.sites().iter().map(|n| n.name().to_owned()).collect();
        assert_eq!(names, ["there", "also", "a", "output"]);
        let NetTaps { there, also: _, a: _, output: _ } = m.forward_with_taps(&input())?.1;
        assert_same(&there, &input().sqr()?);
        Ok(())
    }
}

mod untapped {
    use super::*;

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
}
