//! Every layer of candle-nn as a field, foreign layers, closures: each value is what the layer itself gives.

use candle_core::quantized::{GgmlDType, QMatMul, QTensor};
use candle_core::{Device, Module, ModuleT, Result, Tensor};
use candle_nn::rnn::{GRU, LSTM, LSTMState, RNN, gru, lstm};
use candle_nn::{
    Activation, BatchNorm, Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d, Dropout, Embedding, Func, GroupNorm,
    LayerNorm, Linear, PReLU, RmsNorm, Sequential,
};
use taper::{Model, forward};

use super::{assert_same, bits, random, vb};

#[derive(Model)]
pub struct Convolutions {
    pub conv1d: Conv1d,
    pub transposed1d: ConvTranspose1d,
    pub conv2d: Conv2d,
    pub transposed2d: ConvTranspose2d,
    pub group_norm: GroupNorm,
    pub batch_norm: BatchNorm,
    pub prelu: PReLU,
}

#[forward]
impl Convolutions {
    pub fn forward(&self, line: &Tensor, image: &Tensor, train: bool) -> Result<(Tensor, Tensor)> {
        let line = self.transposed1d.forward(&line.apply(&self.conv1d)?)?;
        let image = image.apply(&self.conv2d)?.apply(&self.transposed2d)?;
        let image = self.group_norm.forward(&image)?.apply_t(&self.batch_norm, train)?;
        Ok((line, self.prelu.forward(&image)?))
    }
}

#[test]
fn convolutions_and_their_norms() -> Result<()> {
    let ones = || random(4).ones_like();
    let model = Convolutions {
        conv1d: Conv1d::new(random((3, 2, 3)), Some(random(3)), Default::default()),
        transposed1d: ConvTranspose1d::new(random((3, 2, 3)), None, Default::default()),
        conv2d: Conv2d::new(random((4, 2, 3, 3)), None, Default::default()),
        transposed2d: ConvTranspose2d::new(random((4, 4, 3, 3)), None, Default::default()),
        group_norm: GroupNorm::new(ones()?, random(4), 4, 2, 1e-5)?,
        batch_norm: BatchNorm::new(4, random(4), ones()?, ones()?, random(4), 1e-5)?,
        prelu: PReLU::new(random(1), true),
    };
    let (line, image) = (random((1, 2, 8)), random((2, 2, 6, 6)));
    let expected = {
        let conv1d = model.conv1d.forward(&line)?;
        let transposed1d = model.transposed1d.forward(&conv1d)?;
        let conv2d = model.conv2d.forward(&image)?;
        let transposed2d = model.transposed2d.forward(&conv2d)?;
        let group_norm = model.group_norm.forward(&transposed2d)?;
        let batch_norm = model.batch_norm.forward_t(&group_norm, false)?;
        let prelu = model.prelu.forward(&batch_norm)?;
        [conv1d, transposed1d, conv2d, transposed2d, group_norm, batch_norm, prelu]
    };
    let (output, t) = model.forward_with_taps(&line, &image, false)?;
    let taps = [t.conv1d, t.transposed1d, t.conv2d, t.transposed2d, t.group_norm, t.batch_norm, t.prelu];
    let captured = model.capture(&line, &image, false, |t| {
        [t.conv1d, t.transposed1d, t.conv2d, t.transposed2d, t.group_norm, t.batch_norm, t.prelu]
    })?;
    assert_same(&output.1, &expected[6]);
    assert_same(&output.1, &model.forward(&line, &image, false)?.1);
    for ((tap, captured), expected) in taps.iter().zip(&captured).zip(&expected) {
        assert_same(tap, expected);
        assert_same(captured, expected);
    }
    let train = model.capture(&line, &image, true, |t| t.batch_norm)?;
    assert_ne!(bits(&train), bits(&expected[5]));
    Ok(())
}

type Closure = Box<dyn Fn(&Tensor) -> Result<Tensor>>;

/// A layer of another crate with two outputs.
pub struct Halves;

impl Halves {
    fn forward(&self, x: &Tensor) -> Result<(Tensor, Tensor)> {
        Ok((x.narrow(1, 0, 16)?, x.narrow(1, 16, 16)?))
    }
}

#[derive(Model)]
pub struct Dense {
    pub embedding: Embedding,
    pub linear: Linear,
    pub layer_norm: LayerNorm,
    pub rms_norm: RmsNorm,
    pub dropout: Dropout,
    pub dropout_t: Dropout,
    pub dropout_applied: Dropout,
    pub activation: Activation,
    pub sequential: Sequential,
    pub func: Func<'static>,
    pub boxed: Box<dyn Module>,
    pub quantized: QMatMul,
    #[model(leaf)]
    pub pointer: fn(&Tensor) -> Result<Tensor>,
    #[model(leaf)]
    pub closure: Closure,
    #[model(leaf = (Tensor, Tensor))]
    pub halves: Halves,
    #[model(leaf)]
    pub several: Vec<fn(&Tensor) -> Result<Tensor>>,
}

#[forward]
impl Dense {
    pub fn forward(&self, ids: &Tensor, train: bool) -> Result<Tensor> {
        let x = self.embedding.forward(ids)?.apply(&self.linear)?;
        let x = self.rms_norm.forward(&self.layer_norm.forward(&x)?)?;
        let x = self.dropout_t.forward_t(&self.dropout.forward(&x, train)?, train)?;
        let x = x.apply_t(&self.dropout_applied, train)?;
        let x = self.sequential.forward(&x.apply(&self.activation)?)?;
        let x = self.boxed.forward(&x.apply(&self.func)?)?.apply(&self.quantized)?;
        let x = (self.closure)(&(self.pointer)(&x)?)?;
        let (a, b) = self.halves.forward(&x)?;
        let mut x = (a - b)?;
        for f in &self.several {
            x = f(&x)?;
        }
        Ok(x)
    }
}

#[test]
fn dense_layers_closures_and_foreign_ones() -> Result<()> {
    let linear = || Linear::new(random((32, 32)), Some(random(32)));
    let quantized = QTensor::quantize(&random((32, 32)), GgmlDType::Q8_0)?;
    let model = Dense {
        embedding: Embedding::new(random((5, 32)), 32),
        linear: linear(),
        layer_norm: LayerNorm::new(random(32), random(32), 1e-5),
        rms_norm: RmsNorm::new(random(32), 1e-5),
        dropout: Dropout::new(0.5),
        dropout_t: Dropout::new(0.5),
        dropout_applied: Dropout::new(0.5),
        activation: Activation::GeluPytorchTanh,
        sequential: candle_nn::seq().add(linear()).add_fn(|x| x.tanh()),
        func: Func::new(|x| x * 2.),
        boxed: Box::new(linear()),
        quantized: QMatMul::from_qtensor(quantized)?,
        pointer: Tensor::abs,
        closure: Box::new(|x| x + 1.),
        halves: Halves,
        several: vec![Tensor::neg, Tensor::sqr],
    };
    let ids = Tensor::new(&[0u32, 3, 1], &Device::Cpu)?;
    let output = model.forward(&ids, false)?;
    let (same, t) = model.forward_with_taps(&ids, false)?;
    assert_same(&same, &output);
    assert_same(&t.embedding, &model.embedding.forward(&ids)?);
    assert_same(&t.linear, &model.linear.forward(&t.embedding)?);
    assert_same(&t.layer_norm, &model.layer_norm.forward(&t.linear)?);
    assert_same(&t.rms_norm, &model.rms_norm.forward(&t.layer_norm)?);
    assert_same(&t.dropout, &t.rms_norm);
    assert_same(&t.dropout_t, &t.rms_norm);
    assert_same(&t.dropout_applied, &t.rms_norm);
    assert_same(&t.activation, &model.activation.forward(&t.rms_norm)?);
    assert_same(&t.sequential, &model.sequential.forward(&t.activation)?);
    assert_same(&t.func, &(&t.sequential * 2.)?);
    assert_same(&t.boxed, &model.boxed.forward(&t.func)?);
    assert_same(&t.quantized, &model.quantized.forward(&t.boxed)?);
    assert_same(&t.pointer, &t.quantized.abs()?);
    assert_same(&t.closure, &(&t.pointer + 1.)?);
    assert_same(&t.halves.1, &t.closure.narrow(1, 16, 16)?);
    assert_same(&t.several[1], &output);
    for site in model.sites().iter().filter(|site| site.site().is_ok()) {
        let (_, again) = model.forward_with_taps(&ids, false)?;
        let alone = model.capture(&ids, false, |_| site.clone())?;
        let all = model.capture(&ids, false, |_| (site.clone(), model.sites().output))?;
        assert_eq!(bits(&alone[0]), bits(&all.0[0]), "{site}");
        assert_same(&all.1, &again.output);
    }
    let halves = model.capture(&ids, false, |t| t.halves)?;
    assert_same(&halves.0, &t.halves.0);
    // In training each dropout draws anew: what is captured is what flowed on.
    let (output, t) = model.forward_with_taps(&ids, true)?;
    assert_same(&t.activation, &model.activation.forward(&t.dropout_applied)?);
    assert_ne!(bits(&t.dropout), bits(&t.rms_norm));
    assert_same(&t.output, &output);
    Ok(())
}

#[derive(Model)]
pub struct Recurrent {
    #[load(lstm(4, 4, Default::default()))]
    pub lstm_steps: LSTM,
    #[load(lstm(4, 4, Default::default()))]
    pub lstm: LSTM,
    #[load(gru(4, 4, Default::default()))]
    pub gru_steps: GRU,
    #[load(gru(4, 4, Default::default()))]
    pub gru: GRU,
    #[load(lstm(4, 4, Default::default()))]
    pub lstm_init: LSTM,
}

#[forward]
impl Recurrent {
    /// `x`: [batch, step, 4].
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut lstm = self.lstm_steps.zero_state(x.dim(0)?)?;
        let mut gru = self.gru_steps.zero_state(x.dim(0)?)?;
        for step in 0..x.dim(1)? {
            let x = x.narrow(1, step, 1)?.squeeze(1)?;
            lstm = self.lstm_steps.step(&x, &lstm)?;
            gru = self.gru_steps.step(&lstm.h, &gru)?;
        }
        let states = self.lstm.seq(x)?;
        let x = self.lstm.states_to_tensor(&states)?.reshape(x.shape())?;
        let states = self.gru.seq(&x)?;
        let x = self.gru.states_to_tensor(&states)?.reshape(x.shape())?;
        let states = self.lstm_init.seq_init(&x, &lstm)?;
        gru.h + &states[0].h
    }
}

#[test]
fn recurrent_layers() -> Result<()> {
    let model = Recurrent::load(vb())?;
    let x = random((2, 3, 4));
    let (output, t) = model.forward_with_taps(&x)?;
    assert_same(&output, &model.forward(&x)?);
    assert_eq!([t.lstm_steps.len(), t.gru_steps.len(), t.lstm.len(), t.gru.len(), t.lstm_init.len()], [3; 5]);
    let state = |state: &LSTMState| (bits(&state.h), bits(&state.c));
    let mut expected = model.lstm_steps.zero_state(2)?;
    let mut gru = model.gru_steps.zero_state(2)?;
    for step in 0..3 {
        expected = model.lstm_steps.step(&x.narrow(1, step, 1)?.squeeze(1)?, &expected)?;
        gru = model.gru_steps.step(&expected.h, &gru)?;
        assert_eq!(state(&t.lstm_steps[step]), state(&expected));
        assert_same(&t.gru_steps[step].h, &gru.h);
    }
    let states = model.lstm.seq(&x)?;
    assert_eq!(t.lstm.iter().map(state).collect::<Vec<_>>(), states.iter().map(state).collect::<Vec<_>>());
    let (steps, whole, second) = model.capture(&x, |t| {
        (t.gru_steps.each(|s| s.map(|s| Ok(s.h.clone()))), t.gru, t.lstm.map(|s| Ok(s[1].h.clone())))
    })?;
    assert_same(&steps[2], &t.gru_steps[2].h);
    assert_same(&whole[1].h, &t.gru[1].h);
    assert_same(&second, &t.lstm[1].h);
    Ok(())
}
