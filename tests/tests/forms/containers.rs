//! The container that each place gives a tap.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder, VarMap, linear};
use taper::{Each, Maybe, Model, Site, Visits, forward};
use taper_tests::fixtures::{assert_same, builder, input};

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
