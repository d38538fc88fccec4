//! Every tensor inside GPT-NeoX against Hugging Face's, tap by tap, and proof that the comparison finds typical mistakes.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, safetensors};
use taper::{Model, Weights};
use taper_models::neox::{BlockTaps, Config, NeoX, NeoXTaps};
use taper_models::pretrained::{Pretrained, read_config};
use taper_models::shared::Activation;
use taper_tests::originals::NEOXES;
use taper_tests::parity::{Divergence, Golden, Row, compare};

/// The taps of a block in the order of execution, with the references below `gpt_neox.layers.I` (or `attention.I`).
///
/// Dropout does nothing in evaluation, so its output is its input by definition: `post_attention_dropout` and
/// `post_mlp_dropout` are compared with the outputs of the modules before them.
type BlockRow = (&'static str, &'static str, fn(&BlockTaps) -> &Tensor);
const BLOCK: &[BlockRow] = &[
    ("ln_1", "input_layernorm", |b| &b.ln_1),
    ("attn.qkv", "attention.query_key_value", |b| &b.attn.qkv),
    ("attn.pattern", "pattern", |b| &b.attn.pattern),
    ("attn.proj", "attention.dense", |b| &b.attn.proj),
    ("attn.output", "attention", |b| &b.attn.output),
    ("attn.output", "post_attention_dropout", |b| &b.attn.output),
    ("ln_2", "post_attention_layernorm", |b| &b.ln_2),
    ("mlp.up", "mlp.dense_h_to_4h", |b| &b.mlp.up),
    ("mlp.act", "mlp.act", |b| &b.mlp.act),
    ("mlp.down", "mlp.dense_4h_to_h", |b| &b.mlp.down),
    ("mlp.output", "mlp", |b| &b.mlp.output),
    ("mlp.output", "post_mlp_dropout", |b| &b.mlp.output),
    ("output", "", |b| &b.output),
];

/// Every row in the order of execution.
///
/// By definition `gpt_neox.emb_dropout` is the embedding, `gpt_neox` the output of its own last module, and `lm_head` the
/// output of the whole. The original's cosines are those of both halves of the pairs.
fn rows(blocks: usize) -> Vec<Row<NeoXTaps>> {
    let mut rows: Vec<Row<NeoXTaps>> = vec![
        Row::new("wte", "module.gpt_neox.embed_in", |t: &NeoXTaps| t.wte.clone()),
        Row::new("embed", "module.gpt_neox.emb_dropout", |t: &NeoXTaps| t.embed.clone()),
        Row::new("cos", "module.gpt_neox.rotary_emb", |t: &NeoXTaps| {
            Tensor::cat(&[&t.cos, &t.cos], 1).unwrap().unsqueeze(0).unwrap()
        }),
    ];
    for i in 0..blocks {
        rows.extend(BLOCK.iter().map(|&(tap, golden, get)| {
            let golden = match golden {
                "pattern" => format!("attention.{i}"),
                "" => format!("module.gpt_neox.layers.{i}"),
                module => format!("module.gpt_neox.layers.{i}.{module}"),
            };
            Row::new(format!("blocks.{i}.{tap}"), golden, move |t: &NeoXTaps| get(&t.blocks[i]).clone())
        }));
    }
    rows.extend([
        Row::new("ln_f", "module.gpt_neox.final_layer_norm", |t: &NeoXTaps| t.ln_f.clone()),
        Row::new("ln_f", "module.gpt_neox", |t: &NeoXTaps| t.ln_f.clone()),
        Row::new("lm_head", "module.lm_head", |t: &NeoXTaps| t.lm_head.clone()),
        Row::new("output", "output", |t: &NeoXTaps| t.output.clone()),
    ]);
    rows
}

fn config(golden: &Golden) -> Result<Config> {
    read_config(golden.file("config.json"))
}

fn load(golden: &Golden, config: &Config) -> Result<NeoX> {
    NeoX::from_weights(Weights::safetensors([golden.file("model.safetensors")], DType::F32, &Device::Cpu)?, config)
}

/// The model as the reference's configuration changed by `change` makes it.
fn run(reference: &str, change: impl FnOnce(&mut Config)) -> Result<std::result::Result<(), Divergence>> {
    let golden = Golden::open(reference)?;
    let mut config = config(&golden)?;
    change(&mut config);
    let model = load(&golden, &config)?;
    let (_, taps) = model.forward_with_taps(golden.tensor("input.input_ids"), None)?;
    Ok(compare(&taps, &rows(model.blocks.len()), &golden))
}

#[test]
fn every_tap_is_that_of_the_original() -> Result<()> {
    for reference in NEOXES {
        if let Err(divergence) = run(reference, |_| ())? {
            panic!("{reference}: {divergence}");
        }
    }
    Ok(())
}

#[test]
fn no_reference_is_left_over() -> Result<()> {
    for reference in NEOXES {
        let golden = Golden::open(reference)?;
        let left = golden.left_over(&["module.", "attention.", "output"], &rows(config(&golden)?.num_hidden_layers));
        assert!(left.is_empty(), "{reference}: nothing is compared with {left:?}");
    }
    Ok(())
}

/// A name in a message leads to the tensor that was compared.
#[test]
fn names_are_those_of_the_fields() -> Result<()> {
    let golden = Golden::open("neox")?;
    let model = load(&golden, &config(&golden)?)?;
    let ids = golden.tensor("input.input_ids");
    let (_, taps) = model.forward_with_taps(ids, None)?;
    let sites = model.sites();
    for row in rows(model.blocks.len()).iter().filter(|row| row.tap != "cos") {
        let site = sites.find(&row.tap)?;
        let named = model.capture(ids, None, |_| site)?;
        let bits = |tensor: &Tensor| -> Result<Vec<u32>> {
            Ok(tensor.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
        };
        assert_eq!(bits(&named)?, bits(&(row.get)(&taps))?, "{}", row.tap);
    }
    Ok(())
}

/// The mistake is found, and the first tap to diverge is where it is.
#[track_caller]
fn diverges_at(reference: &str, tap: &str, change: impl FnOnce(&mut Config)) {
    let divergence = run(reference, change).unwrap().expect_err("the mistake was not found");
    assert_eq!(divergence.tap, tap, "{divergence}");
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
    let config = config(&golden)?;
    let model = load(&golden, &config)?;
    let (heads, head_dim) = (config.num_attention_heads, config.head_dim);
    let mistaken = Model::run(&model).edit(
        |t| t.blocks.each(|b| b.attn.qkv),
        |qkv| {
            let (batch, token, width) = qkv.dims3()?;
            let apart = qkv.reshape((batch, token, 3, heads, head_dim))?.transpose(2, 3)?;
            apart.reshape((batch, token, width))
        },
    );
    let (_, mut taps) = mistaken.forward_with_taps(golden.tensor("input.input_ids"), None)?;
    // The layer itself is right: what is mistaken is how its output is read.
    for (i, block) in taps.blocks.iter_mut().enumerate() {
        block.attn.qkv = golden.tensor(&format!("module.gpt_neox.layers.{i}.attention.query_key_value")).clone();
    }
    let divergence = compare(&taps, &rows(model.blocks.len()), &golden).unwrap_err();
    assert_eq!(divergence.tap, "blocks.0.attn.pattern");
    Ok(())
}

/// The names of Pythia's own files, and the buffers that are in them.
#[test]
fn older_files_load() -> Result<()> {
    let golden = Golden::open("neox")?;
    let config = config(&golden)?;
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
