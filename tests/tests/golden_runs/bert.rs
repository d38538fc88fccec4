//! BERT and RoBERTa.

use candle_core::Result;
use taper_models::bert::{Bert, BertSites};
use taper_tests::originals::pretrained;
use taper_tests::parity::Golden;

use super::{Edit, compare_edits, compare_gradients, compare_replays, double, zero};

const EDITS: &[Edit<BertSites>] = &[
    Edit { label: "layer1_attention_zero", at: |t| t.blocks[1].attn.output, to: zero },
    Edit { label: "layer0_double", at: |t| t.blocks[0].output, to: double },
];

fn each(test: fn(&Bert, &Golden) -> Result<()>) -> Result<()> {
    ["bert", "bert_plain", "bert_types", "roberta", "roberta_inside"].iter().try_for_each(|reference| {
        let golden = Golden::open(reference)?;
        test(&pretrained(&golden, |_| ())?, &golden)
    })
}

#[test]
fn edits_are_pytorchs() -> Result<()> {
    each(|model, golden| compare_edits(model, golden, EDITS))
}

#[test]
fn a_replay_is_the_run_itself() -> Result<()> {
    each(|model, golden| compare_replays(model, golden, EDITS))
}

/// The tap that is the output of a module of the original.
fn tap(module: &str) -> String {
    match module.strip_prefix("encoder.layer.").map(|block| block.split_once('.').unwrap_or((block, ""))) {
        None => format!("{module}.output"),
        Some((i, "attention")) => format!("blocks.{i}.ln_1"),
        Some((i, "intermediate")) => format!("blocks.{i}.mlp.act"),
        Some((i, _)) => format!("blocks.{i}.output"),
    }
}

#[test]
fn gradients_are_pytorchs() -> Result<()> {
    each(|model, golden| compare_gradients(model, golden, |t| t.output, tap))
}
