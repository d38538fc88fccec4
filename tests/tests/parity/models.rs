//! Models with every container, and references made of their own taps.

use std::collections::HashMap;

use candle_core::{Device, Result, Tensor};
use candle_nn::{Linear, Module};
use taper::parity::Reference;
use taper::{Model, forward};

/// The numbers in a row.
pub fn row(values: &[f32]) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap().unsqueeze(0).unwrap()
}

/// A layer that multiplies by a number.
pub fn times(factor: f32) -> Linear {
    Linear::new((Tensor::eye(2, candle_core::DType::F32, &Device::Cpu).unwrap() * f64::from(factor)).unwrap(), None)
}

#[derive(Model)]
pub struct Block {
    pub fc: Linear,
    pub gate: Option<Linear>,
}

#[forward]
impl Block {
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let mut y = self.fc.forward(x)?;
        if let Some(gate) = &self.gate {
            #[tap]
            let gated = gate.forward(&y)?.relu()?;
            y = gated;
        }
        x + y
    }
}

/// Blocks are called from the last to the first, `shared` three times; the last field runs first.
#[derive(Model)]
pub struct Net {
    pub blocks: Vec<Block>,
    pub shared: Linear,
    pub first: Linear,
}

#[forward]
impl Net {
    pub fn forward(&self, x: &Tensor, big: bool) -> Result<(Tensor, Tensor)> {
        let mut x = self.first.forward(x)?;
        for block in self.blocks.iter().rev() {
            x = block.forward(&x)?;
        }
        for _ in 0..3 {
            x = self.shared.forward(&x)?;
        }
        if big {
            #[tap]
            let large = (&x * 100.)?;
            x = large;
        }
        #[tap]
        let count: usize = x.elem_count();
        let half = (&x / count as f64)?;
        Ok((x, half))
    }
}

/// Two blocks, the second with a gate.
pub fn net() -> Net {
    let block = |factor, gate: Option<f32>| Block { fc: times(factor), gate: gate.map(times) };
    Net { blocks: vec![block(0.5, None), block(-0.5, Some(-2.))], shared: times(0.5), first: times(3.) }
}

/// The taps of `net` as a reference, with the names that the original might have.
pub fn reference(x: &Tensor, change: impl FnOnce(&mut HashMap<String, Tensor>)) -> Result<Reference> {
    let (_, taps) = net().forward_with_taps(x, false)?;
    let blocks = &taps.blocks;
    let mut tensors: HashMap<String, Tensor> = [
        ("input.x", x),
        ("module.first", &taps.first),
        ("module.h.0.fc", &blocks[0].fc),
        ("module.h.1.fc", &blocks[1].fc),
        ("module.h.1.gate", blocks[1].gate.as_ref().unwrap()),
        ("module.h.1.gate.relu", blocks[1].gated.as_ref().unwrap()),
        ("module.h.0", &blocks[0].output),
        ("module.h.1", &blocks[1].output),
        ("module.shared", &taps.shared[0]),
        ("module.shared#2", &taps.shared[1]),
        ("module.shared#3", &taps.shared[2]),
        ("output.0", &taps.output.0),
        ("output.1", &taps.output.1),
    ]
    .map(|(name, tensor)| (name.to_owned(), tensor.copy().unwrap()))
    .into();
    change(&mut tensors);
    Ok(Reference::from_tensors(tensors))
}
