//! Every tensor inside ViT against Hugging Face's, and proof that the comparison finds typical mistakes.

use candle_core::{DType, Device, Result, Tensor};
use serde_json::json;
use taper::Weights;
use taper_models::Pretrained;
use taper_models::shared::Activation;
use taper_models::vit::{Config, Vit, VitClassifier};
use taper_tests::fixtures::{assert_error, assert_same};
use taper_tests::originals::pretrained;
use taper_tests::parity::Golden;
use taper_tests::rows::{Row, compare_all, first_to_diverge, report, row};

/// The taps of a block in the order of execution, with the references below `layers.I` (or `attention.I`). Dropout does
/// nothing in evaluation; a layer calls its one first after the attention.
const BLOCK: &[(&str, &str)] = &[
    ("ln_1", ".layernorm_before"),
    ("attn.q_proj", ".attention.q_proj"),
    ("attn.k_proj", ".attention.k_proj"),
    ("attn.v_proj", ".attention.v_proj"),
    ("attn.pattern", "attention"),
    ("attn.proj", ".attention.o_proj"),
    ("attn.output", ".attention"),
    ("attn.output", ".dropout"),
    ("ln_2", ".layernorm_after"),
    ("mlp.up", ".mlp.fc1"),
    ("mlp.act", ".mlp.activation_fn"),
    ("mlp.down", ".mlp.fc2"),
    ("mlp.output", ".mlp"),
    ("output", ""),
];

/// All before a classifier, in the order of execution; `tap` and `module` are what stands before the names.
fn rows(tap: &str, module: &str) -> Vec<Row> {
    let at = |name: &str, golden: &str| row(format!("{tap}{name}"), format!("module.{module}{golden}"));
    let mut rows = vec![
        at("patch_embedding", "embeddings.patch_embeddings.projection"),
        at("patches", "embeddings.patch_embeddings"),
        at("embed", "embeddings"),
        at("embed", "embeddings.dropout"),
    ];
    for i in 0..2 {
        rows.extend(BLOCK.iter().map(|&(name, golden)| match golden {
            "attention" => row(format!("{tap}blocks.{i}.{name}"), format!("attention.{i}")),
            golden => at(&format!("blocks.{i}.{name}"), &format!("layers.{i}{golden}")),
        }));
    }
    rows.push(at("ln_f", "layernorm"));
    rows
}

fn classifier_rows() -> Vec<Row> {
    let mut rows = rows("vit.", "vit.");
    rows.extend([row("vit.output", "module.vit"), row("classifier", "module.classifier"), row("output", "output")]);
    rows
}

fn backbone_rows() -> Vec<Row> {
    let mut rows = rows("", "");
    rows.extend([
        row("pooler.dense", "module.pooler.dense"),
        row("pooler.output", "module.pooler.activation"),
        row("pooler.output", "module.pooler"),
        row("output", "output"),
    ]);
    rows
}

#[test]
fn every_tap_is_that_of_the_original() -> Result<()> {
    let golden = Golden::open("vit")?;
    compare_all(&pretrained::<VitClassifier>(&golden, |_| ())?, &golden, &classifier_rows())
}

#[test]
fn of_wide_images_with_a_pooler_too() -> Result<()> {
    let golden = Golden::open("vit_wide")?;
    compare_all(&pretrained::<Vit>(&golden, |_| ())?, &golden, &backbone_rows())
}

/// The taps of a block with timm's modules below `blocks.I`. Its queries and keys are told from the values by what stands
/// behind them; what there is of other networks does nothing.
const TIMM_BLOCK: &[(&str, &str)] = &[
    ("ln_1", ".norm1"),
    ("attn.q", ".attn.q_norm"),
    ("attn.k", ".attn.k_norm"),
    ("attn.pattern", ".attn.attn_drop"),
    ("attn.proj", ".attn.proj"),
    ("attn.output", ".attn"),
    ("ln_2", ".norm2"),
    ("mlp.up", ".mlp.fc1"),
    ("mlp.act", ".mlp.act"),
    ("mlp.down", ".mlp.fc2"),
    ("mlp.output", ".mlp"),
    ("output", ""),
];

#[test]
fn every_tap_of_timms_is_that_of_the_original() -> Result<()> {
    let golden = Golden::open("vit_timm")?;
    let model = pretrained::<VitClassifier>(&golden, |_| ())?;
    let mut rows = vec![
        row("vit.patches", "module.patch_embed"),
        row("vit.embed", "module.pos_drop"),
        row("vit.blocks.1.output", "module.blocks"),
        row("vit.ln_f", "module.norm"),
        row("classifier", "module.head"),
        row("output", "output"),
    ];
    rows.extend((0..2).flat_map(|i| {
        let of_block = move |&(tap, module): &(&str, &str)| {
            row(format!("vit.blocks.{i}.{tap}"), format!("module.blocks.{i}{module}"))
        };
        TIMM_BLOCK.iter().map(of_block)
    }));
    report(&model, &golden, &rows)?.into_result()?;
    Ok(())
}

/// timm's configuration names the sizes.
#[test]
fn configurations_of_timms_are_read_and_those_that_do_not_fit_refused() {
    let read = |fields: serde_json::Value| {
        let mut config = json!({"architecture": "vit_small_patch32_384", "num_classes": 7, "global_pool": "token"});
        config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value::<Config>(config).map_err(|error| error.to_string())
    };
    let config = read(json!({})).unwrap();
    assert_eq!((config.hidden_size, config.num_hidden_layers, config.num_attention_heads), (384, 12, 6));
    assert_eq!((config.intermediate_size, config.patch_size, config.image_size), (1536, 32, [384, 384]));
    assert_eq!((config.num_channels, config.id2label.len(), config.layer_norm_eps), (3, 7, 1e-6));
    let usual = json!({"input_size": [1, 64, 96]});
    assert_eq!(read(json!({"pretrained_cfg": usual})).unwrap().image_size, [64, 96]);
    let arguments = json!({"img_size": 128, "global_pool": "token", "in_chans": 4, "num_classes": 7});
    let config = read(json!({"pretrained_cfg": usual, "model_args": arguments})).unwrap();
    assert_eq!((config.image_size, config.num_channels), ([128, 128], 4));
    for (fields, part) in [
        (json!({"architecture": "vit_base_patch16_clip_224"}), "`architecture` is `vit_base_patch16_clip_224`"),
        (json!({"architecture": "vit_giant_patch14_224"}), "`vit_giant_patch14_224`"),
        (json!({"model_args": {"global_pool": "avg"}}), "`global_pool` is `avg`"),
        (json!({"pretrained_cfg": {"global_pool": "avg"}}), "`global_pool` is `avg`"),
        (json!({"model_args": {"qkv_bias": false}}), "`model_args.qkv_bias` is false"),
    ] {
        let error = read(fields).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

/// Images of another size than that of which the positions are.
#[test]
fn interpolated_positions_are_those_of_the_original() -> Result<()> {
    let golden = Golden::open("vit_interpolated")?;
    let mut model = pretrained::<VitClassifier>(&golden, |_| ())?;
    assert_error(model.forward(golden.tensor("input.pixel_values")), &["[batch, 3, 24, 24]", "`for_images`"]);
    model.vit = model.vit.for_images([32, 43])?;
    compare_all(&model, &golden, &classifier_rows())?;
    assert_error(model.vit.for_images([32, 7]), &["32 × 7 pixels"]);
    // Where nothing is to be interpolated, nothing is.
    let same = model.vit.for_images([32, 40])?;
    assert_same(&same.position_embedding, &model.vit.position_embedding);
    Ok(())
}

#[test]
fn mistakes_diverge_where_they_are() -> Result<()> {
    type Mistake = (fn(&mut Config), &'static str);
    let mistakes: [Mistake; 3] = [
        (|config| config.hidden_act = Activation::GeluTanh, "vit.blocks.0.mlp.act"),
        (|config| config.layer_norm_eps = 1e-4, "vit.blocks.0.ln_1"),
        (|config| config.num_attention_heads = 2, "vit.blocks.0.attn.pattern"),
    ];
    let golden = Golden::open("vit")?;
    for (mistake, tap) in mistakes {
        assert_eq!(
            first_to_diverge(&pretrained::<VitClassifier>(&golden, mistake)?, &golden, &classifier_rows())?,
            tap
        );
    }
    // What no configuration says.
    let mut unscaled = pretrained::<VitClassifier>(&golden, |_| ())?;
    unscaled.vit.blocks[1].attn.scale = 1.0;
    assert_eq!(first_to_diverge(&unscaled, &golden, &classifier_rows())?, "vit.blocks.1.attn.pattern");
    let mut swapped = pretrained::<VitClassifier>(&golden, |_| ())?;
    let block = &mut swapped.vit.blocks[0];
    std::mem::swap(&mut block.ln_1, &mut block.ln_2);
    assert_eq!(first_to_diverge(&swapped, &golden, &classifier_rows())?, "vit.blocks.0.ln_1");
    let golden = Golden::open("vit_wide")?;
    let pooled: Mistake = (|config| config.pooler_act = Activation::Relu, "pooler.output");
    assert_eq!(first_to_diverge(&pretrained::<Vit>(&golden, pooled.0)?, &golden, &backbone_rows())?, pooled.1);
    Ok(())
}

/// The names of the files that people have, from before version 5 of Hugging Face's library.
#[test]
fn older_names_load() -> Result<()> {
    const OLDER: &[(&str, &str)] = &[
        ("layers.", "encoder.layer."),
        ("attention.q_proj", "attention.attention.query"),
        ("attention.k_proj", "attention.attention.key"),
        ("attention.v_proj", "attention.attention.value"),
        ("attention.o_proj", "attention.output.dense"),
        ("mlp.fc1", "intermediate.dense"),
        ("mlp.fc2", "output.dense"),
    ];
    let golden = Golden::open("vit")?;
    let config = taper_models::pretrained::read_config(golden.file("config.json"))?;
    let tensors = candle_core::safetensors::load(golden.file("model.safetensors"), &Device::Cpu)?;
    let older = |name: &str| OLDER.iter().fold(name.to_owned(), |name, (new, old)| name.replace(new, old));
    let tensors = tensors.into_iter().map(|(name, tensor)| (older(&name), tensor)).collect();
    let weights = Weights::from_tensors(tensors, DType::F32, &Device::Cpu);
    assert!(weights.contains("vit.encoder.layer.1.attention.attention.query.bias"));
    assert!(weights.contains("vit.encoder.layer.1.output.dense.bias"));

    let images = golden.tensor("input.pixel_values");
    let model = VitClassifier::from_weights(weights.clone(), &config)?;
    assert_same(&model.forward(images)?, &pretrained::<VitClassifier>(&golden, |_| ())?.forward(images)?);
    // And all before the classifier by itself.
    assert_same(&Vit::from_weights(weights, &config)?.forward(images)?, &model.vit.forward(images)?);
    Ok(())
}

#[test]
fn images_of_another_size_are_refused() -> Result<()> {
    let model = pretrained::<Vit>(&Golden::open("vit_wide")?, |_| ())?;
    // As many patches, but in other places.
    for shape in [[1, 1, 20, 8], [1, 1, 8, 24], [1, 3, 8, 20]] {
        let images = Tensor::zeros(&shape, DType::F32, &Device::Cpu)?;
        assert_error(model.forward(&images), &[&format!("{shape:?}"), "[batch, 1, 8, 20]", "resize"]);
    }
    Ok(())
}

/// What configurations leave out is as it was before it could be chosen.
#[test]
fn what_is_absent_has_its_default() {
    let sizes = r#"{"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8,
        "hidden_act": "gelu", "layer_norm_eps": 1e-12, "image_size": 32, "patch_size": 16, "num_channels": 3}"#;
    let config: Config = serde_json::from_str(sizes).unwrap();
    assert_eq!((config.qkv_bias, config.pooler_act, config.image_size), (true, Activation::Tanh, [32, 32]));
    assert_eq!((config.id2label.len(), config.id2label[&1].as_str()), (2, "LABEL_1"));
    let wide = serde_json::from_str::<Config>(&sizes.replace("32,", "[32, 48],")).unwrap();
    assert_eq!(wide.image_size, [32, 48]);
    assert_error(serde_json::from_str::<Config>(&sizes.replace("32,", "\"32\",")), &["a number, or [height, width]"]);
}

#[test]
fn what_cannot_be_divided_is_refused() -> Result<()> {
    let golden = Golden::open("vit")?;
    let model = |change: fn(&mut Config)| pretrained::<VitClassifier>(&golden, change);
    assert_error(model(|config| config.patch_size = 25), &["24 × 24 pixels", "patches of 25 × 25"]);
    assert_error(model(|config| config.num_attention_heads = 5), &["width 24", "5 heads"]);
    Ok(())
}
