//! Taps as files.

use std::path::PathBuf;

use candle_core::{Device, Result, Tensor};
use candle_nn::rnn::{LSTM, LSTMState, RNN, lstm};
use candle_nn::{Linear, Module, linear};
use taper::{Model, SavedTaps, forward};

use super::{assert_error, bits, random, vb};

#[derive(Model)]
pub struct Part {
    #[load(linear(4, 4))]
    pub inner: Linear,
}

#[forward]
impl Part {
    pub fn forward(&self, x: &Tensor, gated: bool) -> Result<(Tensor, Tensor)> {
        let y = self.inner.forward(x)?;
        if gated {
            #[tap]
            let g = y.relu()?;
            return Ok((g, y));
        }
        Ok((y.clone(), y))
    }
}

/// A value of every kind.
#[derive(Model)]
#[model(config = usize)]
pub struct Net {
    #[load(each(*cfg))]
    pub parts: Vec<Part>,
    #[load(linear(4, 4))]
    pub shared: Linear,
    #[load(linear(4, 4))]
    pub gate: Linear,
    #[load(maybe(false, linear(4, 4)))]
    pub absent: Option<Linear>,
    #[load(lstm(4, 4, Default::default()))]
    pub steps: LSTM,
    #[load(lstm(4, 4, Default::default()))]
    pub seq: LSTM,
}

#[forward]
impl Net {
    pub fn forward(&self, #[tap] x: &Tensor, gated: bool) -> Result<(Tensor, Vec<Tensor>)> {
        let mut x = x.clone();
        for (i, part) in self.parts.iter().enumerate() {
            x = part.forward(&x, gated && i == 1)?.0;
        }
        let mut state = self.steps.zero_state(2)?;
        for i in 0..3 {
            x = self.shared.forward(&x)?;
            state = self.steps.step(&x, &state)?;
            #[tap]
            let now_and_then: Option<Tensor> = if i == 1 { Some(x.clone()) } else { None };
            if let Some(now) = now_and_then {
                x = (x + now)?;
            }
        }
        if gated {
            x = self.gate.forward(&x)?;
            #[tap]
            let nothing: Vec<Tensor> = Vec::new();
            x = nothing.iter().try_fold(x, |x, y| x + y)?;
        }
        x = x.apply(&self.absent.as_ref())?;
        let states = self.seq.seq(&x.unsqueeze(1)?.repeat((1, 2, 1))?)?;
        #[tap]
        let all: (Tensor, Vec<Tensor>) = (x, vec![state.h, states[1].c.clone()]);
        Ok(all)
    }
}

/// A file that goes with the test.
struct File(PathBuf);

impl File {
    fn new(name: &str) -> Self {
        File(std::env::temp_dir().join(format!("taper-files-{}-{name}.safetensors", std::process::id())))
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

/// A tensor of a file: name, shape, bits.
type Saved = (String, Vec<usize>, Vec<u32>);

/// Every tensor of a file, and the names of the taps.
fn content(file: &File) -> Result<(Vec<Saved>, Vec<String>)> {
    let mut tensors: Vec<_> = candle_core::safetensors::load(&file.0, &Device::Cpu)?
        .into_iter()
        .map(|(name, tensor)| (name, bits(&tensor).0, bits(&tensor).1))
        .collect();
    tensors.sort();
    Ok((tensors, SavedTaps::load(&file.0)?.names().to_vec()))
}

#[test]
fn taps_come_back_from_a_file_bit_for_bit() -> Result<()> {
    let net = Net::load(vb(), &3)?;
    for gated in [false, true] {
        let (saved, again) = (File::new(&format!("saved-{gated}")), File::new(&format!("again-{gated}")));
        let x = random((2, 4));
        let (output, taps) = net.forward_with_taps(&x, gated)?;
        assert_eq!(bits(&output.1[0]), bits(&net.forward(&x, gated)?.1[0]));
        taps.save(&saved.0)?;
        let loaded = NetTaps::load(&net, &saved.0)?;
        loaded.save(&again.0)?;
        assert_eq!(content(&saved)?, content(&again)?);
        assert_eq!(format!("{taps:?}"), format!("{loaded:?}"));
        assert_eq!(loaded.gate.is_some(), gated);
        assert_eq!(loaded.nothing.as_ref().map(Vec::len), gated.then_some(0));
        assert_eq!(loaded.parts.iter().map(|p| p.g.is_some()).collect::<Vec<_>>(), [false, gated, false]);
        assert_eq!((loaded.shared.len(), loaded.absent.is_none()), (3, true));
        let now: Vec<_> = loaded.now_and_then.iter().map(Option::is_some).collect();
        assert_eq!(now, [false, true, false]);
        let state = |state: &LSTMState| (bits(&state.h), bits(&state.c));
        let states = |states: &[LSTMState]| states.iter().map(state).collect::<Vec<_>>();
        assert_eq!(states(&loaded.steps), states(&taps.steps));
        assert_eq!(states(&loaded.seq), states(&taps.seq));
        assert_eq!(bits(&loaded.parts[1].output.1), bits(&taps.parts[1].output.1));
        assert_eq!(bits(&loaded.output.1[1]), bits(&taps.output.1[1]));
    }
    Ok(())
}

#[test]
fn a_file_tells_its_model_and_taps() -> Result<()> {
    let net = Net::load(vb(), &2)?;
    let file = File::new("metadata");
    let (_, taps) = net.forward_with_taps(&random((2, 4)), true)?;
    taps.save(&file.0)?;
    let saved = SavedTaps::load(&file.0)?;
    assert_eq!(saved.model(), "Net");
    assert_eq!(
        saved.names().join(" "),
        "x parts.0.inner parts.0.output parts.1.inner parts.1.g parts.1.output shared.0 shared.1 shared.2 \
         steps.0 steps.1 steps.2 now_and_then.0 now_and_then.1 now_and_then.2 gate nothing seq all output"
    );
    assert_eq!(bits(saved.get("parts.1.g")?), bits(taps.parts[1].g.as_ref().unwrap()));
    assert_eq!(bits(saved.get("steps.2.c")?), bits(&taps.steps[2].c));
    assert_eq!(bits(saved.get("output.1.0")?), bits(&taps.output.1[0]));
    assert_error(saved.get("shared"), &["no tensor `shared`", "metadata"]);
    let raw = std::fs::read(&file.0)?;
    let header = String::from_utf8_lossy(&raw[8..]).into_owned();
    assert!(header.contains("taper.model") && header.contains("taper.taps"));
    Ok(())
}

#[derive(Model)]
pub struct Other {
    #[load(linear(4, 4))]
    pub different: Linear,
}

#[forward]
impl Other {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.different.forward(x)
    }
}

#[test]
fn what_is_not_the_models_file_is_refused() -> Result<()> {
    let net = Net::load(vb(), &2)?;
    let missing = File::new("missing");
    let path = missing.0.display().to_string();
    assert_error(NetTaps::load(&net, &missing.0), &[&path]);
    assert_error(SavedTaps::load(&missing.0), &[&path]);

    let foreign = File::new("foreign");
    candle_core::safetensors::save(&[("x", random((2, 4)))].into(), &foreign.0)?;
    assert_error(NetTaps::load(&net, &foreign.0), &["taper.model", "not written by `taps.save`"]);
    std::fs::write(&foreign.0, b"no safetensors")?;
    assert_error(NetTaps::load(&net, &foreign.0), &[&foreign.0.display().to_string()]);

    let other = File::new("other");
    let x = random((2, 4));
    Other::load(vb())?.forward_with_taps(&x)?.1.save(&other.0)?;
    assert_error(NetTaps::load(&net, &other.0), &["`different` is no tap of this model", "of a `Other`"]);

    // The same type with more layers, and with fewer.
    let longer = File::new("longer");
    Net::load(vb(), &3)?.forward_with_taps(&x, false)?.1.save(&longer.0)?;
    assert_error(NetTaps::load(&net, &longer.0), &["`parts.2.inner` is no tap of this model"]);
    Net::load(vb(), &1)?.forward_with_taps(&x, false)?.1.save(&longer.0)?;
    assert_error(NetTaps::load(&net, &longer.0), &["`parts.1.inner`"]);
    Ok(())
}

#[test]
fn a_file_can_not_be_written_where_there_is_no_folder() -> Result<()> {
    let (_, taps) = Other::load(vb())?.forward_with_taps(&random((1, 4)))?;
    assert_error(taps.save("/no/such/folder/taps.safetensors"), &["/no/such/folder"]);
    Ok(())
}
