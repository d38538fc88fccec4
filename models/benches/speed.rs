//! What `tools/compare_torch.py` times against PyTorch: this side of it.
//!
//! `cargo bench -p taper-models --bench speed -- NAME FILE` loads the weights of the model `NAME`, its input among them,
//! from `FILE`; then, for every line of standard input, `plain` or `taps`, it runs the model so and prints the seconds.
//! `write OUT` writes the output to a file instead.

use std::io::{self, BufRead, Write};
use std::time::Instant;

use candle_core::{DType, Device, Result, Tensor, bail, safetensors};
use taper::Weights;
use taper_models::gpt2;
use taper_models::resnet::{self, ResNet};

/// Runs a model: its output, and, if asked, every tap.
type Run = Box<dyn Fn(bool) -> Result<Tensor>>;

fn load(name: &str, file: &str) -> Result<Run> {
    let device = &Device::Cpu;
    let input = safetensors::load(file, device)?.remove("input").expect("`input` in the file");
    let weights = Weights::safetensors([file], DType::F32, device)?.allow_unused(|name| name == "input");
    Ok(match name {
        "gpt2" => {
            let config: gpt2::Config = serde_json::from_str(GPT2).map_err(candle_core::Error::wrap)?;
            let weights = weights.allow_unused(|name| name == "input" || name == "lm_head.weight");
            let model = weights.load(|vb| gpt2::Gpt2::load(vb, &config))?;
            let input = input.to_dtype(DType::U32)?;
            Box::new(move |taps| match taps {
                true => model.forward_with_taps(&input, None).map(|(y, _)| y),
                false => model.forward(&input, None),
            })
        }
        "resnet50" => {
            let weights = weights.allow_unused(|name| name == "input" || name.ends_with("num_batches_tracked"));
            let model = weights.load(|vb| ResNet::load(vb, &resnet::Config::resnet50()))?;
            Box::new(move |taps| match taps {
                true => model.forward_with_taps(&input).map(|(y, _)| y),
                false => model.forward(&input),
            })
        }
        _ => bail!("no model `{name}`"),
    })
}

/// GPT-2 small.
const GPT2: &str = r#"{"vocab_size": 50257, "n_positions": 1024, "n_embd": 768, "n_layer": 12, "n_head": 12}"#;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [name, file] = &args[..] else { bail!("usage: speed NAME FILE") };
    let run = load(name, file)?;
    println!("ready");
    for line in io::stdin().lock().lines() {
        let line = line?;
        let seconds = match line.split_once(' ') {
            Some(("write", path)) => {
                run(false)?.save_safetensors("output", path)?;
                0.
            }
            _ => {
                let start = Instant::now();
                run(line == "taps")?;
                start.elapsed().as_secs_f64()
            }
        };
        println!("{seconds}");
        io::stdout().flush()?;
    }
    Ok(())
}
