//! `Weights` from files as people have them: which kinds are read, what comes out, what the errors say.

mod dtypes;
mod folder;
mod names;
mod parts;
mod progress;
mod safetensors;
mod stored;
mod torch;

use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Result, Tensor};
use taper::Weights;

/// A folder of one test, gone when the test is done.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("taper-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A safetensors file of tensors that count up from 0.
    fn save(&self, name: &str, tensors: &[(&str, &[usize])]) -> PathBuf {
        let tensors = tensors.iter().map(|(name, shape)| ((*name).to_owned(), counting(shape))).collect();
        let path = self.file(name);
        candle_core::safetensors::save(&tensors, &path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn counting(shape: &[usize]) -> Tensor {
    let count: usize = shape.iter().product();
    Tensor::arange(0f32, count as f32, &Device::Cpu).unwrap().reshape(shape).unwrap()
}

/// A file of `tests/data/torch`.
fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/torch").join(name)
}

/// The tensor called `name`, whatever its shape is; the others may stay.
fn get(weights: &Weights, name: &str, dtype: DType) -> Result<Tensor> {
    let weights = weights.clone().allow_unused(|_| true);
    weights.load(|vb| vb.get_unchecked_dtype(name, dtype))
}

/// The error's text without a backtrace, which `RUST_BACKTRACE` appends.
fn message<T>(result: Result<T>) -> String {
    let Err(error) = result else { panic!("the fault was not reported") };
    let text = error.to_string();
    text.split("\n   0: ").next().unwrap_or_default().to_owned()
}

#[track_caller]
fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

fn f32s(tensor: &Tensor) -> Vec<f32> {
    tensor.flatten_all().unwrap().to_dtype(DType::F32).unwrap().to_vec1().unwrap()
}
