//! A Llama as GGUF files have it.

use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use candle_core::quantized::gguf_file::{Value, write};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Device, Result, Tensor};

const VOCABULARY: usize = 30000;
const WIDTH: usize = 512;
const INNER: usize = 2048;
const BLOCKS: usize = 10;

/// Writes one whose layers are stored as `dtype`, and gives the bytes of what is loaded: layers as they are stored, and the
/// token embedding and the norms as `f32`.
pub(crate) fn save(dtype: GgmlDType, path: &Path) -> Result<usize> {
    let mut tensors = Vec::new();
    let mut loaded = 0;
    let mut add = |name: String, shape: &[usize], stored: GgmlDType, as_stored: bool| -> Result<()> {
        let tensor = QTensor::quantize(&Tensor::randn(0f32, 0.02, shape, &Device::Cpu)?, stored)?;
        let count: usize = shape.iter().product();
        loaded += if as_stored { tensor.storage_size_in_bytes() } else { count * DType::F32.size_in_bytes() };
        tensors.push((name, tensor));
        Ok(())
    };
    let norm = GgmlDType::F32;
    add("token_embd.weight".to_owned(), &[VOCABULARY, WIDTH], dtype, false)?;
    add("output.weight".to_owned(), &[VOCABULARY, WIDTH], dtype, true)?;
    add("output_norm.weight".to_owned(), &[WIDTH], norm, false)?;
    for block in 0..BLOCKS {
        let mut add = |part: &str, shape: &[usize], stored, as_stored| {
            add(format!("blk.{block}.{part}.weight"), shape, stored, as_stored)
        };
        for part in ["attn_q", "attn_k", "attn_v", "attn_output"] {
            add(part, &[WIDTH, WIDTH], dtype, true)?;
        }
        add("ffn_gate", &[INNER, WIDTH], dtype, true)?;
        add("ffn_up", &[INNER, WIDTH], dtype, true)?;
        add("ffn_down", &[WIDTH, INNER], dtype, true)?;
        add("attn_norm", &[WIDTH], norm, false)?;
        add("ffn_norm", &[WIDTH], norm, false)?;
    }
    let size = |value: usize| Value::U32(value as u32);
    let metadata = [
        ("general.architecture", Value::String("llama".to_owned())),
        ("llama.block_count", size(BLOCKS)),
        ("llama.embedding_length", size(WIDTH)),
        ("llama.feed_forward_length", size(INNER)),
        ("llama.attention.head_count", size(8)),
        ("llama.attention.layer_norm_rms_epsilon", Value::F32(1e-5)),
        ("llama.context_length", size(1024)),
    ];
    let metadata: Vec<_> = metadata.iter().map(|(name, value)| (*name, value)).collect();
    let tensors: Vec<_> = tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    write(&mut BufWriter::new(File::create(path)?), &metadata, &tensors)?;
    Ok(loaded)
}
