//! What users of runs met: each was a wrong answer or a needless error once.

use candle_core::{DType, Device, ModuleT, Result, Tensor, Var};
use candle_nn::BatchNorm;
use taper::{Check, Model, forward};
use taper_tests::fixtures::{assert_same, input};

use crate::models::{Counted, net};

/// Its second half is added in a way that takes any number of rows.
#[derive(Model)]
#[model(vb = candle_nn::VarBuilder<'_>)]
struct Half {
    a: Counted,
}

#[forward]
impl Half {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.a.forward(x)?.tanh()
    }
}

#[derive(Model)]
#[model(vb = candle_nn::VarBuilder<'_>)]
struct Net {
    first: Half,
    second: Half,
    third: Half,
}

#[forward]
impl Net {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let h = self.first.forward(x)?;
        let h = h.broadcast_add(&self.second.forward(&h)?)?;
        self.third.forward(&h)
    }
}

fn small() -> Net {
    let vars = candle_nn::VarMap::new();
    Net::load(taper_tests::fixtures::builder(&vars)).unwrap()
}

#[test]
fn a_replay_compares_a_replacement_with_what_was_recorded() -> Result<()> {
    let (model, x) = (small(), input());
    let recording = model.run().record(&x)?;
    let row = Tensor::zeros((1, 4), DType::F32, &Device::Cpu)?;
    let error = recording.replay().replace(|t| t.second.output, &row).forward(&x).unwrap_err().to_string();
    assert!(error.contains("at `second.output`: the value put in is [1, 4] F32 on Cpu"), "{error}");
    assert!(error.contains("the recorded one is [2, 4] F32 on Cpu"), "{error}");
    Ok(())
}

#[test]
fn an_edit_in_place_leaves_the_recording_as_it_is() -> Result<()> {
    let (model, x) = (small(), input());
    let recording = model.run().record(&x)?;
    let before = recording.values(|t| t.first.output)?.copy()?;
    let in_place = |h: &Tensor| {
        h.slice_set(&Tensor::zeros((1, 4), DType::F32, &Device::Cpu)?, 0, 0)?;
        Ok(h.clone())
    };
    let changed = recording.replay().edit(|t| t.first.output, in_place).forward(&x)?;
    assert_same(&recording.values(|t| t.first.output)?, &before);
    assert_same(&recording.replay().edit(|t| t.first.output, in_place).forward(&x)?, &changed);
    Ok(())
}

#[test]
fn a_run_with_a_replaced_submodule_can_be_recorded() -> Result<()> {
    let model = net();
    let x = input();
    let known = (model.capture(&x, |t| t.blocks[2].output)? * 0.5)?;
    let run = model.run().replace(|t| t.blocks[2].output, &known);
    let recording = run.record(&x)?;
    assert_same(&recording.replay().forward(&x)?, &run.forward(&x)?);
    let edited = recording.replay().edit(|t| t.blocks[7].mid, |m| m * 2.).forward(&x)?;
    let afresh = model.run().replace(|t| t.blocks[2].output, &known).edit(|t| t.blocks[7].mid, |m| m * 2.);
    assert_same(&edited, &afresh.forward(&x)?);
    let error = recording.values(|t| t.blocks[2].mid).unwrap_err().to_string();
    assert!(error.contains("`blocks.2.mid`"), "{error}");
    Ok(())
}

#[test]
fn what_was_not_kept_is_said() -> Result<()> {
    let (model, x) = (net(), input());
    let recording = model.run().keeping(|t| t.blocks[3].output).record(&x)?;
    let error = recording.values(|t| t.blocks[1].output).unwrap_err().to_string();
    assert!(error.contains("the recording has not kept `blocks.1.output`; keep it when recording"), "{error}");
    Ok(())
}

/// Weights in data of its own, behind an operation that drops gradients.
#[derive(Model)]
struct Scaled {
    inner: Counted,
    scales: Vec<Tensor>,
    other: (Tensor, f64),
    bias: Option<Tensor>,
}

#[forward]
impl Scaled {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = self.inner.forward(x)?;
        let x = candle_nn::ops::rms_norm(&x, &self.scales[0], 1e-5)?;
        let x = candle_nn::ops::rms_norm(&x, &self.other.0, 1e-5)?;
        match &self.bias {
            Some(bias) => candle_nn::ops::rms_norm(&x, bias, 1e-5),
            None => Ok(x),
        }
    }
}

#[test]
fn a_variable_in_a_models_own_data_makes_a_recording_stale() -> Result<()> {
    let vars = [1f32, 2., 3.].map(|v| Var::from_tensor(&Tensor::full(v, 4, &Device::Cpu).unwrap()).unwrap());
    let [a, b, c] = vars.each_ref().map(|var| var.as_tensor().clone());
    let model = Scaled { inner: net().embed.clone(), scales: vec![a], other: (b, 1.), bias: Some(c) };
    let x = input();
    for var in &vars {
        let recording = model.run().record(&x)?;
        recording.replay().forward(&x)?;
        var.set(&(var.as_tensor() * 2.)?)?;
        let error = recording.replay().forward(&x).unwrap_err().to_string();
        assert!(error.contains("the recording is stale"), "{error}");
    }
    Ok(())
}

#[derive(Model)]
struct Normed {
    inner: Counted,
    norm: BatchNorm,
}

#[forward]
impl Normed {
    fn forward(&self, x: &Tensor, train: bool) -> Result<Tensor> {
        self.norm.forward_t(&self.inner.forward(x)?, train)
    }
}

#[test]
fn a_recording_that_is_refused_moves_no_statistics() -> Result<()> {
    let mean = Var::zeros(4, DType::F32, &Device::Cpu)?;
    let variance = Var::ones(4, DType::F32, &Device::Cpu)?;
    let norm = BatchNorm::new_no_bias(4, mean.as_tensor().clone(), variance.as_tensor().clone(), 1e-5)?;
    let model = Normed { inner: net().embed.clone(), norm };
    let error = model.run().record(&input(), true).unwrap_err().to_string();
    assert!(error.contains("`norm` (BatchNorm) behaves as in training"), "{error}");
    assert_eq!(mean.as_tensor().to_vec1::<f32>()?, [0.; 4]);
    Ok(())
}

/// A loop whose visits differ in shape, and a decision that is no number of the output.
#[derive(Model)]
struct Uneven {
    inner: Counted,
}

#[forward]
impl Uneven {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut sum = self.inner.forward(x)?;
        #[tap]
        let certain = sum.abs()?.max_all()?;
        if certain.to_scalar::<f32>()? < 0.5 {
            return sum.tanh();
        }
        for rows in [2, 1] {
            #[tap]
            let part = sum.narrow(0, 0, rows)?.sin()?;
            sum = sum.broadcast_add(&part.mean_keepdim(0)?)?;
        }
        Ok(sum)
    }
}

#[test]
fn visits_of_different_shapes_and_decisions_are_checked() -> Result<()> {
    let model = Uneven { inner: net().embed.clone() };
    let error = taper::check(&model, &input()).unwrap_err().to_string();
    assert!(error.contains("`certain` has no gradient") && !error.contains("`part` has"), "{error}");
    Check::of(&model).without_gradient("certain").run(&input())?;
    Ok(())
}

/// A cache behind a function.
#[derive(Model)]
struct Telling {
    inner: Counted,
}

#[forward]
impl Telling {
    fn forward(&self, x: &Tensor, tell: &mut dyn FnMut(&Tensor)) -> Result<Tensor> {
        let y = self.inner.forward(x)?;
        tell(&y);
        Ok(y)
    }
}

#[derive(Model)]
struct Boxed {
    inner: Counted,
}

#[forward]
impl Boxed {
    fn forward(&self, x: &Tensor, mut tell: Box<dyn FnMut(&Tensor) + 'static>) -> Result<Tensor> {
        let y = self.inner.forward(x)?;
        tell(&y);
        Ok(y)
    }
}

#[test]
fn functions_that_change_something_are_effects() {
    const { assert!(<Telling as taper::Tapped>::STATEFUL && <Boxed as taper::Tapped>::STATEFUL) }
}
