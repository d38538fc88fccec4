//! GGUF files, those of llama.cpp: metadata and quantized tensors.

use std::collections::HashMap;
use std::io::Cursor;

use candle_core::DType;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, Value};

use super::file::{Holds, Located, Tensors};
use crate::Error;

/// The metadata, and where the tensors are. An error goes on after the file's name: "`model.gguf` is …".
pub(super) fn read(bytes: &[u8]) -> Result<(HashMap<String, Value>, Tensors), String> {
    if !bytes.starts_with(b"GGUF") {
        return Err("is not a GGUF file: it does not begin with `GGUF`".to_owned());
    }
    if aligned_to_nothing(bytes) {
        return Err("is damaged: its `general.alignment` is 0".to_owned());
    }
    let content = Content::read(&mut Cursor::new(bytes)).map_err(|error| {
        let error = if let Error::WithBacktrace { inner, .. } = error { *inner } else { error };
        format!("is cut short, damaged, or of a kind that is not known: {error}")
    })?;
    let mut tensors = Tensors::new();
    for (name, info) in content.tensor_infos {
        let start = content.tensor_data_offset.checked_add(info.offset).and_then(|start| usize::try_from(start).ok());
        let count = info.shape.dims().iter().try_fold(1usize, |count, dim| count.checked_mul(*dim));
        let (block, width) = (info.ggml_dtype.block_size(), info.ggml_dtype.type_size());
        let row = info.shape.dims().last().copied().unwrap_or(1);
        if !row.is_multiple_of(block) {
            return Err(format!("is damaged: `{name}` has rows of {row} values, which are no blocks of {block}"));
        }
        let size = count.and_then(|count| (count / block).checked_mul(width));
        let end = start.zip(size).and_then(|(start, size)| start.checked_add(size));
        let (Some(start), Some(end)) = (start, end) else {
            return Err(format!("is damaged: the size of `{name}` cannot be"));
        };
        if end > bytes.len() {
            let there = bytes.len();
            return Err(format!(
                "is cut short: `{name}` would end at byte {end}, and the file has {there}; get it again"
            ));
        }
        tensors.insert(name, Located { holds: holds(info.ggml_dtype), shape: info.shape, stride: None, start });
    }
    Ok((content.metadata, tensors))
}

fn holds(dtype: GgmlDType) -> Holds {
    match dtype {
        GgmlDType::F32 => Holds::Known(DType::F32),
        GgmlDType::F16 => Holds::Known(DType::F16),
        GgmlDType::BF16 => Holds::Known(DType::BF16),
        blocks => Holds::Blocks(blocks),
    }
}

/// candle divides by the alignment without looking at it.
fn aligned_to_nothing(bytes: &[u8]) -> bool {
    const KEY: &[u8] = b"general.alignment";
    let Some(at) = bytes.windows(KEY.len()).position(|window| window == KEY) else { return false };
    let Some((kind, value)) = bytes[at + KEY.len()..].split_first_chunk() else { return false };
    let width = match u32::from_le_bytes(*kind) {
        0 | 1 => 1,
        2 | 3 => 2,
        4 | 5 => 4,
        _ => return false,
    };
    value.get(..width).is_some_and(|value| value.iter().all(|byte| *byte == 0))
}
