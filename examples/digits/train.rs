//! The training loop and the judgement of the result.

use std::f64::consts::PI;

use anyhow::Result;
use candle_core::{D, DType, Device, Tensor};
use candle_nn::{AdamW, Module, Optimizer, ParamsAdamW, VarMap, loss};
use indicatif::{ProgressBar, ProgressStyle};
use rand::Rng;
use rand::seq::SliceRandom;

use crate::data::{Digit, batch};

/// How to train.
pub(crate) struct Config {
    /// Passes over the training digits.
    pub(crate) epochs: usize,
    /// Digits per step.
    pub(crate) batch_size: usize,
    /// Learning rate of the first step; it falls to zero along half a cosine.
    pub(crate) learning_rate: f64,
    /// Pull of the weights towards zero.
    pub(crate) weight_decay: f64,
}

impl Default for Config {
    fn default() -> Self {
        Self { epochs: 10, batch_size: 16, learning_rate: 2e-3, weight_decay: 1e-2 }
    }
}

/// Trains `model`, whose parameters are `variables`, on `digits`; a new shuffle and new
/// shifts by a pixel in each epoch.
pub(crate) fn train(
    model: &impl Module,
    variables: &VarMap,
    digits: &[Digit],
    config: &Config,
    rng: &mut impl Rng,
) -> Result<()> {
    let device = Device::Cpu;
    let steps = config.epochs * digits.len().div_ceil(config.batch_size);
    let params = ParamsAdamW { lr: config.learning_rate, weight_decay: config.weight_decay, ..Default::default() };
    let mut optimizer = AdamW::new(variables.all_vars(), params)?;
    let bar = ProgressBar::new(steps as u64)
        .with_style(ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} steps, {eta} left")?);

    let mut order: Vec<&Digit> = digits.iter().collect();
    let mut step = 0;
    for epoch in 1..=config.epochs {
        order.shuffle(rng);
        let mut loss_sum = 0.0;
        for chunk in order.chunks(config.batch_size) {
            let moved: Vec<Digit> = chunk.iter().map(|digit| digit.jittered(rng)).collect();
            let (images, labels) = batch(&moved, &device)?;
            let loss = loss::cross_entropy(&model.forward(&images)?, &labels)?;

            let progress = step as f64 / steps as f64;
            optimizer.set_learning_rate(config.learning_rate * 0.5 * (1.0 + (PI * progress).cos()));
            optimizer.backward_step(&loss)?;

            loss_sum += f64::from(loss.to_scalar::<f32>()?) * chunk.len() as f64;
            step += 1;
            bar.inc(1);
        }
        let mean = loss_sum / digits.len() as f64;
        bar.set_message(format!("epoch {epoch}/{}, loss {mean:.4}", config.epochs));
    }
    bar.finish();
    Ok(())
}

/// The share of `digits` whose highest score is at their label.
pub(crate) fn accuracy(model: &impl Module, digits: &[Digit]) -> candle_core::Result<f64> {
    let (images, labels) = batch(digits, &Device::Cpu)?;
    share_right(&model.forward(&images)?, &labels)
}

/// The share of `scores`, [n, class], that are highest at their label, [n].
pub(crate) fn share_right(scores: &Tensor, labels: &Tensor) -> candle_core::Result<f64> {
    let right = scores.argmax(D::Minus1)?.eq(labels)?.to_dtype(DType::F32)?.mean_all()?;
    Ok(f64::from(right.to_scalar::<f32>()?))
}
