//! Every tensor inside GPT-2 against Hugging Face's, tap by tap, and proof that the comparison finds typical mistakes.

use candle_core::{DType, Device, Result, Tensor};
use taper::Weights;
use taper_models::gpt2::{BlockTaps, Config, Gpt2, Gpt2Taps};
use taper_models::pretrained::{Pretrained, read_config};
use taper_models::shared::Activation;
use taper_tests::parity::{Divergence, Golden, Row, compare};

/// The taps of a block in the order of execution, with the references below `transformer.h.I` (or `attention.I`).
///
/// Dropout does nothing in evaluation, so its output is its input by definition: `resid_dropout` and `dropout` are
/// compared with the outputs of the modules that they end.
type BlockRow = (&'static str, &'static str, fn(&BlockTaps) -> &Tensor);
const BLOCK: &[BlockRow] = &[
    ("ln_1", "ln_1", |b| &b.ln_1),
    ("attn.qkv", "attn.c_attn", |b| &b.attn.qkv),
    ("attn.pattern", "attention", |b| &b.attn.pattern),
    ("attn.proj", "attn.c_proj", |b| &b.attn.proj),
    ("attn.output", "attn.resid_dropout", |b| &b.attn.output),
    ("attn.output", "attn", |b| &b.attn.output),
    ("ln_2", "ln_2", |b| &b.ln_2),
    ("mlp.up", "mlp.c_fc", |b| &b.mlp.up),
    ("mlp.act", "mlp.act", |b| &b.mlp.act),
    ("mlp.down", "mlp.c_proj", |b| &b.mlp.down),
    ("mlp.output", "mlp.dropout", |b| &b.mlp.output),
    ("mlp.output", "mlp", |b| &b.mlp.output),
    ("output", "", |b| &b.output),
];

/// Every row in the order of execution.
///
/// By definition `transformer.drop` is the embedding, `transformer` the output of its own last module, and `lm_head`
/// the output of the whole.
fn rows(blocks: usize) -> Vec<Row<Gpt2Taps>> {
    let mut rows: Vec<Row<Gpt2Taps>> = vec![
        Row::new("wte", "module.transformer.wte", |t: &Gpt2Taps| t.wte.clone()),
        Row::new("wpe", "module.transformer.wpe", |t: &Gpt2Taps| t.wpe.clone()),
        Row::new("embed", "module.transformer.drop", |t: &Gpt2Taps| t.embed.clone()),
    ];
    for i in 0..blocks {
        rows.extend(BLOCK.iter().map(|&(tap, golden, get)| {
            let golden = match golden {
                "attention" => format!("attention.{i}"),
                "" => format!("module.transformer.h.{i}"),
                module => format!("module.transformer.h.{i}.{module}"),
            };
            Row::new(format!("blocks.{i}.{tap}"), golden, move |t: &Gpt2Taps| get(&t.blocks[i]).clone())
        }));
    }
    rows.extend([
        Row::new("ln_f", "module.transformer.ln_f", |t: &Gpt2Taps| t.ln_f.clone()),
        Row::new("ln_f", "module.transformer", |t: &Gpt2Taps| t.ln_f.clone()),
        Row::new("lm_head", "module.lm_head", |t: &Gpt2Taps| t.lm_head.clone()),
        Row::new("output", "output", |t: &Gpt2Taps| t.output.clone()),
    ]);
    rows
}

/// The model as the reference's configuration changed by `change` makes it.
fn load(golden: &Golden, change: impl FnOnce(&mut Config)) -> Result<Gpt2> {
    let mut config: Config = read_config(golden.file("config.json"))?;
    change(&mut config);
    let weights = Weights::safetensors([golden.file("model.safetensors")], DType::F32, &Device::Cpu)?;
    Gpt2::from_weights(weights, &config)
}

/// The references: with one head for all, with a head of its own, of other sizes, of other scales.
const REFERENCES: [&str; 4] = ["gpt2", "gpt2_untied", "gpt2_odd", "gpt2_by_layer"];

fn run(reference: &str, change: impl FnOnce(&mut Config)) -> Result<std::result::Result<(), Divergence>> {
    let golden = Golden::open(reference)?;
    let model = load(&golden, change)?;
    let (_, taps) = model.forward_with_taps(golden.tensor("input.input_ids"), None)?;
    Ok(compare(&taps, &rows(model.blocks.len()), &golden))
}

#[test]
fn every_tap_is_that_of_the_original() -> Result<()> {
    for reference in REFERENCES {
        if let Err(divergence) = run(reference, |_| ())? {
            panic!("{reference}: {divergence}");
        }
    }
    Ok(())
}

#[test]
fn no_reference_is_left_over() -> Result<()> {
    for reference in REFERENCES {
        let golden = Golden::open(reference)?;
        let model = load(&golden, |_| ())?;
        let left = golden.left_over(&["module.", "attention.", "output"], &rows(model.blocks.len()));
        assert!(left.is_empty(), "nothing is compared with {left:?}");
    }
    Ok(())
}

/// A name in a message leads to the tensor that was compared.
#[test]
fn names_are_those_of_the_fields() -> Result<()> {
    let golden = Golden::open("gpt2")?;
    let model = load(&golden, |_| ())?;
    let ids = golden.tensor("input.input_ids");
    let (_, taps) = model.forward_with_taps(ids, None)?;
    let sites = model.sites();
    for row in rows(model.blocks.len()) {
        let site = sites.find(&row.tap)?;
        let named = model.capture(ids, None, |_| site)?;
        let bits = |tensor: &Tensor| -> Result<Vec<u32>> {
            Ok(tensor.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::to_bits).collect())
        };
        assert_eq!(bits(&named)?, bits(&(row.get)(&taps))?, "{}", row.tap);
    }
    Ok(())
}

/// The first tap to diverge is where the mistake is.
fn first_to_diverge(change: impl FnOnce(&mut Config)) -> Result<String> {
    let divergence = run("gpt2", change)?.expect_err("the mistake was not found");
    assert!(divergence.to_string().contains(&divergence.tap), "{divergence}");
    Ok(divergence.tap)
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
    let divergence = run("gpt2_by_layer", |config| config.scale_attn_by_inverse_layer_idx = false)?.unwrap_err();
    assert_eq!(divergence.tap, "blocks.1.attn.pattern");
    Ok(())
}
