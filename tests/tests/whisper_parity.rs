//! Every tensor inside Whisper against Hugging Face's, and proof that the comparison finds typical mistakes.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, safetensors};
use taper::Weights;
use taper_models::pretrained::{Pretrained, read_config};
use taper_models::shared::Activation;
use taper_models::whisper::{Config, Whisper};
use taper_models::{AnyModel, Source};
use taper_tests::fixtures::{assert_error, assert_same};
use taper_tests::originals::pretrained;
use taper_tests::parity::{Golden, max_error};
use taper_tests::rows::{Row, compare_all, first_to_diverge, row};

/// The second with other heads and sizes in encoder and decoder.
const REFERENCES: [&str; 2] = ["whisper", "whisper_odd"];

/// The taps of an attention, with the references below it.
fn attention(tap: &str, module: &str, pattern: String) -> Vec<Row> {
    let at = |name: &str, golden: &str| row(format!("{tap}.{name}"), format!("{module}.{golden}"));
    vec![
        at("q_proj", "q_proj"),
        at("k_proj", "k_proj"),
        at("v_proj", "v_proj"),
        row(format!("{tap}.pattern"), pattern),
        at("proj", "out_proj"),
        row(format!("{tap}.output"), module),
    ]
}

/// Every row in the order of execution.
fn rows(model: &Whisper) -> Vec<Row> {
    let mut rows = Vec::new();
    for (stack, blocks) in [("encoder", model.encoder.blocks.len()), ("decoder", model.decoder.blocks.len())] {
        let at = |name: &str, golden: &str| row(format!("{stack}.{name}"), format!("module.model.{stack}.{golden}"));
        rows.extend(match stack {
            "encoder" => vec![at("conv1", "conv1"), at("conv2", "conv2"), at("wpe", "embed_positions")],
            _ => vec![
                at("wte", "embed_tokens"),
                // Hugging Face has the positions of each text.
                at("wpe", "embed_positions").viewed(|positions| Tensor::cat(&[positions; 2], 0)),
            ],
        });
        for i in 0..blocks {
            let (tap, module) = (format!("{stack}.blocks.{i}"), format!("module.model.{stack}.layers.{i}"));
            let at = |name: &str, golden: &str| row(format!("{tap}.{name}"), format!("{module}{golden}"));
            let pattern = |kind: &str| format!("{kind}_attention.{i}");
            rows.push(at("ln_1", ".self_attn_layer_norm"));
            rows.extend(attention(&format!("{tap}.attn"), &format!("{module}.self_attn"), pattern(stack)));
            if stack == "decoder" {
                rows.push(at("ln_cross", ".encoder_attn_layer_norm"));
                let module = format!("{module}.encoder_attn");
                rows.extend(attention(&format!("{tap}.cross_attn"), &module, pattern("cross")));
            }
            rows.extend([
                at("ln_2", ".final_layer_norm"),
                at("mlp.up", ".fc1"),
                at("mlp.act", ".activation_fn"),
                at("mlp.down", ".fc2"),
                at("output", ""),
            ]);
        }
        rows.push(at("ln_f", "layer_norm"));
        // Hugging Face's decoder is without the head.
        rows.push(row(format!("{stack}.ln_f"), format!("module.model.{stack}")));
    }
    rows.extend([
        row("decoder.ln_f", "module.model"),
        row("decoder.lm_head", "module.proj_out"),
        row("output", "output"),
    ]);
    rows
}

#[test]
fn every_tap_is_that_of_the_original() -> Result<()> {
    for reference in REFERENCES {
        let golden = Golden::open(reference)?;
        let model = pretrained::<Whisper>(&golden, |_| ())?;
        compare_all(&model, &golden, &rows(&model))?;
    }
    Ok(())
}

#[test]
fn mistakes_diverge_where_they_are() -> Result<()> {
    type Mistake = (&'static str, fn(&mut Config), &'static str);
    let mistakes: [Mistake; 4] = [
        ("whisper", |config| config.activation_function = Activation::GeluTanh, "encoder.blocks.0.mlp.act"),
        ("whisper", |config| config.encoder_attention_heads = 2, "encoder.blocks.0.attn.pattern"),
        ("whisper", |config| config.decoder_attention_heads = 2, "decoder.blocks.0.attn.pattern"),
        ("whisper_odd", |config| config.decoder_attention_heads = 2, "decoder.blocks.0.attn.pattern"),
    ];
    for (reference, mistake, tap) in mistakes {
        let golden = Golden::open(reference)?;
        let model = pretrained::<Whisper>(&golden, mistake)?;
        assert_eq!(first_to_diverge(&model, &golden, &rows(&model))?, tap, "{reference}");
    }
    Ok(())
}

#[test]
fn the_encoders_outputs_by_themselves_are_those_of_the_whole() -> Result<()> {
    let golden = Golden::open("whisper")?;
    let model = pretrained::<Whisper>(&golden, |_| ())?;
    let (features, ids) = (golden.tensor("input.input_features"), golden.tensor("input.decoder_input_ids"));
    let source = Source::new(model.encoder.forward(features)?, None);
    assert_same(&model.decoder.forward(ids, &source, None)?, &model.forward(features, ids)?);
    Ok(())
}

fn tensors(golden: &Golden) -> Result<HashMap<String, Tensor>> {
    safetensors::load(golden.file("model.safetensors"), &Device::Cpu)
}

fn load(tensors: HashMap<String, Tensor>, config: &Config) -> Result<Whisper> {
    Whisper::from_weights(Weights::from_tensors(tensors, DType::F32, &Device::Cpu), config)
}

#[test]
fn names_may_lack_the_prefix_and_heads_may_be_copies() -> Result<()> {
    let golden = Golden::open("whisper")?;
    let config: Config = read_config(golden.file("config.json"))?;
    let all = tensors(&golden)?;
    assert!(all.contains_key("proj_out.weight"));
    let mut bare: HashMap<_, _> =
        all.iter().map(|(name, tensor)| (name.replacen("model.", "", 1), tensor.clone())).collect();
    bare.remove("proj_out.weight");
    let model = load(bare.clone(), &config)?;
    assert_eq!(model.decoder.lm_head.weight().id(), model.decoder.wte.embeddings().id());

    // A head of its own is asked for by its name.
    let untied = Config { tie_word_embeddings: false, ..config.clone() };
    assert_error(load(bare, &untied), &["missing `proj_out.weight`"]);
    assert_ne!(load(all.clone(), &untied)?.decoder.lm_head.weight().id(), model.decoder.wte.embeddings().id());

    let mut more = all;
    more.insert("model.encoder.layers.0.self_attn.k_proj.bias".to_owned(), Tensor::ones(24, DType::F32, &Device::Cpu)?);
    assert_error(load(more, &config), &["1 unused", "k_proj.bias"]);
    Ok(())
}

#[test]
fn sounds_and_texts_of_another_length_are_refused() -> Result<()> {
    let model = pretrained::<Whisper>(&Golden::open("whisper")?, |_| ())?;
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu);
    for shape in [&[1, 12, 20][..], &[1, 10, 22], &[12, 22]] {
        assert_error(model.encoder.forward(&zeros(shape)?), &[&format!("{shape:?}"), "[batch, 12, 22]", "silence"]);
    }
    let source = Source::new(zeros(&[1, 11, 24])?, None);
    let ids = Tensor::zeros((1, 25), DType::U32, &Device::Cpu)?;
    assert_error(model.decoder.forward(&ids, &source, None), &["25 tokens", "24 positions"]);
    Ok(())
}

#[test]
fn the_configuration_says_that_a_folder_is_one() -> Result<()> {
    let folder = Golden::open("whisper")?.file("");
    assert!(matches!(taper_models::open(folder, DType::F32, &Device::Cpu)?, AnyModel::Whisper(_)));
    Ok(())
}

/// Weights of half the precision, and features of their type.
#[test]
fn half_precision_is_near() -> Result<()> {
    let golden = Golden::open("whisper")?;
    for (dtype, near) in [(DType::F16, 0.05), (DType::BF16, 0.3)] {
        let weights = Weights::safetensors([golden.file("model.safetensors")], dtype, &Device::Cpu)?;
        let model = Whisper::from_weights(weights, &read_config(golden.file("config.json"))?)?;
        let features = golden.tensor("input.input_features").to_dtype(dtype)?;
        let output = model.forward(&features, golden.tensor("input.decoder_input_ids"))?;
        assert_eq!(output.dtype(), dtype);
        let error = max_error(&output, golden.tensor("output"))?;
        assert!(error < near, "{dtype:?}: {error}");
    }
    Ok(())
}
