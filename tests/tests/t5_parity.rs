//! Every tensor inside T5 against Hugging Face's, and proof that the comparison finds typical mistakes.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, safetensors};
use taper::Weights;
use taper_models::pretrained::{Pretrained, read_config};
use taper_models::shared::Activation;
use taper_models::t5::{Config, ModelType, T5};
use taper_models::{AnyModel, Source};
use taper_tests::fixtures::{assert_error, assert_same};
use taper_tests::originals::pretrained;
use taper_tests::parity::{Golden, max_error};
use taper_tests::rows::{Row, compare_all, first_to_diverge, row};

/// With ReLU and a tied head, with a gate and a head of its own, and mT5.
const REFERENCES: [&str; 3] = ["t5", "t5_gated", "mt5"];

/// The taps of an attention, with the references below it; the patterns are named by `kind`.
fn attention(tap: &str, module: &str, pattern: String) -> Vec<Row> {
    let at = |name: &str, golden: &str| row(format!("{tap}.{name}"), format!("{module}.{golden}"));
    vec![
        at("q_proj", "q"),
        at("k_proj", "k"),
        at("v_proj", "v"),
        row(format!("{tap}.pattern"), pattern),
        at("proj", "o"),
        row(format!("{tap}.output"), module),
    ]
}

/// Dropout does nothing in evaluation, so its output is its input by definition.
fn mlp(tap: &str, layer: &str, gated: bool) -> Vec<Row> {
    let at = |name: &str, golden: &str| row(format!("{tap}.{name}"), format!("{layer}{golden}"));
    let mut rows = match gated {
        true => vec![
            at("gate", ".DenseReluDense.wi_0"),
            at("gate_act", ".DenseReluDense.act"),
            at("up", ".DenseReluDense.wi_1"),
        ],
        false => vec![at("up", ".DenseReluDense.wi"), at("act", ".DenseReluDense.act")],
    };
    rows.extend([
        at("act", ".DenseReluDense.dropout"),
        at("down", ".DenseReluDense.wo"),
        at("output", ".DenseReluDense"),
        at("output", ".dropout"),
    ]);
    rows
}

/// Every row in the order of execution.
fn rows(model: &T5) -> Vec<Row> {
    let gated = model.encoder.blocks[0].mlp.gate.is_some();
    let mut rows = Vec::new();
    for (stack, blocks) in [("encoder", model.encoder.blocks.len()), ("decoder", model.decoder.blocks.len())] {
        let at = |name: &str, golden: &str| row(format!("{stack}.{name}"), format!("module.{stack}.{golden}"));
        rows.extend([
            at("embed", "embed_tokens"),
            at("embed", "dropout"),
            at("relative_bias.table", "block.0.layer.0.SelfAttention.relative_attention_bias"),
        ]);
        for i in 0..blocks {
            let (tap, module) = (format!("{stack}.blocks.{i}"), format!("module.{stack}.block.{i}"));
            let at = |name: &str, golden: &str| row(format!("{tap}.{name}"), format!("{module}{golden}"));
            let pattern = |kind: &str| format!("{kind}_attention.{i}");
            rows.push(at("ln_1", ".layer.0.layer_norm"));
            rows.extend(attention(&format!("{tap}.attn"), &format!("{module}.layer.0.SelfAttention"), pattern(stack)));
            rows.extend([at("attn.output", ".layer.0.dropout"), at("after_attn", ".layer.0")]);
            if stack == "decoder" {
                rows.push(at("ln_cross", ".layer.1.layer_norm"));
                let module = format!("{module}.layer.1.EncDecAttention");
                rows.extend(attention(&format!("{tap}.cross_attn"), &module, pattern("cross")));
                rows.extend([at("cross_attn.output", ".layer.1.dropout"), at("after_cross", ".layer.1")]);
            }
            let layer = if stack == "decoder" { ".layer.2" } else { ".layer.1" };
            rows.push(at("ln_2", &format!("{layer}.layer_norm")));
            rows.extend(mlp(&format!("{tap}.mlp"), &format!("{module}{layer}"), gated));
            rows.extend([at("output", layer), at("output", "")]);
        }
        rows.push(at("ln_f", "final_layer_norm"));
        // Hugging Face's decoder is without the head.
        rows.push(row(format!("{stack}.ln_f"), format!("module.{stack}")));
    }
    rows.extend([
        row("decoder.lm_head", "module.lm_head"),
        row("decoder.output", "module.lm_head"),
        row("output", "output"),
    ]);
    rows
}

#[test]
fn every_tap_is_that_of_the_original() -> Result<()> {
    for reference in REFERENCES {
        let golden = Golden::open(reference)?;
        let model = pretrained::<T5>(&golden, |_| ())?;
        compare_all(&model, &golden, &rows(&model))?;
    }
    Ok(())
}

#[test]
fn mistakes_diverge_where_they_are() -> Result<()> {
    type Mistake = (&'static str, fn(&mut Config), &'static str);
    let mistakes: [Mistake; 7] = [
        (
            "t5",
            |config| config.feed_forward_proj.as_mut().unwrap().activation = Activation::GeluTanh,
            "encoder.blocks.0.mlp.act",
        ),
        (
            "t5_gated",
            |config| config.feed_forward_proj.as_mut().unwrap().activation = Activation::Gelu,
            "encoder.blocks.0.mlp.gate_act",
        ),
        ("t5", |config| config.relative_attention_max_distance = 9, "encoder.relative_bias.table"),
        ("t5_gated", |config| config.layer_norm_epsilon = 1e-6, "encoder.blocks.0.ln_1"),
        ("t5", |config| config.scale_decoder_outputs = Some(false), "decoder.lm_head"),
        ("t5_gated", |config| config.scale_decoder_outputs = Some(true), "decoder.lm_head"),
        ("mt5", |config| config.model_type = ModelType::T5, "decoder.lm_head"),
    ];
    for (reference, mistake, tap) in mistakes {
        let golden = Golden::open(reference)?;
        let model = pretrained::<T5>(&golden, mistake)?;
        assert_eq!(first_to_diverge(&model, &golden, &rows(&model))?, tap, "{reference}");
    }
    Ok(())
}

#[test]
fn a_decoder_that_tells_later_keys_apart_diverges_at_its_bias() -> Result<()> {
    let golden = Golden::open("t5")?;
    let mut model = pretrained::<T5>(&golden, |_| ())?;
    model.decoder.relative_bias.both_ways = true;
    assert_eq!(first_to_diverge(&model, &golden, &rows(&model))?, "decoder.relative_bias.table");
    Ok(())
}

#[test]
fn padding_is_read_by_nobody() -> Result<()> {
    let golden = Golden::open("t5")?;
    let model = pretrained::<T5>(&golden, |_| ())?;
    let (ids, mask, answer) = (
        golden.tensor("input.input_ids"),
        golden.tensor("input.attention_mask"),
        golden.tensor("input.decoder_input_ids"),
    );
    let pattern = golden.tensor("cross_attention.0");
    let encoded = model.encoder.forward(ids, Some(mask))?;
    let found = |mask: Option<&Tensor>| {
        let source = Source::new(encoded.clone(), mask.cloned());
        max_error(&model.decoder.capture(answer, &source, None, |t| t.blocks[0].cross_attn.pattern)?, pattern)
    };
    assert!(found(Some(mask))? < 1e-5);
    assert!(found(None)? > 1e-3, "the mask of the cross-attention changes nothing");
    assert!(max_error(&model.encoder.forward(ids, None)?, &encoded)? > 1e-3, "the encoder's mask changes nothing");

    // Nor does the text's length in the batch matter.
    let short = ids.narrow(0, 1, 1)?.narrow(1, 0, 6)?;
    let alone = model.forward(&short, None, &answer.narrow(0, 1, 1)?)?;
    assert!(max_error(&alone, &golden.tensor("output").narrow(0, 1, 1)?)? < 2e-5);
    Ok(())
}

fn tensors(golden: &Golden) -> Result<HashMap<String, Tensor>> {
    safetensors::load(golden.file("model.safetensors"), &Device::Cpu)
}

fn load(tensors: HashMap<String, Tensor>, config: &Config) -> Result<T5> {
    T5::from_weights(Weights::from_tensors(tensors, DType::F32, &Device::Cpu), config)
}

/// The first files have a bias that nobody reads, and copies of the embedding or none.
#[test]
fn copies_may_be_there_or_not() -> Result<()> {
    let golden = Golden::open("t5")?;
    let config: Config = read_config(golden.file("config.json"))?;
    let mut all = tensors(&golden)?;
    let unread = "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight";
    all.insert(unread.to_owned(), Tensor::ones((8, 4), DType::F32, &Device::Cpu)?);
    let model = load(all.clone(), &config)?;
    assert_eq!(model.decoder.lm_head.weight().id(), model.encoder.embed.embeddings().id());
    assert_eq!(model.decoder.embed.embeddings().id(), model.encoder.embed.embeddings().id());

    let mut other = all.clone();
    other.insert("decoder.embed_tokens.weight".to_owned(), (&all["shared.weight"] + 1e-3)?);
    assert_error(load(other, &config), &["`decoder.embed_tokens.weight` and the shared embedding differ"]);

    let mut least = all.clone();
    least.retain(|name, _| !name.contains("embed_tokens") && name != "lm_head.weight" && name != unread);
    load(least.clone(), &config)?;
    // The embedding may go by another of its names.
    let shared = least.remove("shared.weight").unwrap();
    assert_error(load(least.clone(), &config), &["missing `shared.weight`"]);
    least.insert("encoder.embed_tokens.weight".to_owned(), shared);
    load(least, &config)?;

    all.insert(
        "decoder.block.1.layer.1.EncDecAttention.relative_attention_bias.weight".to_owned(),
        all[unread].clone(),
    );
    assert_error(load(all, &config), &["1 unused", "decoder.block.1.layer.1"]);
    Ok(())
}

/// As before version 5 of Hugging Face's library, and since.
#[test]
fn a_head_of_its_own_is_read() -> Result<()> {
    let golden = Golden::open("t5_gated")?;
    let newer: Config = read_config(golden.file("config.json"))?;
    assert!(newer.tie_word_embeddings && newer.scale_decoder_outputs == Some(false));
    let older = Config { tie_word_embeddings: false, scale_decoder_outputs: None, ..newer.clone() };
    let mut all = tensors(&golden)?;
    let head = (&all["lm_head.weight"] * 2.0)?;
    all.insert("lm_head.weight".to_owned(), head.clone());
    for config in [&older, &newer] {
        let model = load(all.clone(), config)?;
        assert_same(model.decoder.lm_head.weight(), &head);
        assert_eq!(model.decoder.head_scale, None);
    }
    all.remove("lm_head.weight");
    assert!(load(all.clone(), &newer).is_ok());
    assert_error(load(all, &older), &["missing `lm_head.weight`"]);
    Ok(())
}

#[test]
fn mlps_are_of_their_names() -> Result<()> {
    let config = |name: &str| serde_json::from_str::<taper_models::t5::FeedForward>(&format!("{name:?}"));
    let parts = |name: &str| config(name).map(|mlp| (mlp.gated, mlp.activation)).unwrap();
    assert_eq!(parts("relu"), (false, Activation::Relu));
    assert_eq!(parts("gelu"), (false, Activation::Gelu));
    assert_eq!(parts("gated-gelu"), (true, Activation::GeluTanh));
    assert_eq!(parts("gated-silu"), (true, Activation::Silu));
    assert_error(config("gated-swiglu"), &["unknown variant `swiglu`", "`relu`"]);
    Ok(())
}

#[test]
fn another_models_source_is_refused() -> Result<()> {
    let (two, one) = (Golden::open("t5")?, Golden::open("t5_gated")?);
    let (two, one) = (pretrained::<T5>(&two, |_| ())?, pretrained::<T5>(&one, |_| ())?);
    let ids = Tensor::new(&[[0u32, 3]], &Device::Cpu)?;
    let source = two.decoder.prepare(&Source::new(two.encoder.forward(&ids, None)?, None))?;
    assert_error(one.decoder.forward(&ids, &source, None), &["prepared for 2 blocks", "the model has 1"]);
    Ok(())
}

#[test]
fn the_configuration_says_that_a_folder_is_one() -> Result<()> {
    let folder = Golden::open("t5")?.file("");
    assert!(matches!(taper_models::open(folder, DType::F32, &Device::Cpu)?, AnyModel::T5(_)));
    Ok(())
}

/// Weights of half the precision, and masks of their type.
#[test]
fn half_precision_is_near() -> Result<()> {
    let golden = Golden::open("t5_gated")?;
    for (dtype, near) in [(DType::F16, 0.05), (DType::BF16, 0.3)] {
        let weights = Weights::safetensors([golden.file("model.safetensors")], dtype, &Device::Cpu)?;
        let model = T5::from_weights(weights, &read_config(golden.file("config.json"))?)?;
        let mask = golden.tensor("input.attention_mask");
        let answer = golden.tensor("input.decoder_input_ids");
        let output = model.forward(golden.tensor("input.input_ids"), Some(mask), answer)?;
        assert_eq!(output.dtype(), dtype);
        let error = max_error(&output, golden.tensor("output"))?;
        assert!(error < near, "{dtype:?}: {error}");
    }
    Ok(())
}
