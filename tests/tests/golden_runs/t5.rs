//! T5.

use candle_core::Result;
use taper_models::t5::{T5, T5Sites};
use taper_tests::originals::pretrained;
use taper_tests::parity::Golden;

use super::{Edit, compare_edits, compare_gradients, compare_replays, double, without_the_first_token, zero};

const EDITS: &[Edit<T5Sites>] = &[
    Edit { label: "cross0_zero", at: |t| t.decoder.blocks[0].cross_attn.output, to: zero },
    Edit { label: "encoder0_mlp_double", at: |t| t.encoder.blocks[0].mlp.output, to: double },
    Edit { label: "decoder0_pos0", at: |t| t.decoder.blocks[0].after_attn, to: without_the_first_token },
];

fn each(test: fn(&T5, &Golden) -> Result<()>) -> Result<()> {
    ["t5", "t5_gated", "mt5"].iter().try_for_each(|reference| {
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
    let tap = module.replace("final_layer_norm", "ln_f").replace(".block.", ".blocks.");
    match tap.split_once(".layer.") {
        Some((block, "0.SelfAttention")) => format!("{block}.attn.output"),
        Some((block, _)) => format!("{block}.cross_attn.output"),
        None if tap.contains(".blocks.") => format!("{tap}.output"),
        None => tap,
    }
}

#[test]
fn gradients_are_pytorchs() -> Result<()> {
    each(|model, golden| compare_gradients(model, golden, |t| t.output, tap))
}
