//! Llama and its relatives.

use candle_core::{Result, Tensor};
use taper::Model;
use taper_models::llama::{Llama, LlamaSites};
use taper_tests::fixtures::assert_same;
use taper_tests::originals::{self, LLAMAS, Original};
use taper_tests::parity::{Golden, TOLERANCE, max_error};

use super::{
    Edit, compare_edited, compare_edits, compare_gradients, compare_replays, double, without_the_first_token, zero,
};

fn open(reference: &str) -> Result<(Golden, Llama)> {
    let golden = Golden::open(reference)?;
    let model = originals::llama(&golden)?;
    Ok((golden, model))
}

/// What the MLP adds to the stream is its output, but in Gemma 2.
fn references() -> impl Iterator<Item = &'static str> {
    LLAMAS.into_iter().filter(|&reference| reference != "gemma2")
}

const EDITS: &[Edit<LlamaSites>] = &[
    Edit { label: "l1_attn_zero", at: |t| t.blocks[1].attn.output, to: zero },
    Edit { label: "l0_mlp_double", at: |t| t.blocks[0].mlp.output, to: double },
    Edit { label: "l0_pos0", at: |t| t.blocks[0].output, to: without_the_first_token },
];

#[test]
fn edits_are_pytorchs() -> Result<()> {
    references().try_for_each(|reference| {
        let (golden, model) = open(reference)?;
        // The first of them is older than the last edit.
        let edits = if reference == "llama" { &EDITS[..2] } else { EDITS };
        compare_edits(&model, &golden, edits)
    })
}

/// The reference doubles what the norm after the MLP gives, which only Gemma 2 has.
#[test]
fn edits_of_gemma_2_are_pytorchs() -> Result<()> {
    let (golden, model) = open("gemma2")?;
    for Edit { label, at, to } in EDITS.iter().filter(|edit| edit.label != "l0_mlp_double") {
        let edited = Model::run(&model).edit(at, to).on(Llama::args(&golden)).forward()?;
        compare_edited(&edited, &golden, label)?;
    }
    let norm = |t: LlamaSites| t.blocks[0].ln_2_post.clone();
    let edited = Model::run(&model).edit(norm, double).on(Llama::args(&golden)).forward()?;
    compare_edited(&edited, &golden, "l0_mlp_double")?;
    let value = Model::capture(&model, Llama::args(&golden), norm)?.map(|value| double(&value)).transpose()?;
    let replaced = Model::run(&model).replace(norm, &value).on(Llama::args(&golden)).forward()?;
    assert_same(&replaced, &edited);
    assert_eq!(golden.names("edited.").len(), EDITS.len());
    Ok(())
}

#[test]
fn a_replay_is_the_run_itself() -> Result<()> {
    LLAMAS.iter().try_for_each(|reference| {
        let (golden, model) = open(reference)?;
        compare_replays(&model, &golden, EDITS)
    })
}

/// The tap that is the output of a module of the original. Where there is a norm after the attention, `gemma2`, it has the
/// name that elsewhere is that of the one before the MLP.
fn tap(module: &str, gemma2: bool) -> String {
    let module = module.strip_prefix("model.").expect("a module of the body");
    let Some((i, part)) = module.strip_prefix("layers.").map(|block| block.split_once('.').unwrap_or((block, "")))
    else {
        return match module {
            "embed_tokens" => "embed".to_owned(),
            "norm" => "ln_f".to_owned(),
            other => panic!("{other}"),
        };
    };
    let part = match part {
        "" => "output",
        "self_attn" => "attn.output",
        "mlp" => "mlp.output",
        "input_layernorm" => "ln_1",
        "post_attention_layernorm" if gemma2 => "ln_1_post",
        "post_attention_layernorm" => "ln_2",
        other => panic!("{other}"),
    };
    format!("blocks.{i}.{part}")
}

#[test]
fn gradients_are_pytorchs() -> Result<()> {
    references().try_for_each(|reference| {
        let (golden, model) = open(reference)?;
        compare_gradients(&model, &golden, |t| t.output, |module| tap(module, false))
    })?;
    let (golden, model) = open("gemma2")?;
    compare_gradients(&model, &golden, |t| t.output, |module| tap(module, true))
}

#[test]
fn the_parts_sum_to_the_stream() -> Result<()> {
    for reference in references() {
        let (golden, model) = open(reference)?;
        let (embed, parts, last) = model.capture(golden.tensor("input.input_ids"), None, |t| {
            let parts = t.blocks.each(|b| (b.attn.output, b.mlp.output));
            (t.embed, parts, t.blocks.at(-1).output)
        })?;
        let mut sum = embed;
        for (attn, mlp) in parts {
            sum = ((sum + attn)? + mlp)?;
        }
        assert!(max_error(&sum, &last)? <= TOLERANCE);
    }
    Ok(())
}

/// A token reads `window` tokens, itself with them, and nothing that is earlier.
#[test]
fn a_window_ends_where_it_says() -> Result<()> {
    for reference in ["mistral", "qwen2_window", "gemma2"] {
        let (golden, model) = open(reference)?;
        let window = model.window.expect("it has one");
        let patterns = model.capture(golden.tensor("input.input_ids"), None, |t| t.blocks.each(|b| b.attn.pattern))?;
        for (pattern, &windowed) in patterns.iter().zip(&model.windowed) {
            let tokens = pattern.dim(2)?;
            let last = pattern.narrow(2, tokens - 1, 1)?;
            let outside = last.narrow(3, 0, tokens - window)?.max_all()?.to_scalar::<f32>()?;
            assert_eq!(outside == 0.0, windowed, "{reference}: {outside}");
            let edge: Tensor = last.narrow(3, tokens - window, 1)?;
            assert!(edge.min_all()?.to_scalar::<f32>()? > 0.0, "{reference}");
        }
    }
    Ok(())
}
