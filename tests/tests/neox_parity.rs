//! Every tensor inside GPT-NeoX against Hugging Face's, tap by tap, and proof that the comparison finds typical mistakes.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, safetensors};
use taper::parity::Parity;
use taper::{Model, Weights};
use taper_models::neox::{Config, NeoX};
use taper_models::pretrained::{Pretrained, read_config};
use taper_models::shared::{Activation, RotaryScaling};
use taper_tests::originals::{NEOXES, Original, pretrained};
use taper_tests::parity::Golden;
use taper_tests::rows::{Row, compare_all, first_of, first_to_diverge, row, with_rows};

/// The taps of a block in the order of execution, with the references below `gpt_neox.layers.I` (or `attention.I`).
///
/// Dropout does nothing in evaluation, so its output is its input by definition: `post_attention_dropout` and
/// `post_mlp_dropout` are compared with the outputs of the modules before them.
const BLOCK: &[(&str, &str)] = &[
    ("ln_1", "input_layernorm"),
    ("attn.qkv", "attention.query_key_value"),
    ("attn.pattern", "pattern"),
    ("attn.proj", "attention.dense"),
    ("attn.output", "attention"),
    ("attn.output", "post_attention_dropout"),
    ("ln_2", "post_attention_layernorm"),
    ("mlp.up", "mlp.dense_h_to_4h"),
    ("mlp.act", "mlp.act"),
    ("mlp.down", "mlp.dense_4h_to_h"),
    ("mlp.output", "mlp"),
    ("mlp.output", "post_mlp_dropout"),
    ("output", ""),
];

/// Every row in the order of execution.
///
/// By definition `gpt_neox.emb_dropout` is the embedding, `gpt_neox` the output of its own last module, and `lm_head` the
/// output of the whole. The original's cosines are those of both halves of the pairs.
fn rows(model: &NeoX) -> Vec<Row> {
    let mut rows = vec![
        row("wte", "module.gpt_neox.embed_in"),
        row("embed", "module.gpt_neox.emb_dropout"),
        row("cos", "module.gpt_neox.rotary_emb").viewed(|cos| Tensor::cat(&[cos, cos], 1)?.unsqueeze(0)),
    ];
    for i in 0..model.blocks.len() {
        rows.extend(BLOCK.iter().map(|&(tap, golden)| {
            let golden = match golden {
                "pattern" => format!("attention.{i}"),
                "" => format!("module.gpt_neox.layers.{i}"),
                module => format!("module.gpt_neox.layers.{i}.{module}"),
            };
            row(format!("blocks.{i}.{tap}"), golden)
        }));
    }
    rows.extend([
        row("ln_f", "module.gpt_neox.final_layer_norm"),
        row("ln_f", "module.gpt_neox"),
        row("lm_head", "module.lm_head"),
        row("output", "output"),
    ]);
    rows
}

#[test]
fn every_tap_is_that_of_the_original() -> Result<()> {
    for reference in NEOXES {
        let golden = Golden::open(reference)?;
        let model = pretrained::<NeoX>(&golden, |_| ())?;
        compare_all(&model, &golden, &rows(&model))?;
    }
    Ok(())
}

/// The mistake is found, and the first tap to diverge is where it is.
#[track_caller]
fn diverges_at(reference: &str, tap: &str, change: impl FnOnce(&mut Config)) {
    let golden = Golden::open(reference).unwrap();
    let model = pretrained::<NeoX>(&golden, change).unwrap();
    assert_eq!(first_to_diverge(&model, &golden, &rows(&model)).unwrap(), tap);
}

#[test]
fn another_epsilon_diverges_at_the_first_norm() {
    diverges_at("neox", "blocks.0.ln_1", |config| config.layer_norm_eps = 1e-6);
}

#[test]
fn another_base_diverges_at_the_angles() {
    diverges_at("neox_serial", "cos", |config| config.rotary.theta = 10000.0);
}

#[test]
fn another_part_that_turns_diverges_at_the_angles() {
    diverges_at("neox", "cos", |config| config.rotary.channels = config.head_dim);
}

#[test]
fn another_scaling_diverges_at_the_angles() {
    diverges_at("neox_rope_yarn", "cos", |config| config.rotary.scaling = RotaryScaling::Linear { factor: 8.0 });
    diverges_at("neox_rope_yarn", "cos", |config| match &mut config.rotary.scaling {
        RotaryScaling::Yarn { attention_factor, .. } => *attention_factor = 1.0,
        other => panic!("{other:?}"),
    });
}

#[test]
fn tanh_gelu_diverges_at_the_first_activation() {
    diverges_at("neox", "blocks.0.mlp.act", |config| config.hidden_act = Activation::GeluTanh);
}

#[test]
fn another_residual_diverges_at_the_first_norm_before_an_mlp() {
    diverges_at("neox", "blocks.0.ln_2", |config| config.use_parallel_residual = false);
    diverges_at("neox_serial", "blocks.0.ln_2", |config| config.use_parallel_residual = true);
}

/// Queries, keys and values are side by side in each head, and not all queries before all keys.
#[test]
fn heads_in_another_order_diverge_at_the_first_pattern() -> Result<()> {
    let golden = Golden::open("neox")?;
    let config: Config = read_config(golden.file("config.json"))?;
    let model = pretrained::<NeoX>(&golden, |_| ())?;
    let (heads, head_dim) = (config.num_attention_heads, config.head_dim);
    let mistaken = Model::run(&model).edit(
        |t| t.blocks.each(|b| b.attn.qkv),
        |qkv| {
            let (batch, token, width) = qkv.dims3()?;
            let apart = qkv.reshape((batch, token, 3, heads, head_dim))?.transpose(2, 3)?;
            apart.reshape((batch, token, width))
        },
    );
    // The layer itself is right: what is mistaken is how its output is read.
    let mut rows = rows(&model);
    rows.retain(|row| !row.tap.ends_with("attn.qkv"));
    let reference = golden.reference()?;
    let report = with_rows(Parity::of_run(&mistaken, &reference), &rows).run(NeoX::args(&golden))?;
    assert_eq!(first_of(report), "blocks.0.attn.pattern");
    Ok(())
}

/// The names of Pythia's own files, and the buffers that are in them.
#[test]
fn older_files_load() -> Result<()> {
    let golden = Golden::open("neox")?;
    let config: Config = read_config(golden.file("config.json"))?;
    let mut tensors: HashMap<String, Tensor> = safetensors::load(golden.file("model.safetensors"), &Device::Cpu)?;
    let head = tensors.remove("lm_head.weight").expect("a head of its own");
    tensors.insert("embed_out.weight".to_owned(), head);
    for buffer in ["bias", "masked_bias", "rotary_emb.inv_freq"] {
        let name = format!("gpt_neox.layers.1.attention.{buffer}");
        tensors.insert(name, Tensor::ones((1, 1, 8, 8), DType::F32, &Device::Cpu)?);
    }
    let load = |tensors| NeoX::from_weights(Weights::from_tensors(tensors, DType::F32, &Device::Cpu), &config);
    let ids = golden.tensor("input.input_ids");
    let output = load(tensors.clone())?.forward(ids, None)?;
    assert!(taper_tests::parity::max_error(&output, golden.tensor("output"))? <= taper_tests::parity::TOLERANCE);

    tensors.insert("gpt_neox.layers.1.attention.norm".to_owned(), Tensor::ones(1, DType::F32, &Device::Cpu)?);
    let error = load(tensors).map(|_| ()).unwrap_err().to_string();
    assert!(error.contains("1 unused") && error.contains("attention.norm"), "{error}");
    Ok(())
}
