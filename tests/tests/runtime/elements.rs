//! Elements of `Vec` fields: each under its own index, whatever is skipped or visited again.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module, linear};
use taper::{Model, forward};

use super::{assert_error, assert_same, random, vb};

#[derive(Model)]
pub struct Expert {
    #[load(linear(4, 4))]
    pub up: Linear,
}

#[forward]
impl Expert {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        #[tap]
        let h = self.up.forward(x)?.relu()?;
        h.affine(2., 0.)
    }
}

macro_rules! mixture {
    ($name:ident $(, $key:ident)?) => {
        #[derive(Model)]
        pub struct $name {
            #[load(each(3))]
            $(#[model($key)])?
            pub experts: Vec<Expert>,
        }

        #[forward]
        impl $name {
            pub fn forward(&self, x: &Tensor, chosen: &[bool]) -> Result<Tensor> {
                let mut y = x.zeros_like()?;
                for (i, expert) in self.experts.iter().enumerate() {
                    if !chosen[i] {
                        continue;
                    }
                    y = (y + expert.forward(x)?)?;
                }
                Ok(y)
            }
        }
    };
}
mixture!(Mixture, partial);
mixture!(Strict);

fn choices() -> impl Iterator<Item = [bool; 3]> {
    (0..8).map(|n| [0, 1, 2].map(|i| n >> i & 1 == 1))
}

#[test]
fn an_experts_values_stand_under_its_own_index() -> Result<()> {
    let model = Mixture::load(vb())?;
    let x = random((2, 4));
    for chosen in choices() {
        let (y, taps) = model.forward_with_taps(&x, &chosen)?;
        assert_same(&y, &model.forward(&x, &chosen)?);
        let outputs = model.capture(&x, &chosen, |t| t.experts.each(|e| e.map(|e| (e.h, e.output))))?;
        for i in 0..3 {
            assert_eq!(taps.experts[i].is_some(), chosen[i], "expert {i} of {chosen:?}");
            assert_eq!(outputs[i].is_some(), chosen[i], "expert {i} of {chosen:?}");
            if let (Some(taps), Some((h, output))) = (&taps.experts[i], &outputs[i]) {
                assert_same(&taps.output, &model.experts[i].forward(&x)?);
                assert_same(output, &taps.output);
                assert_same(h, &taps.h);
            }
        }
    }
    Ok(())
}

#[test]
fn without_partial_an_unvisited_element_is_an_error_that_names_it() -> Result<()> {
    let model = Strict::load(vb())?;
    let x = random((2, 4));
    for chosen in choices() {
        let taps = model.forward_with_taps(&x, &chosen);
        match (0..3).find(|i| !chosen[*i]) {
            None => assert_same(&taps?.0, &model.forward(&x, &chosen)?),
            Some(i) => {
                assert_error(taps, &[&format!("did not visit `experts.{i}`"), "`experts` with `#[model(partial)]`"])
            }
        }
        for (i, visited) in chosen.into_iter().enumerate() {
            let h = model.capture(&x, &chosen, |t| t.experts[i].h);
            match visited {
                true => assert_same(&h?, &model.experts[i].capture(&x, |t| t.h)?),
                false => assert_error(h, &[&format!("did not visit `experts.{i}`")]),
            }
        }
    }
    Ok(())
}

#[derive(Model)]
pub struct Gated {
    #[load(linear(4, 4))]
    pub inner: Linear,
}

#[forward]
impl Gated {
    pub fn forward(&self, x: &Tensor, gated: bool) -> Result<Tensor> {
        let x = self.inner.forward(x)?;
        if gated {
            #[tap]
            let g = x.relu()?;
            return Ok(g);
        }
        Ok(x)
    }
}

macro_rules! twice {
    ($name:ident, [$($model:ident)?] $(, $key:ident)?) => {
        #[derive(Model)]
        $(#[model($model)])?
        pub struct $name {
            #[load(each(2))]
            $(#[model($key)])?
            pub layers: Vec<Gated>,
        }

        #[forward]
        impl $name {
            pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
                let mut x = x.clone();
                for i in 0..4 {
                    x = self.layers[i % 2].forward(&x, i > 1)?;
                }
                Ok(x)
            }
        }
    };
}
twice!(Twice, []);
twice!(TwiceWithState, [stateful]);
twice!(Repeated, [], repeated);

#[test]
fn an_element_that_is_visited_twice_is_an_error_that_names_it() -> Result<()> {
    let (x, parts) = (random((1, 4)), ["`layers.0.", "produced twice", "`#[model(repeated)]`"]);
    let model = Twice::load(vb())?;
    assert_error(model.forward_with_taps(&x), &parts);
    assert_error(model.capture(&x, |t| (t.layers[0].inner, t.output)), &parts);
    // What is awaited here is not what is kept: the end of the element.
    assert_error(model.capture(&x, |t| (t.layers[0].g.clone(), t.output)), &parts);
    let model = TwiceWithState::load(vb())?;
    assert_error(model.capture(&x, |t| t.layers[0].g.clone()), &parts);
    Ok(())
}

#[test]
fn with_repeated_there_is_one_value_a_visit() -> Result<()> {
    let model = Repeated::load(vb())?;
    let x = random((1, 4));
    let (_, taps) = model.forward_with_taps(&x)?;
    let mut expected = x.clone();
    for i in 0..4 {
        let visit = &taps.layers[i % 2][i / 2];
        let inner = model.layers[i % 2].inner.forward(&expected)?;
        expected = model.layers[i % 2].forward(&expected, i > 1)?;
        assert_same(&visit.inner, &inner);
        assert_same(&visit.output, &expected);
        assert_eq!(visit.g.is_some(), i > 1);
    }
    let last = model.capture(&x, |t| t.layers[1].clone().at(-1))?;
    assert_same(&last.output, &taps.layers[1][1].output);
    assert_error(model.capture(&x, |t| t.layers[1].clone().at(5)), &["visit 5 of `layers.1`", "made 2"]);
    Ok(())
}

/// candle's own idiom for what may be absent, in all the places where it may stand.
#[derive(Model)]
pub struct Optional {
    pub once: Option<Linear>,
    pub looped: Option<Linear>,
    pub absent: Option<Linear>,
    pub several: Vec<Option<Linear>>,
}

#[forward]
impl Optional {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut x = x.apply(&self.once.as_ref())?;
        for _ in 0..2 {
            x = x.apply(&self.looped.as_ref())?.apply(&self.absent.as_ref())?;
        }
        for one in &self.several {
            x = x.apply(&one.as_ref())?;
        }
        Ok(x)
    }
}

#[test]
fn options_are_applied_anywhere() -> Result<()> {
    let layer = || Some(Linear::new(random((4, 4)), None));
    let model = Optional { once: layer(), looped: layer(), absent: None, several: vec![layer(), None, layer()] };
    let x = random((1, 4));
    let (y, taps) = model.forward_with_taps(&x)?;
    assert_same(&y, &model.forward(&x)?);
    assert_same(taps.once.as_ref().unwrap(), &x.apply(&model.once.as_ref())?);
    assert_eq!((taps.looped.len(), taps.absent.len()), (2, 0));
    assert_eq!(taps.several.iter().map(Option::is_some).collect::<Vec<_>>(), [true, false, true]);
    assert_same(taps.several[2].as_ref().unwrap(), &y);
    Ok(())
}
