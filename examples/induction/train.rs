//! The task, which is to continue a random sequence that repeats, and the training loop.

use anyhow::{Result, ensure};
use candle_core::{Device, Tensor};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarMap, loss};
use rand::Rng;
use rand::seq::SliceRandom;

use crate::model::{AttentionOnly, VOCAB};

/// Tokens in a sequence.
pub(crate) const LEN: usize = 32;
/// Where training ends: the loss on new sequences, in nats. Guessing costs ln 64 = 4.16.
const GOAL: f32 = 0.03;

/// Different random tokens that repeat with a period: [`sequences`, `LEN`].
pub(crate) fn repeated(sequences: usize, period: usize, rng: &mut impl Rng) -> Result<Tensor> {
    let mut ids = Vec::<u32>::with_capacity(sequences * LEN);
    for _ in 0..sequences {
        let mut tokens: Vec<u32> = (0..VOCAB).collect();
        let (tokens, _) = tokens.partial_shuffle(rng, period);
        ids.extend(tokens.iter().cycle().take(LEN));
    }
    Ok(Tensor::from_vec(ids, (sequences, LEN), &Device::Cpu)?)
}

/// The cross-entropy, in nats a token, of what copying can predict: all that comes after the first token that repeats.
pub(crate) fn copy_loss(logits: &Tensor, ids: &Tensor, period: usize) -> candle_core::Result<Tensor> {
    let predicted = LEN - 1 - period;
    let next = ids.narrow(1, period + 1, predicted)?.flatten_all()?;
    loss::cross_entropy(&logits.narrow(1, period, predicted)?.flatten_to(1)?, &next)
}

/// Trains on sequences of a random period until those of the longest one, which are new, are continued well.
pub(crate) fn train(model: &AttentionOnly, variables: &VarMap, rng: &mut impl Rng) -> Result<()> {
    let params = ParamsAdamW { lr: 3e-3, beta2: 0.99, weight_decay: 0.3, ..Default::default() };
    let mut optimizer = AdamW::new(variables.all_vars(), params.clone())?;
    for step in 0..4000 {
        let period = rng.random_range(LEN / 4..=LEN / 2);
        let ids = repeated(32, period, rng)?;
        optimizer.set_learning_rate(params.lr * (f64::from(step + 1) / 100.0).min(1.0));
        optimizer.backward_step(&copy_loss(&model.forward(&ids)?, &ids, period)?)?;
        if step % 50 == 0 {
            let new = repeated(64, LEN / 2, rng)?;
            let loss = copy_loss(&model.forward(&new)?, &new, LEN / 2)?.to_scalar::<f32>()?;
            println!("step {step:4}  loss of the second half {loss:.3}");
            if loss < GOAL {
                return Ok(());
            }
        }
    }
    ensure!(false, "4000 steps did not bring the loss below {GOAL}; try another seed");
    Ok(())
}
