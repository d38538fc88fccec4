//! Inputs that are made up.

use super::inputs::Slot;
use super::source::Random;
use crate::failure::{Failure, Outcome};
use crate::show::typed;
use candle_core::{DType, Device, Tensor};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// The most numbers that are made up: 4 GiB of floats.
const MOST: usize = 1 << 30;

/// Numbers for an input, the same on every machine. Inputs of one seed differ by their places.
pub(super) fn random(random: &Random, slot: &Slot<'_>) -> Outcome<Tensor> {
    let what = &slot.what;
    let shape = shape(random, slot)?;
    let count = shape.iter().try_fold(1usize, |count, size| count.checked_mul(*size)).filter(|count| *count <= MOST);
    let count = count.ok_or_else(|| Failure::usage(format!("{what}: {shape:?} is too large")))?;
    let mut numbers = ChaCha8Rng::seed_from_u64(random.seed);
    numbers.set_stream(slot.place);
    let ty = slot.tensor.ty();
    let dtype = ty
        .dtype()
        .ok_or_else(|| Failure::unsupported(format!("{what} is of the type {ty}, which no tensor of candle holds")))?;
    let made = match (dtype, random.range) {
        (DType::U8 | DType::I64, range) => {
            let (from, to) = range.unwrap_or(if ty.name() == "uint8" { (0., 256.) } else { (0., 2.) });
            let (from, to) = (from.ceil() as i64, to.ceil() as i64);
            if from >= to || dtype == DType::U8 && (from < 0 || to > 256) {
                return Err(Failure::usage(format!("{what}: no {ty} is in {from}..{to}")));
            }
            let integers = (0..count).map(|_| numbers.random_range(from..to)).collect::<Vec<_>>();
            Tensor::from_vec(integers, shape, &Device::Cpu)
        }
        (_, Some((from, to))) => {
            let floats = (0..count).map(|_| numbers.random_range(from..to)).collect::<Vec<f64>>();
            Tensor::from_vec(floats, shape, &Device::Cpu)
        }
        (_, None) => {
            let floats = (0..count).map(|_| numbers.sample(StandardNormal)).collect::<Vec<f64>>();
            Tensor::from_vec(floats, shape, &Device::Cpu)
        }
    };
    made.and_then(|made| made.to_dtype(dtype)).map_err(Failure::run)
}

fn shape(random: &Random, slot: &Slot<'_>) -> Outcome<Vec<usize>> {
    // Whether one that is given fits is compared as for any array.
    if let Some(shape) = &random.shape {
        return Ok(shape.clone());
    }
    let known = slot.tensor.shape();
    let sizes = known.as_ref().and_then(|sizes| {
        let size = |(place, size): (usize, &Option<usize>)| size.or((place == 0).then_some(1));
        sizes.iter().enumerate().map(size).collect::<Option<Vec<_>>>()
    });
    sizes.ok_or_else(|| {
        let typed = typed(slot.tensor.ty(), known.as_deref());
        let example: Vec<_> = match &known {
            Some(sizes) => {
                let size = |(place, size): (usize, &Option<usize>)| {
                    size.unwrap_or(if place == 0 { 1 } else { 32 }).to_string()
                };
                sizes.iter().enumerate().map(size).collect()
            }
            None => vec!["1".to_owned(), "32".to_owned()],
        };
        Failure::usage(format!(
            "{} is {typed}: more than the size of the batch is not known; say the shape, such as `{}=random:{}:{}`",
            slot.what,
            slot.names[0],
            random.seed,
            example.join(",")
        ))
    })
}
