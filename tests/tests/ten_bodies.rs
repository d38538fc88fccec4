//! The bodies that are most likely to break a naive instrumentation, and two that are quietly wrong when done wrong.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder, VarMap, linear};
use taper::{Model, forward};
use taper_tests::fixtures::{assert_same, builder, input};

/// 1: unwraps and an error of another crate.
mod unwraps {
    use super::*;
    use anyhow::Result;

    #[derive(Model)]
    pub struct Net {
        #[load(linear(4, 4))]
        a: Linear,
        #[load(linear(4, 4))]
        b: Linear,
    }

    #[forward]
    impl Net {
        #[allow(clippy::ok_expect, reason = "the body as it is")]
        fn forward(&self, x: &Tensor) -> Result<Tensor> {
            let a = self.a.forward(x).unwrap();
            let b = self.b.forward(&a).ok().expect("b runs");
            Ok((a + b)?)
        }
    }

    #[test]
    fn a_capture_stops_without_a_panic() -> Result<()> {
        let vars = VarMap::new();
        let net = Net::load(builder(&vars))?;
        let a = net.capture(&input(), |t| t.a)?;
        assert_same(&a, &net.a.forward(&input())?);
        let (y, taps) = net.forward_with_taps(&input())?;
        assert_same(&y, &net.forward(&input())?);
        assert_same(&taps.b, &net.b.forward(&a)?);
        Ok(())
    }
}

/// 2: zip with caches, indices reversed.
mod zipped {
    use super::*;

    #[derive(Model)]
    pub struct Block {
        #[load(linear(4, 4))]
        inner: Linear,
    }

    #[forward]
    impl Block {
        fn forward(&self, x: &Tensor, cache: &mut Vec<Tensor>) -> Result<Tensor> {
            cache.push(x.clone());
            self.inner.forward(x)
        }
    }

    #[derive(Model)]
    pub struct Net {
        #[load(each(3))]
        blocks: Vec<Block>,
    }

    #[forward]
    impl Net {
        fn forward(&self, x: &Tensor, caches: &mut [Vec<Tensor>]) -> Result<Tensor> {
            let mut x = x.clone();
            for (i, (b, c)) in self.blocks.iter().zip(caches.iter_mut()).enumerate().rev() {
                x = b.forward(&x, c)?;
                let _ = i;
            }
            Ok(x)
        }
    }

    #[test]
    fn elements_are_known_by_their_place() -> Result<()> {
        let vars = VarMap::new();
        let net = Net::load(builder(&vars))?;
        let mut caches = vec![Vec::new(); 3];
        let (_, taps) = net.forward_with_taps(&input(), &mut caches)?;
        let mut x = input();
        for i in (0..3).rev() {
            x = net.blocks[i].inner.forward(&x)?;
            assert_same(&taps.blocks[i].output, &x);
        }
        Ok(())
    }

    #[test]
    fn an_early_capture_fills_every_cache() -> Result<()> {
        let vars = VarMap::new();
        let net = Net::load(builder(&vars))?;
        let mut caches = vec![Vec::new(); 3];
        net.capture(&input(), &mut caches, |t| t.blocks[2].output)?;
        assert_eq!(caches.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 1]);
        Ok(())
    }
}

/// 3: an optional tap in a shared, repeated submodule in a branch.
mod shared {
    use super::*;

    #[derive(Model)]
    pub struct Shared {
        #[load(linear(4, 4))]
        inner: Linear,
    }

    #[forward]
    impl Shared {
        fn forward(&self, x: &Tensor, flag: bool) -> Result<Tensor> {
            let mut x = self.inner.forward(x)?;
            if flag {
                #[tap]
                let g = x.tanh()?;
                x = g;
            }
            Ok(x)
        }
    }

    #[derive(Model)]
    #[model(vb = VarBuilder<'_>)]
    pub struct Net {
        shared: Shared,
    }

    #[forward]
    impl Net {
        fn forward(&self, x: &Tensor, train: bool, flags: &[bool]) -> Result<Tensor> {
            let mut x = x.clone();
            if train {
                for &flag in flags {
                    x = self.shared.forward(&x, flag)?;
                }
            }
            Ok(x)
        }
    }

    #[test]
    fn visits_do_not_shift() -> Result<()> {
        let vars = VarMap::new();
        let net = Net::load(builder(&vars))?;
        let flags = [true, false, true];
        let (y, taps) = net.forward_with_taps(&input(), true, &flags)?;
        let visits: &Vec<SharedTaps> = &taps.shared;
        assert_eq!(visits.iter().map(|v| v.g.is_some()).collect::<Vec<_>>(), flags);
        assert_same(&visits[2].output, &y);
        assert_same(visits[2].g.as_ref().unwrap(), &y);
        let gs: Vec<Option<Tensor>> = net.capture(&input(), true, &flags, |t| t.shared.each(|s| s.g))?;
        assert_same(gs[0].as_ref().unwrap(), visits[0].g.as_ref().unwrap());
        assert!(gs[1].is_none());
        let (_, none) = net.forward_with_taps(&input(), false, &flags)?;
        assert!(none.shared.is_empty());
        Ok(())
    }
}

/// 4: short circuit and labelled break.
mod labelled {
    use super::*;

    #[derive(Model)]
    pub struct Net {
        #[load(linear(4, 4))]
        gate: Linear,
    }

    #[forward]
    impl Net {
        #[allow(clippy::never_loop, reason = "the body as it is")]
        fn forward(&self, x: &Tensor, n: usize) -> Result<Tensor> {
            let mut x = x.clone();
            'a: {
                if n > 3 && self.gate.forward(&x)?.dim(0)? > 1 {
                    break 'a;
                }
                #[tap]
                let late = x.relu()?;
                x = late;
            }
            #[tap]
            let after = x.sqr()?;
            Ok(after)
        }
    }

    #[test]
    fn both_are_conditional() -> Result<()> {
        let vars = VarMap::new();
        let net = Net::load(builder(&vars))?;
        let (_, taps) = net.forward_with_taps(&input(), 2)?;
        let (gate, late, _): (&Option<Tensor>, &Option<Tensor>, &Tensor) = (&taps.gate, &taps.late, &taps.after);
        assert!(gate.is_none() && late.is_some());
        let (gate, late) = net.capture(&input(), 4, |t| (t.gate, t.late))?;
        assert!(gate.is_some() && late.is_none());
        Ok(())
    }
}

/// 5: macros. What is refused is a case of its own.
mod in_macros {
    use super::*;

    #[derive(Model)]
    pub struct Net {
        #[load(linear(4, 4))]
        a: Linear,
        #[load(linear(4, 4))]
        b: Linear,
    }

    #[forward]
    impl Net {
        fn forward(&self, x: &Tensor) -> Result<Tensor> {
            let p = vec![self.a.forward(x)?, x.apply(&self.b)?];
            assert!(p.len() == 2, "two of {}", p.len());
            Tensor::stack(&p, 0)
        }
    }

    #[test]
    fn arguments_are_traced() -> Result<()> {
        let vars = VarMap::new();
        let net = Net::load(builder(&vars))?;
        let (y, taps) = net.forward_with_taps(&input())?;
        assert_same(&taps.a, &y.get(0)?);
        assert_same(&taps.b, &y.get(1)?);
        Ok(())
    }
}

/// 6: a field named like its constructor, without any prelude.
mod no_prelude {
    #![no_implicit_prelude]

    use ::candle_core::{Result, Tensor};
    use ::candle_nn::{Linear, Module, linear};
    use ::taper::{Model, forward};

    #[derive(Model)]
    pub struct Net {
        #[load(linear(4, 4))]
        pub linear: Linear,
        #[load(linear(4, 4))]
        pub other: Linear,
        #[load(each(2, |_i| linear(4, 4)))]
        pub list: ::std::vec::Vec<Linear>,
        #[load(maybe(true, linear(4, 4)))]
        pub maybe: ::std::option::Option<Linear>,
    }

    #[forward]
    impl Net {
        pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
            #[tap]
            let mut x = self.other.forward(&self.linear.forward(x)?)?;
            for layer in &self.list {
                x = layer.forward(&x)?;
            }
            if let ::std::option::Option::Some(layer) = &self.maybe {
                x = layer.forward(&x)?;
            }
            ::std::result::Result::Ok(x)
        }
    }
}

#[test]
fn a_field_may_have_its_constructors_name() -> Result<()> {
    let vars = VarMap::new();
    let net = no_prelude::Net::load(builder(&vars))?;
    let (_, taps) = net.forward_with_taps(&input())?;
    assert_same(&taps.linear, &net.linear.forward(&input())?);
    assert_same(&taps.x, &net.other.forward(&taps.linear)?);
    Ok(())
}

/// 7: `cfg` comes from the caller of the macro that makes the struct.
mod made_by_a_macro {
    use super::*;

    pub struct Config {
        pub n: usize,
    }

    macro_rules! mk {
        ($n:ident, $($l:tt)*) => {
            #[derive(Model)]
            #[model(config = Config)]
            pub struct $n {
                #[load($($l)*)]
                a: Linear,
            }

            #[forward]
            impl $n {
                fn forward(&self, x: &Tensor) -> Result<Tensor> {
                    #[tap]
                    let y = self.a.forward(x)?;
                    y.relu()
                }
            }
        };
    }
    mk!(A, linear(cfg.n, 4));

    #[test]
    fn it_loads_and_taps() -> Result<()> {
        let vars = VarMap::new();
        let net = A::load(builder(&vars), &Config { n: 4 })?;
        let (a, y) = net.capture(&input(), |t| (t.a, t.y))?;
        assert_same(&a, &y);
        Ok(())
    }
}

/// 8: generics, lifetimes, arguments with our names, patterns.
mod generic {
    use super::*;
    use taper::Layer;

    #[derive(Model)]
    pub struct Net<'w, M: Layer, const N: usize> {
        inner: M,
        list: [Linear; N],
        borrowed: &'w Linear,
        scales: [f64; N],
    }

    #[forward]
    impl<'w, M: Layer, const N: usize> Net<'w, M, N> {
        fn forward<S: AsRef<Tensor>>(&self, sites: S, (pass, _): (&Tensor, bool)) -> Result<(Tensor, Tensor)> {
            let at = self.inner.forward(sites.as_ref())?;
            let mut cfg = self.borrowed.forward(pass)?;
            for (layer, scale) in self.list.iter().zip(&self.scales) {
                cfg = (layer.forward(&cfg)? * *scale)?;
            }
            Ok((at, cfg))
        }
    }

    struct Borrows(Tensor);

    impl AsRef<Tensor> for Borrows {
        fn as_ref(&self) -> &Tensor {
            &self.0
        }
    }

    #[test]
    fn no_name_of_ours_meets_one_of_theirs() -> Result<()> {
        let vars = VarMap::new();
        let vb = builder(&vars);
        let borrowed = linear(4, 4, vb.pp("b"))?;
        let list = [linear(4, 4, vb.pp("0"))?, linear(4, 4, vb.pp("1"))?];
        let net = Net { inner: linear(4, 4, vb.pp("i"))?, list, borrowed: &borrowed, scales: [0.5, 2.] };
        let (output, taps) = net.forward_with_taps(Borrows(input()), (&input(), true))?;
        assert_same(&output.1, &net.forward(Borrows(input()), (&input(), true))?.1);
        assert_same(&taps.inner, &output.0);
        assert_same(&taps.output.1, &output.1);
        assert_same(&taps.borrowed, &borrowed.forward(&input())?);
        assert_eq!(taps.list.len(), 2);
        let list = net.capture(Borrows(input()), (&input(), false), |t| t.list)?;
        assert_same(&list[1], &taps.list[1]);
        Ok(())
    }

    #[derive(Model)]
    pub struct Residual<M> {
        inner: M,
    }

    #[forward]
    impl<Inner: Layer> Residual<Inner> {
        pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
            x + self.inner.forward(x)?
        }
    }

    #[test]
    fn a_generic_model_is_a_layer() -> Result<()> {
        let vars = VarMap::new();
        let net = Residual { inner: Residual { inner: linear(4, 4, builder(&vars))? } };
        let y = Module::forward(&net, &input())?;
        let (inner, outer) = net.capture(&input(), |t| (t.inner.inner, t.inner.output))?;
        assert_same(&inner, &net.inner.inner.forward(&input())?);
        assert_same(&(input() + outer)?, &y);
        let taps = net.forward_with_taps(&input())?.1;
        assert!(format!("{:?}", taps.clone()).contains("inner.inner"));
        Ok(())
    }
}

/// 9: the impl in another module. An inner struct of the same name without the derive is a case of its own.
mod elsewhere {
    pub mod model {
        use candle_nn::{Linear, linear};
        use taper::Model;

        #[derive(Model)]
        pub struct Block {
            #[load(linear(4, 4))]
            pub inner: Linear,
        }
    }

    mod imp {
        use super::model::Block;
        use candle_core::{Result, Tensor};
        use candle_nn::{Linear, Module};
        use taper::forward;

        #[forward]
        impl Block {
            pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
                #[tap]
                let h = self.inner.forward(x)?;
                h.relu()
            }
        }
    }
}

#[test]
fn an_impl_may_stand_elsewhere() -> Result<()> {
    let vars = VarMap::new();
    let block = elsewhere::model::Block::load(builder(&vars))?;
    assert_same(&block.capture(&input(), |t| t.h)?, &block.inner.forward(&input())?);
    Ok(())
}

#[test]
fn a_model_may_be_local_to_a_function() -> Result<()> {
    #[derive(Model)]
    struct Local {
        #[load(linear(4, 4))]
        inner: Linear,
    }

    #[forward]
    impl Local {
        fn forward(&self, x: &Tensor) -> Result<Tensor> {
            self.inner.forward(x)
        }
    }

    let vars = VarMap::new();
    let local = Local::load(builder(&vars))?;
    assert_same(&local.capture(&input(), |t| t.inner)?, &local.forward(&input())?);
    Ok(())
}

/// 10: selections.
mod selections {
    use super::*;

    #[derive(Model)]
    pub struct Part {
        #[load(linear(4, 4))]
        inner: Linear,
    }

    #[forward]
    impl Part {
        fn forward(&self, x: &Tensor) -> Result<Tensor> {
            #[tap]
            let g = self.inner.forward(x)?.tanh()?;
            Ok(g)
        }
    }

    #[derive(Model)]
    pub struct Net {
        #[load(linear(4, 4))]
        attn: Linear,
        #[load(each(3))]
        blocks: Vec<Part>,
        #[load(maybe(true))]
        maybe: Option<Part>,
    }

    #[forward]
    impl Net {
        fn forward(&self, x: &Tensor) -> Result<Tensor> {
            let mut x = self.attn.forward(x)?;
            for block in &self.blocks {
                x = block.forward(&x)?;
            }
            match &self.maybe {
                Some(maybe) => maybe.forward(&x),
                None => Ok(x),
            }
        }
    }

    #[test]
    fn shapes_are_those_of_the_closure() -> Result<()> {
        let vars = VarMap::new();
        let m = Net::load(builder(&vars))?;
        let x = input();
        let k = 1;
        let (attn, means, g) =
            m.capture(&x, |t| (t.attn, t.blocks.each(|b| b.output.map(move |v| v.mean(k))), t.maybe.map(|s| s.g)))?;
        let taps = m.forward_with_taps(&x)?.1;
        assert_same(&attn, &taps.attn);
        assert_eq!(means.len(), 3);
        assert_same(&means[2], &taps.blocks[2].output.mean(1)?);
        assert_same(&g.unwrap(), &taps.maybe.as_ref().unwrap().g);
        let two = Net { blocks: vec![Part::load(builder(&vars))?], attn: m.attn.clone(), maybe: None };
        let site = m.sites().attn;
        let error = two.capture(&x, |_| site).unwrap_err().to_string();
        assert!(error.contains("a site of another model was used on a `Net`"), "{error}");
        Ok(())
    }
}

/// Experts skipped by `continue`: no value appears under another's index.
mod experts {
    use super::*;

    #[derive(Model)]
    pub struct Mixture {
        #[load(each(4, |_| linear(4, 4)))]
        #[model(partial)]
        experts: Vec<Linear>,
    }

    #[forward]
    impl Mixture {
        fn forward(&self, x: &Tensor, chosen: &[usize]) -> Result<Tensor> {
            let mut sum = x.zeros_like()?;
            for (i, expert) in self.experts.iter().enumerate() {
                if !chosen.contains(&i) {
                    continue;
                }
                sum = (sum + expert.forward(x)?)?;
            }
            Ok(sum)
        }
    }

    #[test]
    fn skipped_experts_are_none() -> Result<()> {
        let vars = VarMap::new();
        let net = Mixture::load(builder(&vars))?;
        let (_, taps) = net.forward_with_taps(&input(), &[1, 3])?;
        let experts: &Vec<Option<Tensor>> = &taps.experts;
        assert_eq!(experts.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, true]);
        assert_same(experts[3].as_ref().unwrap(), &net.experts[3].forward(&input())?);
        let third = net.capture(&input(), &[1, 3], |t| t.experts[3].clone())?;
        assert_same(&third.unwrap(), &net.experts[3].forward(&input())?);
        Ok(())
    }
}
