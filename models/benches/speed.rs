//! What `tools/compare_torch.py` times against PyTorch: this side of it.
//!
//! `cargo bench -p taper-models --bench speed -- NAME FILE` loads the weights of the model `NAME`, its input among them,
//! from `FILE`, and says `ready`. Then it takes lines, does what each says, and answers `done`: `plain` and `taps` run the
//! model, without taps or with all of them, and `write FILE` writes its output to a file. Where `NAME` is `operations`,
//! `FILE` has tensors of these names, and a line is the name of an operation, a space, and how many times to do it, or a file for
//! its result.

use std::collections::HashMap;
use std::io::{self, BufRead};

use candle_core::{DType, Device, Error, Result, Tensor, bail, safetensors};
use taper::{Weights, ops};
use taper_models::gpt2::{self, Gpt2};
use taper_models::mobilenet_v2::{self, MobileNetV2};
use taper_models::resnet::{self, ResNet};

/// Runs a model: its output, with every tap or without.
type Run = Box<dyn Fn(bool) -> Result<Tensor>>;

fn load(name: &str, file: &str) -> Result<Run> {
    let device = &Device::Cpu;
    let input = safetensors::load(file, device)?.remove("input").expect("`input` in the file");
    let weights = Weights::safetensors([file], DType::F32, device)?;
    let not_weights = ["input", "lm_head.weight"];
    let weights =
        weights.allow_unused(move |name| not_weights.contains(&name) || name.ends_with("num_batches_tracked"));
    macro_rules! run {
        ($model:expr, $($argument:expr),+) => {{
            let model = $model;
            Box::new(move |taps| if taps { Ok(model.forward_with_taps($($argument),+)?.0) } else { model.forward($($argument),+) })
        }};
    }
    Ok(match name {
        "gpt2" => {
            let config: gpt2::Config = serde_json::from_str(GPT2).map_err(Error::wrap)?;
            let ids = input.to_dtype(DType::U32)?;
            run!(weights.load(|vb| Gpt2::load(vb, &config))?, &ids, None)
        }
        "resnet50" => run!(weights.load(|vb| ResNet::load(vb, &resnet::Config::resnet50()))?, &input),
        "mobilenet_v2" => run!(weights.load(|vb| MobileNetV2::load(vb, &mobilenet_v2::Config::default()))?, &input),
        _ => bail!("no model `{name}`"),
    })
}

/// What GPT-2 small does besides products of matrices, and elementwise functions, each of the tensors that it needs.
fn operation(name: &str, t: &HashMap<String, Tensor>) -> Result<Tensor> {
    let (wide, stream) = (&t["wide"], &t["stream"]);
    match name {
        "gelu_tanh" => ops::gelu_tanh(wide),
        "gelu" => ops::gelu(wide),
        "silu" => ops::silu(wide),
        "exp" => ops::exp(wide),
        "tanh" => ops::tanh(wide),
        "relu" => ops::relu(wide),
        "add_wide" => wide + wide,
        "add" => stream + stream,
        "layer_norm" => ops::layer_norm(stream, &t["weight"], &t["bias"], 1e-5),
        "softmax" => ops::softmax_last_dim(&t["scores"]),
        "mask" => t["scores"].broadcast_add(&t["mask"]),
        "split_heads" => ops::contiguous(&stream.reshape((1, 128, 12, 64))?.transpose(1, 2)?),
        "merge_heads" => ops::contiguous(&t["heads"].transpose(1, 2)?)?.flatten_from(2),
        _ => bail!("no operation `{name}`"),
    }
}

/// GPT-2 small.
const GPT2: &str = r#"{"vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12}"#;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [name, file] = &args[..] else { bail!("usage: speed NAME FILE") };
    if name == "operations" {
        let tensors = safetensors::load(file, &Device::Cpu)?;
        return answer(|line| match line.split_once(' ') {
            Some((name, times)) if times.parse::<usize>().is_ok() => {
                (0..times.parse().unwrap_or(0)).try_for_each(|_: usize| operation(name, &tensors).map(drop))
            }
            Some((name, path)) => operation(name, &tensors)?.save_safetensors("output", path),
            None => bail!("not `NAME TIMES` or `NAME FILE`: `{line}`"),
        });
    }
    let run = load(name, file)?;
    answer(|line| match (line, line.split_once(' ')) {
        ("plain", _) => run(false).map(drop),
        ("taps", _) => run(true).map(drop),
        (_, Some(("write", path))) => run(false)?.save_safetensors("output", path),
        _ => bail!("not `plain`, `taps` or `write FILE`: `{line}`"),
    })
}

/// Does what each line says.
fn answer(does: impl Fn(&str) -> Result<()>) -> Result<()> {
    println!("ready");
    for line in io::stdin().lock().lines() {
        does(&line?)?;
        println!("done");
    }
    Ok(())
}
