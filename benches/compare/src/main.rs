//! Models of taper-models against the same ones of candle-transformers: the same random weights and inputs, outputs
//! compared, plain and with every tap, on one thread, side by side.
//!
//! `cargo run --release --manifest-path benches/compare/Cargo.toml [NAME..]` prints lines `ratio NAME VALUE`, of medians of
//! processor time. The names are `llama`, `bert`, `vit` and `resnet50`. `THREADS=N` measures the time of day on N threads, for a
//! machine that does nothing else.

mod random;
#[allow(dead_code, reason = "shared with benchmarks that need more of it")]
#[path = "../../../runtime/benches/timing/mod.rs"]
mod timing;

use std::env;
use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use candle_core::{Device, Error, IndexOp, Module, Result, Tensor, bail};
use candle_transformers::models;
use serde_json::{Value, json};
use taper_models::Pretrained;
use taper_models::bert::Bert;
use taper_models::llama::Llama;
use taper_models::resnet::{self, Bottleneck, ResNet};
use taper_models::vit::VitClassifier;

use random::Random;
use timing::{THREADS, again, clock, keep_memory, median};

/// On how many threads to measure the time of day, where that is asked for.
const SEVERAL: &str = "THREADS";

/// What the process has computed so far, or the time of day.
fn now() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    match env::var_os(SEVERAL) {
        Some(_) => START.get_or_init(Instant::now).elapsed(),
        None => clock(),
    }
}

const ROUNDS: usize = 15;
/// The time of day after which no further round of a model begins.
const PATIENCE: Duration = Duration::from_secs(30);
const TOKENS: usize = 128;

/// The layers' sizes in all of them but ResNet: those of GPT-2 small, BERT-base and ViT-base.
const WIDTH: usize = 768;
const INNER: usize = 3072;
const BLOCKS: usize = 12;
const HEADS: usize = 12;

/// Prints what ours takes to theirs, of which the outputs are compared first. Rounds end early on a slow machine.
fn compare(
    name: &str,
    theirs: impl Fn() -> Result<Tensor>,
    plain: impl Fn() -> Result<Tensor>,
    taps: impl Fn() -> Result<Tensor>,
) -> Result<()> {
    let expected = theirs()?;
    let off = |actual: Tensor| -> Result<f32> {
        let off = (&expected - actual)?.abs()?;
        // A maximum may pass over NaN, a sum does not.
        if off.sum_all()?.to_scalar::<f32>()?.is_nan() {
            bail!("{name} gives NaN");
        }
        off.max_all()?.to_scalar()
    };
    let (largest, off) = (expected.abs()?.max_all()?.to_scalar::<f32>()?, off(plain()?)?.max(off(taps()?)?));
    println!("# {name}: at most {off:.1e} off, of numbers up to {largest:.1}");
    if off > 1e-3 {
        bail!("{name} gives other numbers than candle-transformers' model: they are up to {off} off");
    }
    let ways: [&dyn Fn() -> Result<Tensor>; 3] = [&theirs, &plain, &taps];
    let mut taken = [const { Vec::<Duration>::new() }; 3];
    let begun = Instant::now();
    let mut rounds = 0;
    while rounds < ROUNDS && (rounds < 3 || begun.elapsed() < PATIENCE) {
        for turn in 0..3 {
            let way = (rounds + turn) % 3;
            let start = now();
            black_box(ways[way]()?);
            taken[way].push(now() - start);
        }
        rounds += 1;
    }
    let [theirs, plain, taps] = taken.map(|taken| 1e3 * median(taken.iter().map(Duration::as_secs_f64)));
    println!("# {name}: {rounds} rounds, theirs {theirs:.1} ms, ours {plain:.1} ms, with taps {taps:.1} ms");
    println!("ratio {name}/candle {:.4}", plain / theirs);
    println!("ratio {name}-taps/candle {:.4}", taps / theirs);
    Ok(())
}

/// A model of ours by its configuration, as in a `config.json`.
fn ours<M: Pretrained>(config: Value, weights: &Random) -> Result<M> {
    M::from_weights(weights.weights(), &serde_json::from_value(config).map_err(Error::wrap)?)
}

fn ids() -> Result<Tensor> {
    Tensor::from_iter((0..TOKENS as u32).map(|i| i * 37 % 1000), &Device::Cpu)?.unsqueeze(0)
}

fn image() -> Result<Tensor> {
    random::numbers("image", (1, 3, 224, 224), 1.)
}

/// Theirs computes the logits of the last token only: a small vocabulary, so that this is no difference.
fn llama() -> Result<()> {
    let vocab_size = 1000;
    let config = models::llama::Config {
        hidden_size: WIDTH,
        intermediate_size: INNER,
        vocab_size,
        num_hidden_layers: BLOCKS,
        num_attention_heads: HEADS,
        num_key_value_heads: HEADS,
        use_flash_attn: false,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.,
        bos_token_id: None,
        eos_token_id: None,
        rope_scaling: None,
        max_position_embeddings: 1024,
        tie_word_embeddings: false,
    };
    let weights = Random::default();
    let theirs = models::llama::Llama::load(weights.builder(), &config)?;
    let cache = models::llama::Cache::new(false, candle_core::DType::F32, &config, &Device::Cpu)?;
    let ours: Llama = ours(
        json!({"model_type": "llama", "hidden_size": WIDTH, "intermediate_size": INNER, "vocab_size": vocab_size,
            "num_hidden_layers": BLOCKS, "num_attention_heads": HEADS, "num_key_value_heads": HEADS, "hidden_act": "silu",
            "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "max_position_embeddings": 1024, "tie_word_embeddings": false}),
        &weights,
    )?;
    let ids = ids()?;
    let last = |logits: Tensor| logits.i((.., TOKENS - 1));
    compare(
        "llama",
        || theirs.forward(&ids, 0, &mut cache.clone()),
        || last(ours.forward(&ids, None)?),
        || last(ours.forward_with_taps(&ids, None)?.0),
    )
}

fn bert() -> Result<()> {
    let weights = Random::default();
    let theirs = models::bert::BertModel::load(weights.builder(), &models::bert::Config::default())?;
    let ours: Bert = ours(
        json!({"model_type": "bert", "hidden_size": WIDTH, "intermediate_size": INNER, "vocab_size": 30522,
            "num_hidden_layers": BLOCKS, "num_attention_heads": HEADS, "hidden_act": "gelu",
            "max_position_embeddings": 512, "type_vocab_size": 2, "layer_norm_eps": 1e-12}),
        &weights,
    )?;
    let ids = ids()?;
    let types = ids.zeros_like()?;
    compare(
        "bert",
        || theirs.forward(&ids, &types, None),
        || ours.forward(&ids, None, None),
        || Ok(ours.forward_with_taps(&ids, None, None)?.0),
    )
}

fn vit() -> Result<()> {
    let weights = Random::default();
    let config = models::vit::Config::vit_base_patch16_224();
    let theirs = models::vit::Model::new(&config, 1000, weights.builder())?;
    let classes: serde_json::Map<String, Value> = (0..1000).map(|i| (i.to_string(), json!(i.to_string()))).collect();
    let ours: VitClassifier = ours(
        json!({"model_type": "vit", "hidden_size": WIDTH, "intermediate_size": INNER, "num_hidden_layers": BLOCKS,
            "num_attention_heads": HEADS, "hidden_act": "gelu", "layer_norm_eps": 1e-12, "image_size": 224,
            "patch_size": 16, "num_channels": 3, "id2label": classes}),
        &weights,
    )?;
    let image = image()?;
    compare("vit", || theirs.forward(&image), || ours.forward(&image), || Ok(ours.forward_with_taps(&image)?.0))
}

fn resnet50() -> Result<()> {
    let weights = Random::default();
    let theirs = models::resnet::resnet50(1000, weights.builder())?;
    let ours = ResNet::<Bottleneck>::from_weights(weights.weights(), &resnet::Config::resnet50())?;
    let image = image()?;
    compare("resnet50", || theirs.forward(&image), || ours.forward(&image), || Ok(ours.forward_with_taps(&image)?.0))
}

fn main() -> Result<()> {
    let names: Vec<String> = env::args().skip(1).collect();
    let asked = env::var(SEVERAL).ok();
    if asked.is_none() && env::var_os(THREADS).is_none_or(|threads| threads != "1") {
        return again(&names, &[]);
    }
    if let Some(asked) = asked.filter(|asked| env::var(THREADS).as_ref() != Ok(asked)) {
        return again(&names, &[(THREADS, &asked)]);
    }
    keep_memory();
    // On the pool's one thread, where candle's parallel loops run at once.
    rayon::scope(|_| {
        for (name, run) in
            [("llama", llama as fn() -> Result<()>), ("bert", bert), ("vit", vit), ("resnet50", resnet50)]
        {
            if names.is_empty() || names.iter().any(|asked| asked == name) {
                run()?;
            }
        }
        Ok(())
    })
}
