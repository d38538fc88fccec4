//! GPT-NeoX.

use candle_core::Result;
use taper_models::neox::{NeoX, NeoXSites};
use taper_tests::originals::{self, NEOXES};
use taper_tests::parity::{Golden, TOLERANCE, max_error};

use super::{Edit, compare_edits, compare_gradients, compare_replays, double, without_the_first_token, zero};

fn open(reference: &str) -> Result<(Golden, NeoX)> {
    let golden = Golden::open(reference)?;
    let model = originals::neox(&golden)?;
    Ok((golden, model))
}

const EDITS: &[Edit<NeoXSites>] = &[
    Edit { label: "l1_attn_zero", at: |t| t.blocks[1].attn.output, to: zero },
    Edit { label: "l0_mlp_double", at: |t| t.blocks[0].mlp.output, to: double },
    Edit { label: "l0_pos0", at: |t| t.blocks[0].output, to: without_the_first_token },
];

#[test]
fn edits_are_pytorchs() -> Result<()> {
    NEOXES.iter().try_for_each(|reference| {
        let (golden, model) = open(reference)?;
        compare_edits(&model, &golden, EDITS)
    })
}

#[test]
fn a_replay_is_the_run_itself() -> Result<()> {
    NEOXES.iter().try_for_each(|reference| {
        let (golden, model) = open(reference)?;
        compare_replays(&model, &golden, EDITS)
    })
}

/// The tap that is the output of a module of the original.
fn tap(module: &str) -> String {
    let module = module.strip_prefix("gpt_neox.").expect("a module of the body");
    let Some((i, part)) = module.strip_prefix("layers.").map(|block| block.split_once('.').unwrap_or((block, "")))
    else {
        return match module {
            "embed_in" => "wte".to_owned(),
            "final_layer_norm" => "ln_f".to_owned(),
            other => panic!("{other}"),
        };
    };
    let part = match part {
        "" => "output",
        "attention" => "attn.output",
        "mlp" => "mlp.output",
        "input_layernorm" => "ln_1",
        "post_attention_layernorm" => "ln_2",
        other => panic!("{other}"),
    };
    format!("blocks.{i}.{part}")
}

#[test]
fn gradients_are_pytorchs() -> Result<()> {
    NEOXES.iter().try_for_each(|reference| {
        let (golden, model) = open(reference)?;
        compare_gradients(&model, &golden, |t| t.output, tap)
    })
}

/// Side by side, the MLP does not see what the attention wrote; one after the other, it does.
#[test]
fn the_mlp_reads_what_the_residual_says() -> Result<()> {
    for (reference, parallel) in [("neox", true), ("neox_serial", false)] {
        let (golden, model) = open(reference)?;
        let ids = golden.tensor("input.input_ids");
        let mlp = model.capture(ids, None, |t| t.blocks[0].mlp.output)?;
        let without = model.run().edit(|t| t.blocks[0].attn.output, zero);
        let mlp_without = without.capture(ids, None, |t| t.blocks[0].mlp.output)?;
        assert_eq!(max_error(&mlp_without, &mlp)? <= TOLERANCE, parallel, "{reference}");
    }
    Ok(())
}
