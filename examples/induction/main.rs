//! Trains a transformer of two layers without MLPs to continue sequences that repeat, finds the heads that do it, and
//! proves that they do: Olsson et al. 2022, “In-context Learning and Induction Heads”.
//!
//! Trained on nothing but copying, nearly every head of the second layer becomes an induction head: to lose one costs
//! little, to lose all of them everything. So does losing the few heads of the first layer that look at the token
//! before: they tell each place what stood before it, which is what an induction head searches. The others, about as many
//! as there are induction heads, can be lost together at little cost.
//!
//! `cargo run --release --example induction [SEED]` prints what each kind of head is worth, and writes two files:
//! `out/induction.png`, the numbers of every head, and `out/induction.csv`, what patching each head does.

mod model;
mod train;

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use taper::interventions::{at, mean};
use taper::tensors::diagonal;
use taper_examples::grid::{Grid, sheet};

use model::{AttentionOnly, HEADS, LAYERS};
use train::{LEN, copy_loss, repeated, train};

/// The second half of each sequence that is looked at is its first half again.
const PERIOD: usize = LEN / 2;
/// Attention along a stripe that makes a head one of its kind; even attention would give 1/24 on average.
const ENOUGH: f32 = 0.3;

/// A head by its layer and its number there.
type Head = (usize, usize);

fn main() -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(taper_examples::seed()?);
    let variables = VarMap::new();
    let model = AttentionOnly::load(VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu))?;
    // Small weights, so that what is learned is what is there.
    taper_examples::initialize(&variables, 0.1, &mut rng)?;
    train(&model, &variables, &mut rng)?;

    let ids = repeated(128, PERIOD, &mut rng)?;
    let (previous, induction) = model.capture(&ids, |t| {
        let previous = t.blocks.each(|b| b.attn.pattern.map(|p| stripe(p, 1)));
        (previous, t.blocks.each(|b| b.attn.pattern.map(|p| stripe(p, PERIOD - 1))))
    })?;
    let stripes = [Tensor::stack(&previous, 0)?, Tensor::stack(&induction, 0)?];
    ablate(&model, &ids, &stripes)?;

    // First halves of other sequences: nothing to copy. Which head's clean value brings the loss down again?
    let others = repeated(128, PERIOD, &mut rng)?.narrow(1, 0, PERIOD)?;
    let strange = Tensor::cat(&[others, ids.narrow(1, PERIOD, PERIOD)?], 1)?;
    let (clean, corrupted) = (model.run().record(&ids)?, model.run().record(&strange)?);
    let loss = |logits: &Tensor| copy_loss(logits, &strange, PERIOD);
    let table = corrupted.sweep(&clean, |t| t.blocks.each(|b| b.attn.z)).along(1).measure(&strange, loss)?;

    fs::create_dir_all("out").context("cannot create the folder out")?;
    table.save_csv("out/induction.csv")?;
    let rows: Vec<String> = (0..LAYERS).map(|layer| format!("layer {layer}")).collect();
    let columns: Vec<String> = (0..HEADS).map(|head| format!("head {head}")).collect();
    let grid = |title: &str, values: &Tensor| Grid::new(title, &rows, &columns, values);
    let single =
        (0..LAYERS * HEADS).map(|i| without(&model, &ids, &[(i / HEADS, i % HEADS)])).collect::<Result<_>>()?;
    let patched = format!("loss with the head's value of the repeated sequence, from {:.2}", table.baseline());
    let grids = [
        grid("attention to the token before", &stripes[0])?,
        grid("attention to the token after the last time (induction)", &stripes[1])?,
        grid("loss without the head", &Tensor::from_vec(single, (LAYERS, HEADS), &Device::Cpu)?)?,
        grid(&patched, table.values())?,
        pattern(&model, &ids.narrow(0, 0, 1)?, &stripes[1])?,
    ];
    let explanation = [
        "Sequences of 16 tokens, twice; the loss is that of the second time, in nats a token.",
        "For patching, the first halves are those of other sequences: there is nothing to copy.",
    ];
    sheet("Which heads copy", &explanation, &grids).save(Path::new("out/induction.png"))?;
    println!("\nwrote out/induction.png and out/induction.csv");
    Ok(())
}

/// What each head of `pattern`, [batch, head, query, key], gives to the key that is `back` before the query: [head]. The mean
/// over the second half of the queries.
fn stripe(pattern: &Tensor, back: usize) -> candle_core::Result<Tensor> {
    diagonal(&pattern.narrow(2, PERIOD, PERIOD)?, (PERIOD - back) as isize)?.mean((0, 2))
}

/// Prints the loss without the heads of a kind: by attention to the token before, and by induction, each [layer, head].
fn ablate(model: &AttentionOnly, ids: &Tensor, [previous, induction]: &[Tensor; 2]) -> Result<()> {
    let whole = without(model, ids, &[])?;
    println!("\nloss of the second half {whole:.3}, and without heads (layer.head):");
    let (copying, rest) = heads(1, induction)?;
    let (looking_back, others) = heads(0, previous)?;
    let kinds = [("induction", &copying), ("others", &rest), ("token before", &looking_back), ("others", &others)];
    for (kind, heads) in kinds.into_iter().filter(|(_, heads)| !heads.is_empty()) {
        let loss = without(model, ids, heads)?;
        let names: Vec<String> = heads.iter().map(|(layer, head)| format!("{layer}.{head}")).collect();
        println!("    {kind:<14}{:<20}{loss:6.3} {:6.1} times", names.join(" "), loss / whole);
    }
    let (copying, others) = (without(model, ids, &copying)?, without(model, ids, &[rest, others].concat())?);
    ensure!(copying > 3.0 * whole, "the loss without the induction heads is not 3 times as high");
    ensure!(
        copying > 3.0 * others,
        "the loss without the other heads is nearly as high as without the induction heads"
    );
    Ok(())
}

/// The heads of a layer whose score, of [layer, head], is enough, and the others.
fn heads(layer: usize, scores: &Tensor) -> Result<(Vec<Head>, Vec<Head>)> {
    let scores = scores.get(layer)?.to_vec1::<f32>()?;
    Ok((0..HEADS).map(|head| (layer, head)).partition(|&(_, head)| scores[head] > ENOUGH))
}

/// The loss where each of the heads reads the same in all sequences: the mean of what it reads.
fn without(model: &AttentionOnly, ids: &Tensor, heads: &[Head]) -> Result<f32> {
    let run = heads
        .iter()
        .fold(model.run(), |run, &(layer, head)| run.edit(|t| t.blocks[layer].attn.z, at(1, head, mean(0))));
    Ok(copy_loss(&run.forward(ids)?, ids, PERIOD)?.to_scalar()?)
}

/// Where the strongest induction head looks in one sequence: a row a query, a column a key.
fn pattern(model: &AttentionOnly, ids: &Tensor, induction: &Tensor) -> Result<Grid> {
    let head = induction.get(1)?.argmax(0)?.to_scalar::<u32>()? as usize;
    let pattern = model.capture(ids, |t| t.blocks[1].attn.pattern)?.get(0)?.get(head)?;
    let tokens: Vec<String> = ids.get(0)?.to_vec1::<u32>()?.iter().map(u32::to_string).collect();
    Ok(Grid::new(&format!("where head {head} of layer 1 looks in one sequence"), &tokens, &tokens, &pattern)?.compact())
}
