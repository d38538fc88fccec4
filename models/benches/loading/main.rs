//! The memory that loading takes: `ratio NAME VALUE`, the peak of anonymous resident memory by the bytes of the loaded
//! weights, from safetensors, PyTorch's own files and GGUF. Pages of the mapped file are not anonymous: the system takes them back when it needs them.
//!
//! Every measurement is of a process of its own, so that none has what another one freed. Linux only.

mod gguf;
mod torch;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use std::{env, fs, process, thread};

use candle_core::quantized::GgmlDType;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{VarBuilder, VarMap};
use taper_models::gpt2::{Config, Gpt2};
use taper_models::{AnyModel, open};

/// A GPT-2 of about 190 MB, a third of it in one tensor, as in the small original.
const CONFIG: &str = r#"{"model_type": "gpt2", "vocab_size": 30000, "n_positions": 1024, "n_embd": 512, "n_layer": 10,
    "n_head": 8}"#;

/// The argument by which the program calls itself.
const CHILD: &str = "--load";

fn main() -> Result<()> {
    let args: Vec<String> = env::args().collect();
    if let Some(at) = args.iter().position(|arg| arg == CHILD) {
        return load(Path::new(&args[at + 1]));
    }
    if !Path::new("/proc/self/status").exists() {
        println!("resident memory is not measured on this system");
        return Ok(());
    }
    let tensors = weights()?;
    let bytes: usize = tensors.values().map(|tensor| tensor.elem_count() * DType::F32.size_in_bytes()).sum();
    println!("{} MB of f32 weights", bytes / 1_000_000);

    let folder = Folder(env::temp_dir().join(format!("taper-loading-{}", process::id())));
    fs::create_dir_all(&folder.0)?;
    fs::write(folder.0.join("config.json"), CONFIG)?;
    let measure = |name: &str| println!("ratio {name} {:.3}", child(&folder.0) as f64 / bytes as f64);

    let whole = folder.0.join("model.safetensors");
    candle_core::safetensors::save(&tensors, &whole)?;
    measure("load-anon/weights");
    for (dtype, name) in [(DType::BF16, "load-anon-bf16/weights"), (DType::F16, "load-anon-f16/weights")] {
        let halves = tensors.iter().map(|(name, tensor)| Ok((name.clone(), tensor.to_dtype(dtype)?)));
        candle_core::safetensors::save(&halves.collect::<Result<_>>()?, &whole)?;
        measure(name);
    }
    fs::remove_file(whole)?;
    let torch = folder.0.join("pytorch_model.bin");
    torch::save(&tensors, &torch)?;
    measure("load-anon-torch/weights");
    fs::remove_file(torch)?;
    shards(&folder.0, tensors)?;
    measure("load-anon-shards/weights");

    let gguf = folder.0.join("model.gguf");
    for (stored, name) in [
        (GgmlDType::F32, "load-anon-gguf/weights"),
        (GgmlDType::Q8_0, "load-anon-gguf-q8_0/weights"),
        (GgmlDType::Q4K, "load-anon-gguf-q4_k/weights"),
    ] {
        let bytes = gguf::save(stored, &gguf)?;
        println!("ratio {name} {:.3}", child(&gguf) as f64 / bytes as f64);
    }
    Ok(())
}

/// A folder that is gone at the end.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn weights() -> Result<HashMap<String, Tensor>> {
    let config: Config = serde_json::from_str(CONFIG).map_err(candle_core::Error::wrap)?;
    let vars = VarMap::new();
    Gpt2::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), &config)?;
    let vars = vars.data().lock().map_err(|_| candle_core::Error::msg("a loader panicked"))?;
    Ok(vars.iter().map(|(name, var)| (name.clone(), var.as_detached_tensor())).collect())
}

/// The weights in three files and an index.
fn shards(folder: &Path, tensors: HashMap<String, Tensor>) -> Result<()> {
    let mut shards = vec![HashMap::new(); 3];
    let mut index = serde_json::Map::new();
    let file = |shard: usize| format!("model-{:05}-of-00003.safetensors", shard + 1);
    for (i, (name, tensor)) in tensors.into_iter().enumerate() {
        index.insert(name.clone(), file(i % 3).into());
        shards[i % 3].insert(name, tensor);
    }
    for (i, shard) in shards.iter().enumerate() {
        candle_core::safetensors::save(shard, folder.join(file(i)))?;
    }
    let index = serde_json::json!({ "weight_map": index }).to_string();
    fs::write(folder.join("model.safetensors.index.json"), index)?;
    Ok(())
}

/// The peak, in bytes, of a process that loads the folder, or the GGUF file.
fn child(folder: &Path) -> u64 {
    let program = env::current_exe().expect("the program's own path");
    let output = process::Command::new(program).arg(CHILD).arg(folder).output().expect("the program starts itself");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number of bytes")
}

static PEAK: AtomicU64 = AtomicU64::new(0);
static DONE: AtomicBool = AtomicBool::new(false);

fn load(folder: &Path) -> Result<()> {
    let watch = thread::spawn(|| {
        while !DONE.load(Ordering::Relaxed) {
            PEAK.fetch_max(anonymous(), Ordering::Relaxed);
            thread::sleep(Duration::from_micros(200));
        }
    });
    let model = open(folder, DType::F32, &Device::Cpu)?;
    PEAK.fetch_max(anonymous(), Ordering::Relaxed);
    DONE.store(true, Ordering::Relaxed);
    watch.join().expect("the watch has no reason to panic");
    let ids = Tensor::zeros((1, 1), DType::U32, &Device::Cpu)?;
    match model {
        AnyModel::Gpt2(model) => model.forward(&ids, None)?,
        AnyModel::Llama(model) => model.forward(&ids, None)?,
        _ => candle_core::bail!("not the model that was written"),
    };
    println!("{}", PEAK.load(Ordering::Relaxed));
    Ok(())
}

/// `RssAnon`, in bytes.
fn anonymous() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    1024 * kilobytes.expect("Linux says how much memory a process has")
}
