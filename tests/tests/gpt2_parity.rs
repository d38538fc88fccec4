//! Every tensor inside GPT-2 against Hugging Face's, tap by tap, and proof that the comparison finds typical mistakes.

use candle_core::{DType, Device, Result, Tensor};
use taper::Weights;
use taper::parity::{Parity, Reference, Report};
use taper_models::gpt2::{Config, Gpt2};
use taper_models::pretrained::{Pretrained, read_config};
use taper_models::shared::Activation;
use taper_tests::originals;
use taper_tests::parity::Golden;
use taper_tests::rows::first_of;

/// Every tensor of the reference.
///
/// Dropout does nothing in evaluation, so that its output is its input by definition: `resid_dropout` and `dropout` are
/// the outputs of the modules that they end, and `transformer.drop` is the embedding. By definition `transformer` gives
/// the output of its own last module, and `lm_head` that of the whole.
fn parity<'a>(model: &'a Gpt2, reference: &'a Reference) -> Parity<'a, Gpt2> {
    let n_head = model.blocks[0].attn.n_head;
    Parity::of(model, reference)
        .leaving("generated")
        .map("{path*}", "module.transformer.{path*}")
        .map("embed", "module.transformer.drop")
        .map("blocks.{i}.ln_1", "module.transformer.h.{i}.ln_1")
        .map("blocks.{i}.attn.qkv", "module.transformer.h.{i}.attn.c_attn")
        .map("blocks.{i}.attn.q", "module.transformer.h.{i}.attn.c_attn")
        .reference_as(move |qkv| heads(qkv, 0, n_head))
        .map("blocks.{i}.attn.k", "module.transformer.h.{i}.attn.c_attn")
        .reference_as(move |qkv| heads(qkv, 1, n_head))
        .map("blocks.{i}.attn.v", "module.transformer.h.{i}.attn.c_attn")
        .reference_as(move |qkv| heads(qkv, 2, n_head))
        .map("blocks.{i}.attn.pattern", "attention.{i}")
        .map("blocks.{i}.attn.proj", "module.transformer.h.{i}.attn.c_proj")
        .map("blocks.{i}.attn.output", "module.transformer.h.{i}.attn.resid_dropout")
        .map("blocks.{i}.attn.output", "module.transformer.h.{i}.attn")
        .map("blocks.{i}.ln_2", "module.transformer.h.{i}.ln_2")
        .map("blocks.{i}.mlp.up", "module.transformer.h.{i}.mlp.c_fc")
        .map("blocks.{i}.mlp.act", "module.transformer.h.{i}.mlp.act")
        .map("blocks.{i}.mlp.down", "module.transformer.h.{i}.mlp.c_proj")
        .map("blocks.{i}.mlp.output", "module.transformer.h.{i}.mlp.dropout")
        .map("blocks.{i}.mlp.output", "module.transformer.h.{i}.mlp")
        .map("blocks.{i}.output", "module.transformer.h.{i}")
        .map("ln_f", "module.transformer.ln_f")
        .map("ln_f", "module.transformer")
        .map("lm_head", "module.lm_head")
        .map("output", "output")
}

/// A third of queries, keys and values side by side, as [batch, head, token, channel of the head].
fn heads(qkv: &Tensor, third: usize, n_head: usize) -> Result<Tensor> {
    let (batch, len, width) = qkv.dims3()?;
    let parts = qkv.reshape((batch, len, 3, n_head, width / 3 / n_head))?;
    parts.narrow(2, third, 1)?.squeeze(2)?.transpose(1, 2)
}

/// The references: with one head for all, with a head of its own, of other sizes, of other scales.
const REFERENCES: [&str; 4] = ["gpt2", "gpt2_untied", "gpt2_odd", "gpt2_by_layer"];

/// Compares the model as the reference's configuration changed by `change` makes it.
fn run(reference: &str, change: impl FnOnce(&mut Config)) -> Result<Report> {
    let golden = Golden::open(reference)?;
    let mut config: Config = read_config(golden.file("config.json"))?;
    change(&mut config);
    let weights = Weights::safetensors([golden.file("model.safetensors")], DType::F32, &Device::Cpu)?;
    let model = Gpt2::from_weights(weights, &config)?;
    let reference = golden.reference()?;
    parity(&model, &reference).run((&reference.ids("input.input_ids")?, None))
}

#[test]
fn every_tap_is_that_of_the_original() -> Result<()> {
    for reference in REFERENCES {
        let report = run(reference, |_| ())?.into_result()?;
        assert!(report.left_over().is_empty(), "{reference}: {report}");
        let lacking = ["keys_values", "keys", "values", "scores", "z", "after_attn"];
        let is_lacking = |tap: &String| lacking.iter().any(|lacking| tap.ends_with(lacking));
        assert!(report.without_reference().iter().all(is_lacking), "{reference}: {report}");
    }
    Ok(())
}

#[test]
fn gradients_are_those_of_the_original() -> Result<()> {
    for reference in REFERENCES {
        let golden = Golden::open(reference)?;
        let (model, reference) = (originals::gpt2(&golden)?, golden.reference()?);
        let ids = reference.ids("input.input_ids")?;
        let squares = |y: &Tensor| y.sqr()?.sum_all();
        let report = parity(&model, &reference).gradients((&ids, None), |t| t.output, squares)?.into_result()?;
        assert!(report.left_over().is_empty(), "{report}");
        assert_eq!(report.rows()[0].reference, "grad.transformer.ln_f");
        assert_eq!(report.rows().last().unwrap().reference, "grad.transformer.drop");
    }
    Ok(())
}

#[test]
fn changed_outputs_are_those_of_the_original() -> Result<()> {
    let golden = Golden::open("gpt2")?;
    let (model, reference) = (originals::gpt2(&golden)?, golden.reference()?);
    let run = model.run().edit(|t| t.blocks[0].mlp.output, |x| x * 2.);
    let parity = Parity::of_run(&run, &reference).map("output", "edited.h0_mlp_double");
    parity.run((&reference.ids("input.input_ids")?, None))?.into_result()?;
    Ok(())
}

/// The first tap to diverge is where the mistake is.
fn first_to_diverge(change: impl FnOnce(&mut Config)) -> Result<String> {
    Ok(first_of(run("gpt2", change)?))
}

#[test]
fn exact_gelu_diverges_at_the_first_activation() -> Result<()> {
    assert_eq!(first_to_diverge(|config| config.activation_function = Activation::Gelu)?, "blocks.0.mlp.act");
    Ok(())
}

#[test]
fn unscaled_scores_diverge_at_the_first_pattern() -> Result<()> {
    assert_eq!(first_to_diverge(|config| config.scale_attn_weights = false)?, "blocks.0.attn.pattern");
    Ok(())
}

#[test]
fn another_epsilon_diverges_at_the_first_norm() -> Result<()> {
    assert_eq!(first_to_diverge(|config| config.layer_norm_epsilon = 1e-6)?, "blocks.0.ln_1");
    Ok(())
}

#[test]
fn another_scale_diverges_at_the_second_blocks_pattern() -> Result<()> {
    let report = run("gpt2_by_layer", |config| config.scale_attn_by_inverse_layer_idx = false)?;
    assert_eq!(first_of(report), "blocks.1.attn.pattern");
    Ok(())
}
