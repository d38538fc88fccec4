//! GPT-2.

use candle_core::Result;
use taper_models::gpt2::{Gpt2, Gpt2Sites};
use taper_tests::originals;
use taper_tests::parity::{Golden, TOLERANCE, max_error};

use super::{Edit, compare_edits, compare_gradients, compare_replays, double, without_the_first_token, zero};

fn open(reference: &str) -> Result<(Golden, Gpt2)> {
    let golden = Golden::open(reference)?;
    let model = originals::gpt2(&golden)?;
    Ok((golden, model))
}

const REFERENCES: [&str; 4] = ["gpt2", "gpt2_untied", "gpt2_odd", "gpt2_by_layer"];

const EDITS: &[Edit<Gpt2Sites>] = &[
    Edit { label: "h1_attn_zero", at: |t| t.blocks[1].attn.output, to: zero },
    Edit { label: "h0_mlp_double", at: |t| t.blocks[0].mlp.output, to: double },
    Edit { label: "h1_pos0", at: |t| t.blocks[1].output, to: without_the_first_token },
];

#[test]
fn edits_are_pytorchs() -> Result<()> {
    REFERENCES.iter().try_for_each(|reference| {
        let (golden, model) = open(reference)?;
        compare_edits(&model, &golden, EDITS)
    })
}

#[test]
fn a_replay_is_the_run_itself() -> Result<()> {
    REFERENCES.iter().try_for_each(|reference| {
        let (golden, model) = open(reference)?;
        compare_replays(&model, &golden, EDITS)
    })
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
    REFERENCES.iter().try_for_each(|reference| {
        let (golden, model) = open(reference)?;
        compare_gradients(&model, &golden, |t| t.output, tap)
    })
}

#[test]
fn the_parts_sum_to_the_stream() -> Result<()> {
    let (golden, model) = open("gpt2")?;
    let (embed, parts, last) = model.capture(golden.tensor("input.input_ids"), None, |t| {
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
