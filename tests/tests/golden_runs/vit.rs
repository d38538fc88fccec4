//! ViT.

use candle_core::{Result, Tensor};
use taper_models::vit::{Vit, VitClassifier, VitClassifierSites, VitSites};
use taper_tests::originals::pretrained;
use taper_tests::parity::{Golden, TOLERANCE, max_error};

use super::{Edit, compare_edits, compare_gradients, compare_replays, double, without_the_first_token, zero};

fn classifier() -> Result<(Golden, VitClassifier)> {
    let golden = Golden::open("vit")?;
    let model = pretrained(&golden, |_| ())?;
    Ok((golden, model))
}

fn wide() -> Result<(Golden, Vit)> {
    let golden = Golden::open("vit_wide")?;
    let model = pretrained(&golden, |_| ())?;
    Ok((golden, model))
}

const EDITS: &[Edit<VitClassifierSites>] = &[
    Edit { label: "l0_class_zero", at: |t| t.vit.blocks[0].output, to: without_the_first_token },
    Edit { label: "l0_mlp_double", at: |t| t.vit.blocks[0].mlp.output, to: double },
    Edit { label: "l1_attn_zero", at: |t| t.vit.blocks[1].attn.output, to: zero },
];
const WIDE_EDITS: &[Edit<VitSites>] = &[
    Edit { label: "l0_class_zero", at: |t| t.blocks[0].output, to: without_the_first_token },
    Edit { label: "l0_mlp_double", at: |t| t.blocks[0].mlp.output, to: double },
    Edit { label: "l1_attn_zero", at: |t| t.blocks[1].attn.output, to: zero },
];

#[test]
fn edits_are_pytorchs() -> Result<()> {
    let (golden, model) = classifier()?;
    compare_edits(&model, &golden, EDITS)?;
    let (golden, model) = wide()?;
    compare_edits(&model, &golden, WIDE_EDITS)
}

#[test]
fn a_replay_is_the_run_itself() -> Result<()> {
    let (golden, model) = classifier()?;
    compare_replays(&model, &golden, EDITS)
}

/// The tap that is the output of a module of the original.
fn tap(module: &str) -> String {
    let (vit, module) = match module.strip_prefix("vit.") {
        Some(module) => ("vit.", module),
        None => ("", module),
    };
    let name = match module.strip_prefix("layers.") {
        None if module == "embeddings" => "embed".to_owned(),
        None => "patches".to_owned(),
        Some(block) => {
            let (i, part) = block.split_once('.').unwrap_or((block, ""));
            let part = match part {
                "attention" => "attn.output",
                "mlp" => "mlp.output",
                "layernorm_before" => "ln_1",
                "layernorm_after" => "ln_2",
                _ => "output",
            };
            format!("blocks.{i}.{part}")
        }
    };
    format!("{vit}{name}")
}

#[test]
fn gradients_are_pytorchs() -> Result<()> {
    let (golden, model) = classifier()?;
    compare_gradients(&model, &golden, |t| t.output, tap)?;
    let (golden, model) = wide()?;
    compare_gradients(&model, &golden, |t| t.output, tap)
}

#[test]
fn the_parts_sum_to_the_stream() -> Result<()> {
    let (golden, model) = classifier()?;
    let (mut sum, parts): (Tensor, _) = model.capture(golden.tensor("input.pixel_values"), |t| {
        (t.vit.embed, t.vit.blocks.each(|b| (b.attn.output, b.after_attn, b.mlp.output, b.output)))
    })?;
    for (attn, after_attn, mlp, output) in parts {
        sum = (sum + attn)?;
        assert!(max_error(&sum, &after_attn)? <= TOLERANCE);
        sum = (sum + mlp)?;
        assert!(max_error(&sum, &output)? <= TOLERANCE);
    }
    Ok(())
}
