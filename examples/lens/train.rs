//! A small GPT-2, trained on the spot, written as Hugging Face writes models.

use std::f64::consts::PI;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use candle_core::{DType, Device, Tensor};
use candle_nn::loss::cross_entropy;
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use indicatif::{ProgressBar, ProgressStyle};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use taper_models::gpt2::{Config, Gpt2};
use tokenizers::Tokenizer;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;

/// The text that it learns.
const TEXT: &str = include_str!("../../LICENSE-APACHE");
/// How long it learns.
pub(crate) const STEPS: usize = 300;
/// Tokens in a window, and windows in a batch.
const WINDOW: usize = 64;
const BATCH: usize = 6;
const LEARNING_RATE: f64 = 5e-3;
/// What a whole training ends below, in nats a token.
const GOAL: f32 = 1.2;

/// Trains a model and writes it to a folder.
pub(crate) fn train(folder: &Path, steps: usize) -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    // Lines end where the page does, which is nothing to learn.
    let text = TEXT.split_whitespace().collect::<Vec<_>>().join(" ");
    let tokenizer = tokenizer(&text)?;
    let ids = tokenizer.encode(text, false).map_err(|error| anyhow!(error))?.get_ids().to_vec();

    let config = json!({
        "model_type": "gpt2", "vocab_size": tokenizer.get_vocab_size(true), "n_positions": WINDOW, "n_embd": 64,
        "n_layer": 3, "n_head": 4
    });
    let variables = VarMap::new();
    let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let model = Gpt2::load(builder, &serde_json::from_value::<Config>(config.clone())?)?;
    taper_examples::initialize(&variables, 1.0, &mut rng)?;

    let bar = ProgressBar::new(steps as u64)
        .with_style(ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} steps, {eta} left")?);
    let params = ParamsAdamW { lr: LEARNING_RATE, ..ParamsAdamW::default() };
    let mut optimizer = AdamW::new(variables.all_vars(), params)?;
    let mut last = f32::INFINITY;
    for step in 0..steps {
        let windows: Vec<u32> = (0..BATCH)
            .flat_map(|_| {
                let start = rng.random_range(0..ids.len() - WINDOW);
                ids[start..=start + WINDOW].to_vec()
            })
            .collect();
        let windows = Tensor::from_vec(windows, (BATCH, WINDOW + 1), &Device::Cpu)?;
        // candle's own norm ends the graph of gradients; that of a run does not.
        let logits = model.capture_attached(&windows.narrow(1, 0, WINDOW)?.contiguous()?, None, |t| t.output)?;
        let next = windows.narrow(1, 1, WINDOW)?.flatten_all()?;
        let loss = cross_entropy(&logits.flatten_to(1)?, &next)?;
        let progress = step as f64 / steps as f64;
        let warm = ((step + 1) as f64 / 20.0).min(1.0);
        optimizer.set_learning_rate(LEARNING_RATE * warm * 0.5 * (1.0 + (PI * progress).cos()));
        optimizer.backward_step(&loss)?;
        last = loss.to_scalar()?;
        bar.set_message(format!("loss {last:.2}"));
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("{} parameters, {steps} steps, loss {last:.2} nats a token", parameters(&variables));
    ensure!(steps < STEPS || last < GOAL, "the training did not go well: a loss of {last:.2}, not below {GOAL}");

    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let path = folder.join("config.json");
    fs::write(&path, config.to_string()).with_context(|| format!("cannot write {}", path.display()))?;
    let path = folder.join("tokenizer.json");
    tokenizer.save(&path, false).map_err(|error| anyhow!("cannot write {}: {error}", path.display()))?;
    variables.save(folder.join("model.safetensors"))?;
    Ok(())
}

fn parameters(variables: &VarMap) -> usize {
    variables.all_vars().iter().map(|variable| variable.elem_count()).sum()
}

/// Pieces of bytes as GPT-2 has them, so that it reads any text.
fn tokenizer(text: &str) -> Result<Tokenizer> {
    let mut tokenizer = Tokenizer::new(BPE::default());
    tokenizer.with_pre_tokenizer(Some(ByteLevel::new(false, true, true)));
    tokenizer.with_decoder(Some(ByteLevel::default()));
    let alphabet = ByteLevel::alphabet().into_iter().collect();
    let trainer = BpeTrainer::builder().vocab_size(1024).initial_alphabet(alphabet).show_progress(false);
    let mut trainer = TrainerWrapper::from(trainer.build());
    tokenizer.train(&mut trainer, [text].into_iter()).map_err(|error| anyhow!("cannot make a tokenizer: {error}"))?;
    Ok(tokenizer)
}
