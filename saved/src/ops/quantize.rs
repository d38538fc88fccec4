//! Values that are rounded to as many steps as an integer of few bits has: how models are trained that are to be
//! quantized.

use candle_core::{DType, Tensor};

use super::{Build, Compute, one, three};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("FakeQuantWithMinMaxArgs", |attrs| {
        let steps = Steps::read(attrs)?;
        let (low, high) = (attrs.float_or("min", -6.)?, attrs.float_or("max", 6.)?);
        one(move |x| steps.round(x, &[low], &[high]))
    }),
    ("FakeQuantWithMinMaxVars", of_range),
    ("FakeQuantWithMinMaxVarsPerChannel", of_range),
];

/// The lowest and the highest of the integers.
#[derive(Clone, Copy)]
struct Steps {
    low: f32,
    high: f32,
}

fn of_range(attrs: &Attrs<'_>) -> Result<Compute> {
    let steps = Steps::read(attrs)?;
    three(move |x, low, high| {
        let all = |x: &Tensor| x.to_dtype(DType::F32)?.flatten_all()?.to_vec1::<f32>();
        steps.round(x, &all(low)?, &all(high)?)
    })
}

impl Steps {
    fn read(attrs: &Attrs<'_>) -> Result<Self> {
        let bits = attrs.int("num_bits")?.unwrap_or(8);
        if !(2..=16).contains(&bits) {
            return Err(Error::Msg(format!("integers of {bits} bits are not supported")));
        }
        Ok(Steps { low: f32::from(u8::from(attrs.bool("narrow_range")?)), high: ((1 << bits) - 1) as f32 })
    }

    /// To the steps between two values, one pair for all or one for each channel. Its slope is 1 between them.
    fn round(self, x: &Tensor, low: &[f32], high: &[f32]) -> Result<Tensor> {
        if low.len() != high.len() || low.len() > 1 && x.dims().last() != Some(&low.len()) {
            return Err(Error::Msg(format!("{} lows and {} highs for {:?}", low.len(), high.len(), x.dims())));
        }
        let (mut lows, mut highs, mut scales) = (Vec::new(), Vec::new(), Vec::new());
        for (low, high) in low.iter().zip(high) {
            let empty = *low == 0. && *high == 0.;
            let scale = if empty { 1. } else { (high - low) / (self.high - self.low) };
            // So that 0 is a step.
            let zero = (self.low - low / scale).round().clamp(self.low, self.high);
            lows.push(if empty { 0. } else { (self.low - zero) * scale });
            highs.push(if empty { 0. } else { (self.high - zero) * scale });
            scales.push(scale);
        }
        let row = |values: &[f32]| match values {
            [one] => Tensor::new(*one, x.device()),
            all => Tensor::new(all, x.device()),
        };
        let (low, high, scale) = (row(&lows)?, row(&highs)?, row(&scales)?);
        let inside = x.broadcast_maximum(&low)?.broadcast_minimum(&high)?;
        let steps = (inside.broadcast_sub(&low)?.broadcast_mul(&scale.recip()?)? + 0.5)?.floor()?;
        let rounded = steps.broadcast_mul(&scale)?.broadcast_add(&low)?;
        if x.track_op() { &inside + (rounded - &inside)?.detach() } else { Ok(rounded) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, f, output, outputs, same};

    /// By TensorFlow.
    #[test]
    fn values_are_rounded_to_steps() {
        let x = f(&[6], &[-2., -0.7, 0., 0.33, 1.2, 9.]);
        let args = [("min", A::Float(-1.)), ("max", A::Float(1.5)), ("num_bits", A::Int(4))];
        same(
            &output("FakeQuantWithMinMaxArgs", &args, [x.clone()]),
            &[6],
            &[-1., -0.666_666_7, 0., 0.333_333_3, 1.166_666_7, 1.5],
        );
        let narrow = [("num_bits", A::Int(8)), ("narrow_range", A::Bool(true))];
        same(
            &output("FakeQuantWithMinMaxVars", &narrow, [x.clone(), f(&[], &[-1.3]), f(&[], &[1.7])]),
            &[6],
            &[-1.299_212_6, -0.696_850_4, 0., 0.330_708_7, 1.204_724_4, 1.700_787_4],
        );
        let (low, high) = (f(&[2], &[-1., 0.2]), f(&[2], &[1., 2.]));
        let rows = [x.reshape((3, 2)).unwrap(), low, high];
        let three = [("num_bits", A::Int(3))];
        same(
            &output("FakeQuantWithMinMaxVarsPerChannel", &three, &rows),
            &[3, 2],
            &[-0.857_142_9, 0., 0., 0.257_142_8, 1.142_857_2, 1.8],
        );
        assert!(outputs("FakeQuantWithMinMaxArgs", &[("num_bits", A::Int(40))], [x]).is_err());
    }
}
