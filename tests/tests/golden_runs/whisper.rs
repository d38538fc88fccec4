//! Whisper.

use candle_core::Result;
use taper_models::whisper::{Whisper, WhisperSites};
use taper_tests::originals::pretrained;
use taper_tests::parity::Golden;

use super::{Edit, compare_edits, compare_gradients, compare_replays, double, without_the_first_token, zero};

const EDITS: &[Edit<WhisperSites>] = &[
    Edit { label: "cross1_zero", at: |t| t.decoder.blocks[1].cross_attn.output, to: zero },
    Edit { label: "encoder0_mlp_double", at: |t| t.encoder.blocks[0].mlp.output, to: double },
    Edit { label: "decoder0_pos0", at: |t| t.decoder.blocks[0].output, to: without_the_first_token },
];

fn each(test: fn(&Whisper, &Golden) -> Result<()>) -> Result<()> {
    ["whisper", "whisper_odd"].iter().try_for_each(|reference| {
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
    let tap = module.trim_start_matches("model.").replace(".layers.", ".blocks.");
    for (theirs, ours) in [
        ("layer_norm", "ln_f"),
        ("self_attn", "attn.output"),
        ("encoder_attn", "cross_attn.output"),
        ("fc2", "mlp.down"),
    ] {
        if let Some(block) = tap.strip_suffix(theirs) {
            return format!("{block}{ours}");
        }
    }
    if tap.contains(".blocks.") { format!("{tap}.output") } else { tap }
}

#[test]
fn gradients_are_pytorchs() -> Result<()> {
    each(|model, golden| compare_gradients(model, golden, |t| t.output, tap))
}
