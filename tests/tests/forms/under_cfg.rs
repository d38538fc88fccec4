//! Taps under `#[cfg]`.

use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module, VarBuilder, VarMap, linear};
use taper::{Model, forward};
use taper_tests::fixtures::{assert_same, builder, input};

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
