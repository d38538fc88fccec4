//! Every tensor inside BERT and RoBERTa against Hugging Face's, and proof that the comparison finds typical mistakes.

use std::collections::HashMap;

use candle_core::{DType, Device, IndexOp, Result, Tensor, safetensors};
use taper::Weights;
use taper::parity::Parity;
use taper_models::bert::{Bert, Config, ModelType};
use taper_models::pretrained::{Pretrained, read_config};
use taper_models::shared::Activation;
use taper_models::{AnyModel, Pooling};
use taper_tests::fixtures::{assert_error, assert_same};
use taper_tests::originals::pretrained;
use taper_tests::parity::{Golden, TOLERANCE, max_error};
use taper_tests::rows::{Row, compare_all, first_of, first_to_diverge, row, with_rows};

/// With padding; without it and without token types; with token types; RoBERTa, with padding at the end and within a text.
const REFERENCES: [&str; 5] = ["bert", "bert_plain", "bert_types", "roberta", "roberta_inside"];

/// The taps of a block in the order of execution, with the references below `encoder.layer.I` (or `attention.I`). Dropout
/// does nothing in evaluation, so its output is its input by definition.
const BLOCK: &[(&str, &str)] = &[
    ("attn.q_proj", ".attention.self.query"),
    ("attn.k_proj", ".attention.self.key"),
    ("attn.v_proj", ".attention.self.value"),
    ("attn.pattern", "attention"),
    ("attn.z", ".attention.self"),
    ("attn.proj", ".attention.output.dense"),
    ("attn.output", ".attention.output.dropout"),
    ("ln_1", ".attention.output.LayerNorm"),
    ("ln_1", ".attention.output"),
    ("ln_1", ".attention"),
    ("mlp.up", ".intermediate.dense"),
    ("mlp.act", ".intermediate.intermediate_act_fn"),
    ("mlp.act", ".intermediate"),
    ("mlp.down", ".output.dense"),
    ("mlp.output", ".output.dropout"),
    ("ln_2", ".output.LayerNorm"),
    ("ln_2", ".output"),
    ("output", ""),
];

/// Every row in the order of execution.
fn rows(model: &Bert) -> Vec<Row> {
    let mut rows = vec![
        row("embeddings.word_embeddings", "module.embeddings.word_embeddings"),
        row("embeddings.token_type_embeddings", "module.embeddings.token_type_embeddings"),
        row("embeddings.position_embeddings", "module.embeddings.position_embeddings"),
        row("embeddings.ln", "module.embeddings.LayerNorm"),
        row("embeddings.output", "module.embeddings.dropout"),
        row("embeddings.output", "module.embeddings"),
    ];
    for i in 0..model.blocks.len() {
        rows.extend(BLOCK.iter().map(|&(name, golden)| {
            let tap = format!("blocks.{i}.{name}");
            match (name, golden) {
                (_, "attention") => row(tap, format!("attention.{i}")),
                // Hugging Face has the heads side by side.
                ("attn.z", _) => {
                    row(tap, format!("module.encoder.layer.{i}{golden}")).viewed(|z| z.transpose(1, 2)?.flatten_from(2))
                }
                _ => row(tap, format!("module.encoder.layer.{i}{golden}")),
            }
        }));
    }
    rows.push(row("output", "module.encoder"));
    if model.pooler.is_some() {
        rows.extend([
            row("pooler.dense", "module.pooler.dense"),
            row("pooler.output", "module.pooler.activation"),
            row("pooler.output", "module.pooler"),
        ]);
    }
    rows.push(row("output", "output"));
    rows
}

#[test]
fn every_tap_is_that_of_the_original() -> Result<()> {
    for reference in REFERENCES {
        let golden = Golden::open(reference)?;
        let model = pretrained::<Bert>(&golden, |_| ())?;
        compare_all(&model, &golden, &rows(&model))?;
    }
    Ok(())
}

#[test]
fn the_pooler_is_there_if_the_file_has_it() -> Result<()> {
    let pooled = REFERENCES.map(|reference| {
        let golden = Golden::open(reference)?;
        assert_eq!(golden.find("module.pooler").is_some(), reference == "bert" || reference == "bert_types");
        Ok(pretrained::<Bert>(&golden, |_| ())?.pooler.is_some())
    });
    assert_eq!(pooled.into_iter().collect::<Result<Vec<_>>>()?, [true, false, true, false, false]);
    Ok(())
}

#[test]
fn mistakes_diverge_where_they_are() -> Result<()> {
    type Mistake = (&'static str, fn(&mut Config), &'static str);
    let mistakes: [Mistake; 7] = [
        ("bert", |config| config.hidden_act = Activation::GeluTanh, "blocks.0.mlp.act"),
        ("bert_plain", |config| config.hidden_act = Activation::Gelu, "blocks.0.mlp.act"),
        ("bert", |config| config.layer_norm_eps = 1e-3, "embeddings.ln"),
        ("bert", |config| config.num_attention_heads = 2, "blocks.0.attn.pattern"),
        ("bert", |config| config.model_type = ModelType::Roberta, "embeddings.position_embeddings"),
        ("roberta", |config| config.model_type = ModelType::Bert, "embeddings.position_embeddings"),
        ("roberta_inside", |config| config.pad_token_id = Some(1), "embeddings.position_embeddings"),
    ];
    for (reference, mistake, tap) in mistakes {
        let golden = Golden::open(reference)?;
        let model = pretrained::<Bert>(&golden, mistake)?;
        assert_eq!(first_to_diverge(&model, &golden, &rows(&model))?, tap, "{reference}");
    }
    Ok(())
}

#[test]
fn what_is_left_out_diverges_where_it_is_read() -> Result<()> {
    let golden = Golden::open("bert_types")?;
    let model = pretrained::<Bert>(&golden, |_| ())?;
    let (ids, types, mask) = (
        golden.tensor("input.input_ids"),
        golden.tensor("input.token_type_ids"),
        golden.tensor("input.attention_mask"),
    );
    let swapped = mask.eq(0i64)?;
    let cases = [
        (None, Some(mask), "embeddings.token_type_embeddings"),
        (Some(types), None, "blocks.0.attn.pattern"),
        (Some(types), Some(&swapped), "blocks.0.attn.pattern"),
    ];
    let rows = rows(&model);
    let reference = golden.reference()?;
    for (types, mask, tap) in cases {
        let report = with_rows(Parity::of(&model, &reference), &rows).run((ids, types, mask))?;
        assert_eq!(first_of(report), tap);
    }
    Ok(())
}

#[test]
fn sentences_are_those_of_the_original() -> Result<()> {
    for reference in ["bert_plain", "bert_types", "roberta", "roberta_inside"] {
        let golden = Golden::open(reference)?;
        let model = pretrained::<Bert>(&golden, |_| ())?;
        let mask = golden.find("input.attention_mask");
        let stream = model.forward(golden.tensor("input.input_ids"), golden.find("input.token_type_ids"), mask)?;
        assert!(max_error(&Pooling::Mean.pooled(&stream, mask)?, golden.tensor("mean"))? <= TOLERANCE);
        assert!(max_error(&Pooling::Mean.of(&stream, mask)?, golden.tensor("sentence"))? <= TOLERANCE);
        let first = Pooling::Cls.pooled(&stream, mask)?;
        assert!(max_error(&first, &golden.tensor("output").i((.., 0))?)? <= TOLERANCE);
    }
    Ok(())
}

fn tensors(golden: &Golden) -> Result<HashMap<String, Tensor>> {
    safetensors::load(golden.file("model.safetensors"), &Device::Cpu)
}

fn load(tensors: HashMap<String, Tensor>, golden: &Golden) -> Result<Bert> {
    let weights = Weights::from_tensors(tensors, DType::F32, &Device::Cpu);
    Bert::from_weights(weights, &read_config(golden.file("config.json"))?)
}

/// As in the first files, which were converted from TensorFlow's, with heads that are not read.
#[test]
fn older_names_load() -> Result<()> {
    for (reference, prefix, heads) in [
        ("bert_types", "bert", ["cls.predictions.bias", "cls.seq_relationship.weight"]),
        ("roberta", "roberta", ["lm_head.layer_norm.weight", "lm_head.bias"]),
    ] {
        let golden = Golden::open(reference)?;
        let older = |name: &str| {
            let name = name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta");
            format!("{prefix}.{name}")
        };
        let mut old: HashMap<_, _> =
            tensors(&golden)?.into_iter().map(|(name, tensor)| (older(&name), tensor)).collect();
        assert!(old.contains_key(&format!("{prefix}.encoder.layer.1.attention.output.LayerNorm.gamma")));
        let one = Tensor::ones(1, DType::F32, &Device::Cpu)?;
        old.extend(heads.map(|head| (head.to_owned(), one.clone())));
        let positions = Tensor::arange(0i64, 14, &Device::Cpu)?.unsqueeze(0)?;
        old.insert(format!("{prefix}.embeddings.position_ids"), positions);

        let (model, ids) = (load(old.clone(), &golden)?, golden.tensor("input.input_ids"));
        assert_eq!(model.pooler.is_some(), reference == "bert_types");
        let plain = pretrained::<Bert>(&golden, |_| ())?;
        assert_same(&model.forward(ids, None, None)?, &plain.forward(ids, None, None)?);

        old.insert(format!("{prefix}.encoder.layer.2.output.dense.bias"), one);
        assert_error(load(old, &golden), &["1 unused", "encoder.layer.2.output.dense.bias"]);
    }
    Ok(())
}

#[test]
fn what_is_missing_is_told_by_its_name() -> Result<()> {
    let golden = Golden::open("bert")?;
    let mut less = tensors(&golden)?;
    less.remove("encoder.layer.1.attention.self.key.bias");
    less.remove("pooler.dense.bias");
    assert_error(load(less, &golden), &["encoder.layer.1.attention.self.key.bias", "pooler.dense.bias"]);
    Ok(())
}

#[test]
fn what_is_not_supported_is_refused() -> Result<()> {
    let golden = Golden::open("bert")?;
    let model = |change: fn(&mut Config)| pretrained::<Bert>(&golden, change);
    assert_error(model(|config| config.is_decoder = true), &["`is_decoder`", "not supported"]);
    assert_error(model(|config| config.num_attention_heads = 5), &["width 32", "5 heads"]);
    let text = std::fs::read_to_string(golden.file("config.json"))?;
    let relative = text.replacen('{', r#"{"position_embedding_type": "relative_key","#, 1);
    assert_error(serde_json::from_str::<Config>(&relative), &["unknown variant `relative_key`, expected `absolute`"]);
    Ok(())
}

#[test]
fn texts_are_as_long_as_there_are_positions() -> Result<()> {
    let zeros = |len: usize| Tensor::zeros((1, len), DType::U32, &Device::Cpu);
    let bert = pretrained::<Bert>(&Golden::open("bert_plain")?, |_| ())?;
    assert!(bert.forward(&zeros(16)?, None, None).is_ok());
    assert_error(bert.forward(&zeros(17)?, None, None), &["17 tokens", "16 positions"]);

    // Of the fourteen positions two stand for the padding and what is before it.
    let roberta = pretrained::<Bert>(&Golden::open("roberta")?, |_| ())?;
    assert!(roberta.forward(&zeros(12)?, None, None).is_ok());
    assert_error(roberta.forward(&zeros(13)?, None, None), &["13 tokens", "12 positions"]);
    let padded = Tensor::cat(&[&zeros(12)?, &Tensor::ones((1, 3), DType::U32, &Device::Cpu)?], 1)?;
    assert!(roberta.forward(&padded, None, None).is_ok());
    Ok(())
}

#[test]
fn masks_of_another_kind_are_refused() -> Result<()> {
    let golden = Golden::open("bert")?;
    let (model, ids) = (pretrained::<Bert>(&golden, |_| ())?, golden.tensor("input.input_ids"));
    let mask = golden.tensor("input.attention_mask");
    assert_error(model.forward(ids, None, Some(&mask.to_dtype(DType::F32)?)), &["F32", "give integers"]);
    assert_error(model.forward(ids, None, Some(&mask.narrow(1, 0, 4)?)), &["[2, 4]", "one number for each token"]);
    assert_error(Pooling::Mean.of(golden.tensor("output"), Some(&mask.narrow(1, 0, 4)?)), &["[2, 4]"]);
    Ok(())
}

/// What is at padding is read by nobody.
#[test]
fn a_text_is_the_same_with_padding() -> Result<()> {
    for (reference, padding) in [("bert_plain", 0i64), ("roberta", 1)] {
        let golden = Golden::open(reference)?;
        let model = pretrained::<Bert>(&golden, |_| ())?;
        let text = golden.tensor("input.input_ids").i((..1, ..6))?;
        let longer = Tensor::cat(&[&text, &Tensor::full(padding, (1, 4), &Device::Cpu)?], 1)?;
        let mask = Tensor::new(&[[1u32, 1, 1, 1, 1, 1, 0, 0, 0, 0]], &Device::Cpu)?;
        let short = Pooling::Mean.of(&model.forward(&text, None, None)?, None)?;
        let long = Pooling::Mean.of(&model.forward(&longer, None, Some(&mask))?, Some(&mask))?;
        assert!(max_error(&long, &short)? <= 1e-5, "{reference}");
    }
    Ok(())
}

#[test]
fn the_configuration_says_that_a_folder_is_one() -> Result<()> {
    let folder = Golden::open("roberta")?.file("");
    assert!(matches!(taper_models::open(folder, DType::F32, &Device::Cpu)?, AnyModel::Bert(_)));
    Ok(())
}

/// Weights of half the precision, and a mask of their type.
#[test]
fn half_precision_is_near() -> Result<()> {
    for reference in ["bert_types", "roberta"] {
        let golden = Golden::open(reference)?;
        for (dtype, near) in [(DType::F16, 0.02), (DType::BF16, 0.15)] {
            let weights = Weights::safetensors([golden.file("model.safetensors")], dtype, &Device::Cpu)?;
            let model = Bert::from_weights(weights, &read_config(golden.file("config.json"))?)?;
            let (ids, types) = (golden.tensor("input.input_ids"), golden.find("input.token_type_ids"));
            let output = model.forward(ids, types, golden.find("input.attention_mask"))?;
            assert_eq!(output.dtype(), dtype);
            let error = max_error(&output, golden.tensor("output"))?;
            assert!(error < near, "{reference}, {dtype:?}: {error}");
        }
    }
    Ok(())
}
