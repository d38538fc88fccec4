//! A replay is of the inputs and weights that were recorded; others are refused.

use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::{LayerNorm, Linear, Module, VarBuilder, VarMap, linear};
use taper::{Model, forward};
use taper_tests::fixtures::{assert_error, assert_same, builder, input};

use crate::maze::{Options, maze};
use crate::models::{Net, net};

const OTHER: [&str; 2] = ["is not that of the recorded run", "record"];

#[test]
fn another_tensor_is_refused_and_an_equal_one_is_not() -> Result<()> {
    let (model, ids) = (net(), input());
    let recording = model.run().record(&ids)?;
    let replay = recording.replay().edit(|t| t.blocks[3].mid, |x| x * 2.);
    let output = replay.forward(&ids)?;
    assert_same(&replay.forward(&ids.copy()?)?, &output);
    assert_same(&replay.forward(&ids.t()?.contiguous()?.t()?)?, &output);
    let parts = ["`ids`", OTHER[0], OTHER[1]];
    assert_error(replay.forward(&(&ids + 1e-6)?), &parts);
    assert_error(replay.forward(&ids.neg()?.neg()?.narrow(0, 0, 1)?), &parts);
    assert_error(replay.forward(&ids.reshape((4, 2))?), &parts);
    assert_error(replay.forward(&ids.to_dtype(DType::F64)?), &parts);
    assert_error(replay.forward_with_taps(&(&ids * 2.)?), &parts);
    assert_error(replay.capture(&(&ids * 2.)?, |t| t.output), &parts);
    assert_error(replay.record(&(&ids * 2.)?), &parts);
    assert_error(
        recording.replay().loss(|t| t.output, |y| y.sum_all()).gradients(&(&ids * 2.)?, |t| t.blocks[3].mid),
        &parts,
    );
    Ok(())
}

#[test]
fn an_input_that_was_written_to_is_refused() -> Result<()> {
    let model = net();
    let buffer = Tensor::zeros((2, 4), DType::F32, &Device::Cpu)?;
    let recording = model.run().record(&buffer)?;
    recording.replay().forward(&buffer)?;
    buffer.slice_set(&Tensor::ones((1, 4), DType::F32, &Device::Cpu)?, 0, 1)?;
    assert_error(recording.replay().forward(&buffer), &OTHER);
    let var = Var::from_tensor(&input())?;
    let recording = model.run().record(var.as_tensor())?;
    recording.replay().forward(var.as_tensor())?;
    var.set(&(input() * 2.)?)?;
    assert_error(recording.replay().forward(var.as_tensor()), &OTHER);
    Ok(())
}

#[test]
fn plain_data_is_compared() -> Result<()> {
    let (model, x) = (maze(), input());
    let recording = model.run().record(&x, &Options::default())?;
    recording.replay().forward(&x, &Options { branch: true, skipped: 1 })?;
    assert_error(recording.replay().forward(&x, &Options { branch: false, skipped: 1 }), &["`options`", OTHER[0]]);
    assert_error(recording.replay().forward(&x, &Options { branch: true, skipped: 2 }), &["`options`", OTHER[0]]);
    Ok(())
}

#[derive(Clone, Debug, PartialEq)]
pub struct Borrowed<'a>(&'a str);

/// Nothing to compare it by.
pub struct Opaque;

macro_rules! takes {
    ($($name:ident($($arg:ident: $ty:ty),*))+) => {$(
        #[derive(Model)]
        pub struct $name {
            #[load(linear(4, 4))]
            pub lin: Linear,
        }

        #[forward]
        impl $name {
            pub fn forward(&self, x: &Tensor, $($arg: $ty),*) -> Result<Tensor> {
                $(let _ = &$arg;)*
                self.lin.forward(x)
            }
        }

        impl $name {
            fn new() -> Self {
                Self::load(builder(&VarMap::new())).unwrap()
            }
        }
    )+};
}

takes! {
    Plain(train: bool, at: usize, scale: f64, name: &str)
    Optional(mask: Option<&Tensor>, limit: Option<usize>, text: Option<String>)
    Lists(masks: &[Tensor], more: Vec<Tensor>, sizes: &[usize], pair: (&Tensor, usize))
    Ranged(range: std::ops::Range<usize>, options: Options)
    Twice(options: &&Options)
    Borrows(text: Option<&Borrowed<'_>>)
    Unknown(opaque: &Opaque)
    UnknownByValue(opaque: Opaque)
    Function(f: &dyn Fn(usize) -> usize)
}

#[test]
fn arguments_of_every_kind_are_compared() -> Result<()> {
    let (x, y) = (input(), (input() * 2.)?);
    let model = Plain::new();
    let recording = model.run().record(&x, true, 3, 0.5, "a")?;
    recording.replay().forward(&x, true, 3, 0.5, "a")?;
    assert_error(recording.replay().forward(&x, false, 3, 0.5, "a"), &["`train`", OTHER[0]]);
    assert_error(recording.replay().forward(&x, true, 4, 0.5, "a"), &["`at`", OTHER[0]]);
    assert_error(recording.replay().forward(&x, true, 3, 0.25, "a"), &["`scale`", OTHER[0]]);
    assert_error(recording.replay().forward(&x, true, 3, 0.5, "b"), &["`name`", OTHER[0]]);
    let model = Optional::new();
    let recording = model.run().record(&x, Some(&y), None, Some("a".to_owned()))?;
    recording.replay().forward(&x, Some(&y.copy()?), None, Some("a".to_owned()))?;
    assert_error(recording.replay().forward(&x, None, None, Some("a".to_owned())), &["`mask`", OTHER[0]]);
    assert_error(recording.replay().forward(&x, Some(&x), None, Some("a".to_owned())), &["`mask`", OTHER[0]]);
    assert_error(recording.replay().forward(&x, Some(&y), Some(1), Some("a".to_owned())), &["`limit`", OTHER[0]]);
    assert_error(recording.replay().forward(&x, Some(&y), None, None), &["`text`", OTHER[0]]);
    let model = Lists::new();
    let both = [x.clone(), y.clone()];
    let recording = model.run().record(&x, &both, both.to_vec(), &[1, 2], (&y, 1))?;
    recording.replay().forward(&x, &both, both.to_vec(), &[1, 2], (&y, 1))?;
    assert_error(recording.replay().forward(&x, &both[..1], both.to_vec(), &[1, 2], (&y, 1)), &["`masks`"]);
    assert_error(recording.replay().forward(&x, &both, vec![y.clone(), x.clone()], &[1, 2], (&y, 1)), &["`more`"]);
    assert_error(recording.replay().forward(&x, &both, both.to_vec(), &[1], (&y, 1)), &["`sizes`"]);
    assert_error(recording.replay().forward(&x, &both, both.to_vec(), &[1, 2], (&x, 1)), &["`pair`"]);
    let model = Ranged::new();
    let recording = model.run().record(&x, 0..3, Options::default())?;
    recording.replay().forward(&x, 0..3, Options::default())?;
    assert_error(recording.replay().forward(&x, 0..4, Options::default()), &["`range`", OTHER[0]]);
    let model = Twice::new();
    let recording = model.run().record(&x, &&Options::default())?;
    recording.replay().forward(&x, &&Options::default())?;
    assert_error(recording.replay().forward(&x, &&Options { branch: false, skipped: 1 }), &["`options`", OTHER[0]]);
    Ok(())
}

#[test]
fn what_cannot_be_compared_cannot_be_recorded() -> Result<()> {
    let x = input();
    let refused = ["can't be recorded", "compared", "`PartialEq`"];
    assert_error(Unknown::new().run().record(&x, &Opaque), &["`opaque`", refused[0], refused[1], refused[2]]);
    assert_error(UnknownByValue::new().run().record(&x, Opaque), &["`opaque`", refused[0]]);
    assert_error(Function::new().run().record(&x, &|i| i), &["`f`", refused[0]]);
    let text = "a".to_owned();
    assert_error(Borrows::new().run().record(&x, Some(&Borrowed(&text))), &["`text`", refused[0]]);
    // Everything else of a run is there for them.
    Unknown::new().run().edit(|t| t.lin, |x| x * 2.).forward(&x, &Opaque)?;
    Borrows::new().run().edit(|t| t.lin, |x| x * 2.).capture(&x, Some(&Borrowed(&text)), |t| t.lin)?;
    Ok(())
}

const STALE: [&str; 2] = ["stale", "`Var`"];

#[test]
fn a_weight_that_was_set_is_noticed() -> Result<()> {
    let vars = VarMap::new();
    let (model, ids) = (Net::load(builder(&vars))?, input());
    let recording = model.run().record(&ids)?;
    let replay = recording.replay().edit(|t| t.blocks[11].mid, |x| x * 2.);
    replay.forward(&ids)?;
    let data = vars.data().lock().unwrap();
    for name in ["embed.weight", "blocks.11.mlp.down.bias", "head.bias"] {
        let before = data[name].as_detached_tensor().copy()?;
        data[name].set(&(&before + 1e-3)?)?;
        assert_error(replay.forward(&ids), &STALE);
        assert_error(recording.replay().forward(&ids), &STALE);
        assert_error(replay.capture(&ids, |t| t.embed.output), &STALE);
        // The weights of then are as good as they were.
        data[name].set(&before)?;
        replay.forward(&ids)?;
    }
    Ok(())
}

#[derive(Model)]
pub struct Raw {
    #[load(tensor(4))]
    pub shift: Tensor,
    #[load(candle_nn::layer_norm(4, 1e-5))]
    pub norm: LayerNorm,
    #[load(linear(4, 4))]
    pub lin: Linear,
}

#[forward]
impl Raw {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        // Nothing that comes in is on the autograd graph: the norm is candle's fused one, which drops its weights' gradients.
        let normed = self.norm.forward(x)?;
        self.lin.forward(&normed.detach())?.broadcast_add(&self.shift)
    }
}

#[test]
fn raw_parameters_and_those_behind_fused_operations_are_noticed() -> Result<()> {
    let vars = VarMap::new();
    let (model, x) = (Raw::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?, input());
    let recording = model.run().record(&x)?;
    let data = vars.data().lock().unwrap();
    assert_eq!(data.len(), 5);
    for (name, var) in data.iter() {
        let before = var.as_detached_tensor().copy()?;
        recording.replay().edit(|t| t.lin, |x| x * 2.).forward(&x)?;
        var.set(&(&before + 1e-3)?)?;
        let error = recording.replay().edit(|t| t.lin, |x| x * 2.).forward(&x);
        assert!(error.is_err(), "{name}");
        assert_error(error, &STALE);
        var.set(&before)?;
    }
    Ok(())
}

#[test]
fn a_variable_in_an_edit_is_noticed() -> Result<()> {
    let (model, ids) = (net(), input());
    let steering = Var::from_tensor(&Tensor::ones(4, DType::F32, &Device::Cpu)?)?;
    let run = model.run().edit(|t| t.blocks[2].mid, |x| x.broadcast_add(&steering));
    let recording = run.record(&ids)?;
    recording.replay().edit(|t| t.blocks[5].mid, |x| x * 2.).forward(&ids)?;
    steering.set(&(steering.as_tensor() * 2.)?)?;
    assert_error(recording.replay().edit(|t| t.blocks[5].mid, |x| x * 2.).forward(&ids), &STALE);
    // One that the replay itself brings may change.
    let recording = model.run().record(&ids)?;
    let replay = recording.replay().edit(|t| t.blocks[2].mid, |x| x.broadcast_add(&steering));
    replay.forward(&ids)?;
    steering.set(&(steering.as_tensor() * 2.)?)?;
    let fresh = model.run().edit(|t| t.blocks[2].mid, |x| x.broadcast_add(&steering));
    assert_same(&replay.forward(&ids)?, &fresh.forward(&ids)?);
    Ok(())
}
