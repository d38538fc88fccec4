//! What the examples share: initial weights from a seed, and pictures.

pub mod grid;
pub mod picture;

use anyhow::{Context, Result, anyhow, ensure};
use candle_core::Tensor;
use candle_nn::VarMap;
use rand::Rng;

/// The first argument of the program as a number, 0 without one.
///
/// # Errors
/// Anything else on the command line.
pub fn seed() -> Result<u64> {
    let mut arguments = std::env::args().skip(1);
    let seed = arguments.next().map_or(Ok(0), |seed| {
        seed.parse().with_context(|| format!("the seed {seed:?} is not a whole number from 0"))
    })?;
    ensure!(arguments.next().is_none(), "expected one argument at most, a seed");
    Ok(seed)
}

/// Overwrites all variables: matrices and kernels uniform with variance `gain` / inputs, biases zero; scales of norms, the
/// other vectors, stay as they are.
///
/// candle's own generator on the CPU takes no seed, so the values come from `rng`; in the order of the names, because a
/// [`VarMap`] has no order of its own.
///
/// # Errors
/// None that a fresh `VarMap` can give.
pub fn initialize(variables: &VarMap, gain: f32, rng: &mut impl Rng) -> Result<()> {
    let variables =
        variables.data().lock().map_err(|_| anyhow!("another thread panicked while it held the variables"))?;
    let mut named: Vec<_> = variables.iter().collect();
    named.sort_by_key(|(name, _)| name.as_str());
    for (name, variable) in named {
        let dims = variable.dims();
        let values: Vec<f32> = if dims.len() > 1 {
            let inputs: usize = dims[1..].iter().product();
            let bound = (3.0 * gain / inputs as f32).sqrt();
            (0..variable.elem_count()).map(|_| rng.random_range(-bound..bound)).collect()
        } else if name.ends_with("bias") {
            vec![0.0; variable.elem_count()]
        } else {
            continue;
        };
        Tensor::from_vec(values, dims, variable.device())
            .and_then(|values| variable.set(&values))
            .with_context(|| format!("cannot initialize {name}"))?;
    }
    Ok(())
}
