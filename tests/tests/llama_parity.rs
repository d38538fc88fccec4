//! Every tensor inside Llama and its relatives against Hugging Face's, tap by tap, and proof that the comparison finds
//! typical mistakes.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, safetensors};
use taper::ops::{rope, rope_i};
use taper::parity::Parity;
use taper::{Model, Run, Weights};
use taper_models::Past;
use taper_models::llama::{Config, Llama, LlamaTaps};
use taper_models::pretrained::{Pretrained, read_config};
use taper_models::shared::{Activation, RotaryScaling};
use taper_tests::fixtures::assert_error;
use taper_tests::originals::{LLAMAS, pretrained};
use taper_tests::parity::{Golden, TOLERANCE, max_error};
use taper_tests::rows::{Row, compare_all, first_of, first_to_diverge, row, with_rows};

/// The taps of a block in the order of execution, with the references below `model.layers.I` (or `attention.I`).
const BLOCK: &[(&str, &str)] = &[
    ("ln_1", "input_layernorm"),
    ("attn.q_proj", "self_attn.q_proj"),
    ("attn.q_norm", "self_attn.q_norm"),
    ("attn.k_proj", "self_attn.k_proj"),
    ("attn.k_norm", "self_attn.k_norm"),
    ("attn.v_proj", "self_attn.v_proj"),
    ("attn.pattern", "attention"),
    ("attn.proj", "self_attn.o_proj"),
    ("attn.output", "self_attn"),
    ("ln_1_post", "post_attention_layernorm"),
    ("ln_2", "pre_feedforward_layernorm"),
    ("mlp.gate", "mlp.gate_proj"),
    ("mlp.gate_act", "mlp.act_fn"),
    ("mlp.up", "mlp.up_proj"),
    ("mlp.down", "mlp.down_proj"),
    ("mlp.output", "mlp"),
    ("ln_2_post", "post_feedforward_layernorm"),
    ("output", ""),
];

/// Every row in the order of execution, of what the model has.
///
/// By definition `model` is the output of its own last module, and `lm_head` the output before the cap. The original's
/// cosines are those of both halves of the pairs.
fn rows(model: &Llama) -> Vec<Row> {
    let mut rows = vec![
        row("embed", "module.model.embed_tokens"),
        row("cos", "module.model.rotary_emb").viewed(|cos| Tensor::cat(&[cos, cos], 1)?.unsqueeze(0)),
    ];
    for (i, block) in model.blocks.iter().enumerate() {
        let post_norm = block.ln_1_post.is_some();
        let has = |tap: &str| match tap {
            "attn.q_norm" | "attn.k_norm" => block.attn.q_norm.is_some(),
            "ln_1_post" | "ln_2_post" => post_norm,
            _ => true,
        };
        rows.extend(BLOCK.iter().filter(|&(tap, _)| has(tap)).map(|&(tap, golden)| {
            let golden = match golden {
                "attention" => format!("attention.{i}"),
                "" => format!("module.model.layers.{i}"),
                "pre_feedforward_layernorm" if !post_norm => {
                    format!("module.model.layers.{i}.post_attention_layernorm")
                }
                module => format!("module.model.layers.{i}.{module}"),
            };
            row(format!("blocks.{i}.{tap}"), golden)
        }));
    }
    rows.extend([
        row("ln_f", "module.model.norm"),
        row("ln_f", "module.model"),
        row("lm_head", "module.lm_head"),
        row("output", "output"),
    ]);
    rows
}

#[test]
fn every_tap_is_that_of_the_original() -> Result<()> {
    for reference in LLAMAS.into_iter().chain(["llama_rope_dynamic", "llama_rope_long"]) {
        let golden = Golden::open(reference)?;
        let model = pretrained::<Llama>(&golden, |_| ())?;
        compare_all(&model, &golden, &rows(&model))?;
    }
    Ok(())
}

/// The mistake is found, and the first tap to diverge is where it is.
#[track_caller]
fn diverges_at(reference: &str, tap: &str, change: impl FnOnce(&mut Config)) {
    let golden = Golden::open(reference).unwrap();
    let model = pretrained::<Llama>(&golden, change).unwrap();
    assert_eq!(first_to_diverge(&model, &golden, &rows(&model)).unwrap(), tap);
}

#[test]
fn another_epsilon_diverges_at_the_first_norm() {
    // The streams of these weights are wide, so that less shows nothing.
    diverges_at("llama", "blocks.0.ln_1", |config| config.rms_norm_eps = 1e-5);
    diverges_at("llama_heads", "blocks.0.ln_1", |config| config.rms_norm_eps = 1e-5);
}

#[test]
fn another_base_diverges_at_the_angles() {
    diverges_at("llama_multi_query", "cos", |config| config.rotary.theta = 10000.0);
}

#[test]
fn unscaled_angles_diverge_at_the_angles() {
    diverges_at("llama_rope_linear", "cos", |config| config.rotary.scaling = RotaryScaling::None);
    diverges_at("llama_rope_llama3", "cos", |config| config.rotary.scaling = RotaryScaling::None);
    diverges_at("llama_rope_yarn", "cos", |config| config.rotary.scaling = RotaryScaling::None);
    diverges_at("llama_rope_yarn", "cos", |config| match &mut config.rotary.scaling {
        RotaryScaling::Yarn { beta_fast, .. } => *beta_fast = 32.0,
        other => panic!("{other:?}"),
    });
    diverges_at("qwen2_rope_yarn", "cos", |config| match &mut config.rotary.scaling {
        RotaryScaling::Yarn { attention_factor, .. } => *attention_factor = 1.0,
        other => panic!("{other:?}"),
    });
    diverges_at("qwen2_rope_yarn", "cos", |config| match &mut config.rotary.scaling {
        RotaryScaling::Yarn { truncate, .. } => *truncate = true,
        other => panic!("{other:?}"),
    });
}

#[test]
fn unscaled_scores_diverge_at_the_first_pattern() {
    diverges_at("llama", "blocks.0.attn.pattern", |config| config.attn_scale = 1.0);
    let by_width = |config: &mut Config| config.attn_scale = (config.head_dim as f64).powf(-0.5);
    diverges_at("gemma2", "blocks.0.attn.pattern", by_width);
}

#[test]
fn a_wrong_window_diverges_at_the_pattern_of_its_block() {
    diverges_at("mistral", "blocks.0.attn.pattern", |config| config.window = Some(5));
    diverges_at("qwen2_window", "blocks.1.attn.pattern", |config| config.windowed[1] = false);
    diverges_at("qwen2_window", "blocks.0.attn.pattern", |config| config.windowed[0] = true);
    diverges_at("gemma2", "blocks.1.attn.pattern", |config| config.windowed[1] = true);
}

#[test]
fn what_gemma_does_otherwise_is_seen_where_it_does_it() {
    diverges_at("gemma", "embed", |config| config.embed_scale = None);
    diverges_at("gemma", "blocks.0.ln_1", |config| config.norm_plus_one = false);
    diverges_at("gemma", "blocks.0.mlp.gate_act", |config| config.hidden_act = Activation::Gelu);
    diverges_at("gemma2", "blocks.0.attn.pattern", |config| config.attn_softcap = None);
    diverges_at("gemma2", "output", |config| config.final_softcap = None);
}

/// A mistake that no configuration has, as a changed run.
#[track_caller]
fn changed_run_diverges_at(tap: &str, change: impl for<'r> Fn(Run<'r, 'r, Llama>, &LlamaTaps) -> Run<'r, 'r, Llama>) {
    let golden = Golden::open("llama").unwrap();
    let model = pretrained::<Llama>(&golden, |_| ()).unwrap();
    let ids = golden.tensor("input.input_ids");
    let (_, right) = model.forward_with_taps(ids, None).unwrap();
    let mistaken = change(Model::run(&model), &right);
    let (reference, rows) = (golden.reference().unwrap(), rows(&model));
    let report = with_rows(Parity::of_run(&mistaken, &reference), &rows).run((ids, None)).unwrap();
    assert_eq!(first_of(report), tap);
}

/// Heads that share keys are neighbours. Here each has the next head of the keys in turn: among four heads and two of the
/// keys, it is as if the two in the middle were exchanged.
#[test]
fn another_order_of_the_groups_diverges_at_the_first_pattern() {
    let exchange = |x: &Tensor| x.index_select(&Tensor::new(&[0u32, 2, 1, 3], &Device::Cpu)?, 1);
    changed_run_diverges_at("blocks.0.attn.pattern", |run, _| {
        run.edit(|t| t.blocks.each(|b| b.attn.q), exchange).edit(|t| t.blocks.each(|b| b.attn.pattern), exchange)
    });
}

/// Pairs are half the channels apart. Here they are neighbours.
#[test]
fn other_pairs_diverge_at_the_first_pattern() {
    changed_run_diverges_at("blocks.0.attn.pattern", |run, right| {
        let (cos, sin) = (right.cos.clone(), right.sin.clone());
        let otherwise = move |x: &Tensor| rope_i(&rope(x, &cos, &sin.neg()?)?, &cos, &sin);
        run.edit(|t| t.blocks.each(|b| (b.attn.q, b.attn.k)), otherwise)
    });
}

/// Beyond the training's texts every angle depends on the length: the past's keys were turned by others.
#[test]
fn long_texts_have_their_own_divisors() -> Result<()> {
    type Of<'a> = (&'a mut Vec<f32>, &'a mut Vec<f32>, &'a mut f64);
    fn of(config: &mut Config) -> Of<'_> {
        match &mut config.rotary.scaling {
            RotaryScaling::LongRope { short, long, attention_factor, .. } => (short, long, attention_factor),
            other => panic!("{other:?}"),
        }
    }
    let reference = "llama_rope_long";
    diverges_at(reference, "cos", |config| *of(config).1 = vec![1.0, 1.1, 1.3]);
    diverges_at(reference, "cos", |config| *of(config).2 = 1.0);
    let golden = Golden::open(reference)?;
    let model = pretrained::<Llama>(&golden, |_| ())?;
    let ids = golden.tensor("input.input_ids");
    let past =
        |len| Past::new(model.capture(&ids.narrow(1, 0, len)?, None, |t| t.blocks.each(|b| (b.attn.k, b.attn.v)))?);
    // A text is cut where it becomes longer than the six tokens of the training, and nowhere else.
    assert_error(model.forward(&ids.narrow(1, 4, 3)?, Some(&past(4)?)), &["`longrope`", "7 at once"]);
    let whole = |len| model.forward(&ids.narrow(1, 0, len)?, None);
    for (read, len) in [(4, 6), (7, 9)] {
        let logits = model.forward(&ids.narrow(1, read, len - read)?, Some(&past(read)?))?;
        assert!(max_error(&logits, &whole(len)?.narrow(1, read, len - read)?)? <= 1e-5);
    }
    Ok(())
}

#[test]
fn dynamic_angles_are_of_the_whole_text() -> Result<()> {
    let reference = "llama_rope_dynamic";
    diverges_at(reference, "cos", |config| config.rotary.scaling = RotaryScaling::None);
    let golden = Golden::open(reference)?;
    let model = pretrained::<Llama>(&golden, |_| ())?;
    let ids = golden.tensor("input.input_ids");
    let past = model.capture(&ids.narrow(1, 0, 4)?, None, |t| t.blocks.each(|b| (b.attn.k, b.attn.v)))?;
    let past = Past::new(past)?;
    // Up to the six tokens of the training nothing has changed.
    let logits = model.forward(&ids.narrow(1, 4, 2)?, Some(&past))?;
    assert!(max_error(&logits, &model.forward(&ids.narrow(1, 0, 6)?, None)?.narrow(1, 4, 2)?)? <= 1e-5);
    assert_error(model.forward(&ids.narrow(1, 4, 3)?, Some(&past)), &["`dynamic`", "7 at once"]);
    Ok(())
}

/// Files that were written without the prefix, with the frequencies that were once saved, and with a copy of a tied head
/// or without it.
#[test]
fn older_files_load() -> Result<()> {
    let golden = Golden::open("llama_tied")?;
    let config: Config = read_config(golden.file("config.json"))?;
    let ids = golden.tensor("input.input_ids");
    let tensors: HashMap<String, Tensor> = safetensors::load(golden.file("model.safetensors"), &Device::Cpu)?;
    let load = |tensors| Llama::from_weights(Weights::from_tensors(tensors, DType::F32, &Device::Cpu), &config);

    let mut bare: HashMap<String, Tensor> =
        tensors.iter().map(|(name, tensor)| (name.replacen("model.", "", 1), tensor.clone())).collect();
    let head = bare.remove("lm_head.weight");
    bare.insert("layers.0.self_attn.rotary_emb.inv_freq".to_owned(), Tensor::ones(3, DType::F32, &Device::Cpu)?);
    assert!(head.is_some() && bare.contains_key("norm.weight"));
    assert!(max_error(&load(bare)?.forward(ids, None)?, golden.tensor("output"))? <= TOLERANCE);

    let mut more = tensors;
    more.insert("model.layers.0.self_attn.q_norm.weight".to_owned(), Tensor::ones(6, DType::F32, &Device::Cpu)?);
    assert_error(load(more), &["1 unused", "q_norm"]);
    Ok(())
}

/// In half precision the output is that of the original, as far as it goes.
#[test]
fn half_precision_is_near() -> Result<()> {
    for reference in LLAMAS {
        let golden = Golden::open(reference)?;
        let config: Config = read_config(golden.file("config.json"))?;
        for (dtype, near) in [(DType::F16, 0.02), (DType::BF16, 0.2)] {
            let weights = Weights::safetensors([golden.file("model.safetensors")], dtype, &Device::Cpu)?;
            let model = Llama::from_weights(weights, &config)?;
            let output = model.forward(golden.tensor("input.input_ids"), None)?;
            assert_eq!(output.dtype(), dtype);
            let error = max_error(&output, golden.tensor("output"))?;
            assert!(error <= near, "{reference}, {dtype:?}: {error:.1e}");
        }
    }
    Ok(())
}
