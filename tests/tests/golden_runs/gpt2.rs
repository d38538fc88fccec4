//! GPT-2.

use candle_core::{Result, Tensor};
use taper_models::gpt2::{Gpt2, Gpt2Sites};
use taper_tests::fixtures::assert_same;
use taper_tests::originals;
use taper_tests::parity::{Golden, TOLERANCE, max_error, relative_error};

use super::{Edit, compare_edits, compare_gradients, double, sum_of_squares, zero};

fn open() -> Result<(Golden, Gpt2, Tensor)> {
    let golden = Golden::open("gpt2")?;
    let (model, ids) = (originals::gpt2(&golden)?, golden.tensor("input.input_ids").clone());
    Ok((golden, model, ids))
}

fn without_the_first_token(x: &Tensor) -> Result<Tensor> {
    let first = x.narrow(1, 0, 1)?.zeros_like()?;
    Tensor::cat(&[&first, &x.narrow(1, 1, x.dim(1)? - 1)?], 1)
}

const EDITS: &[Edit<Gpt2Sites>] = &[
    Edit { label: "h1_attn_zero", at: |t| t.blocks[1].attn.output, to: zero },
    Edit { label: "h0_mlp_double", at: |t| t.blocks[0].mlp.output, to: double },
    Edit { label: "h1_pos0", at: |t| t.blocks[1].output, to: without_the_first_token },
];

#[test]
fn edits_are_pytorchs() -> Result<()> {
    let (golden, model, ids) = open()?;
    compare_edits(&model, &ids, &golden, EDITS)
}

#[test]
fn a_replay_is_the_run_itself() -> Result<()> {
    let (_, model, ids) = open()?;
    let recording = model.run().record(&ids)?;
    for Edit { at, to, .. } in EDITS {
        let replayed = recording.replay().edit(at, to).forward(&ids)?;
        assert_same(&replayed, &model.run().edit(at, to).forward(&ids)?);
    }
    Ok(())
}

/// The tap that is the output of a module of the original. Dropout does nothing in evaluation, so `drop` is the embedding.
fn tap(module: &str) -> String {
    let module = module.strip_prefix("transformer.").unwrap_or(module);
    match module.strip_prefix("h.").map(|block| block.split_once('.').unwrap_or((block, ""))) {
        None if module == "drop" => "embed".to_owned(),
        None => module.to_owned(),
        Some((i, "")) => format!("blocks.{i}.output"),
        Some((i, part @ ("attn" | "mlp"))) => format!("blocks.{i}.{part}.output"),
        Some((i, part)) => format!("blocks.{i}.{part}"),
    }
}

#[test]
fn gradients_are_pytorchs() -> Result<()> {
    let (golden, model, ids) = open()?;
    let (modules, sites) = (golden.names("grad."), model.sites());
    let taps = modules.iter().map(|module| sites.find(&tap(module))).collect::<Result<Vec<_>>>()?;
    let loss = model.run().loss(|t| t.output, sum_of_squares);
    let all = loss.gradients(&ids, |_| taps.clone())?;
    compare_gradients(&modules, &all.gradients, &golden)?;
    assert!(relative_error(&all.loss, &sum_of_squares(golden.tensor("output"))?)? <= TOLERANCE);
    assert!(max_error(&all.values[0], golden.tensor("module.transformer.drop"))? <= TOLERANCE);
    // One by one, so that none leans on another's being asked for.
    let single = taps.iter().map(|&tap| Ok(loss.gradients(&ids, |_| tap)?.gradients)).collect::<Result<Vec<_>>>()?;
    compare_gradients(&modules, &single, &golden)
}

#[test]
fn the_parts_sum_to_the_stream() -> Result<()> {
    let (golden, model, ids) = open()?;
    let (embed, parts, last) = model.capture(&ids, |t| {
        let parts = t.blocks.each(|b| (b.attn.output, b.mlp.output));
        (t.embed, parts, t.blocks.at(-1).output)
    })?;
    let mut sum = embed;
    for (attn, mlp) in parts {
        sum = ((sum + attn)? + mlp)?;
    }
    assert!(max_error(&sum, &last)? <= TOLERANCE);
    assert!(max_error(&sum, golden.tensor("module.transformer.h.2"))? <= TOLERANCE);
    Ok(())
}
