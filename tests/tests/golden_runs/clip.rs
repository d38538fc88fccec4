//! CLIP.

use candle_core::{Result, Tensor};
use taper_models::clip::{Clip, ClipSites};
use taper_tests::fixtures::assert_same;
use taper_tests::originals::pretrained;
use taper_tests::parity::{Golden, TOLERANCE, max_error};

use super::{Edit, compare_edits, compare_gradients, compare_replays, double, without_the_first_token, zero};

fn open() -> Result<Vec<(Golden, Clip)>> {
    let open = |name| {
        let golden = Golden::open(name)?;
        let model = pretrained(&golden, |_| ())?;
        Ok((golden, model))
    };
    ["clip", "clip_gelu", "clip_padded"].into_iter().map(open).collect()
}

const EDITS: &[Edit<ClipSites>] = &[
    Edit { label: "text0_mlp_double", at: |t| t.text.blocks[0].mlp.output, to: double },
    Edit { label: "vision0_class_zero", at: |t| t.vision.blocks[0].output, to: without_the_first_token },
    Edit { label: "vision1_attn_zero", at: |t| t.vision.blocks[1].attn.output, to: zero },
];

#[test]
fn edits_are_pytorchs() -> Result<()> {
    open()?.iter().try_for_each(|(golden, model)| compare_edits(model, golden, EDITS))
}

#[test]
fn a_replay_is_the_run_itself() -> Result<()> {
    open()?.iter().try_for_each(|(golden, model)| compare_replays(model, golden, EDITS))
}

/// The tap that is the output of a module of the original.
fn tap(module: &str) -> String {
    let Some((tower, block)) = module.split_once("_model.encoder.layers.") else {
        return module.to_owned();
    };
    let (i, part) = block.split_once('.').unwrap_or((block, ""));
    let part = match part {
        "self_attn" => "attn.output",
        "mlp" => "mlp.output",
        _ => "output",
    };
    format!("{tower}.blocks.{i}.{part}")
}

#[test]
fn gradients_are_pytorchs() -> Result<()> {
    open()?.iter().try_for_each(|(golden, model)| compare_gradients(model, golden, |t| t.output, tap))
}

/// What people take the towers for: each by itself, and then every image with every text.
#[test]
fn logits_are_scaled_cosines_of_what_the_towers_give() -> Result<()> {
    for (golden, model) in open()? {
        let (images, texts) = (golden.tensor("input.pixel_values"), golden.tensor("input.input_ids"));
        let mask = golden.find("input.attention_mask");
        let (logits, image, text) =
            model.capture(images, texts, mask, |t| (t.output, t.vision.output, t.text.output))?;
        assert_same(&model.vision.forward(images)?, &image);
        assert_same(&model.text.forward(texts, mask)?, &text);

        let rows = |embeds: &Tensor| embeds.to_dtype(candle_core::DType::F64)?.to_vec2::<f64>();
        let image = rows(&candle_nn::Module::forward(&model.visual_projection, &image)?)?;
        let text = rows(&candle_nn::Module::forward(&model.text_projection, &text)?)?;
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let scale = f64::from(model.logit_scale.to_scalar::<f32>()?).exp();
        let cosine = |a: &[f64], b: &[f64]| scale * dot(a, b) / (dot(a, a) * dot(b, b)).sqrt();
        let expected: Vec<f64> = image.iter().flat_map(|i| text.iter().map(|t| cosine(i, t))).collect();
        let expected = Tensor::from_vec(expected, (image.len(), text.len()), logits.device())?;
        assert!(max_error(&logits, &expected)? <= TOLERANCE);
    }
    Ok(())
}
