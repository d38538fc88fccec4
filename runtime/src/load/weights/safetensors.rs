//! The header of a safetensors file.

use std::collections::HashMap;

use candle_core::{DType, Shape};
use safetensors::tensor::TensorInfo;
use safetensors::{SafeTensorError, SafeTensors};

use super::file::{Holds, Located, Tensors};

/// The length of the length of the header.
const LENGTH: usize = 8;

/// Where the tensors are. An error goes on after the file's name: "`model.safetensors` is …".
pub(super) fn tensors(bytes: &[u8]) -> Result<Tensors, String> {
    let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| fault(&error, bytes))?;
    let data = LENGTH + header;
    let located = |info: &TensorInfo| Located {
        holds: holds(info.dtype),
        shape: Shape::from(info.shape.as_slice()),
        stride: None,
        start: data + info.data_offsets.0,
    };
    Ok(metadata.tensors().into_iter().map(|(name, info)| (name, located(info))).collect())
}

/// What the file says of itself; nothing if it is not safetensors.
pub(super) fn metadata(bytes: &[u8]) -> HashMap<String, String> {
    let header = SafeTensors::read_metadata(bytes).ok();
    header.and_then(|(_, metadata)| metadata.metadata().clone()).unwrap_or_default()
}

fn holds(dtype: safetensors::Dtype) -> Holds {
    use safetensors::Dtype as D;
    let known = match dtype {
        D::U8 => DType::U8,
        D::U32 => DType::U32,
        D::I16 => DType::I16,
        D::I32 => DType::I32,
        D::I64 => DType::I64,
        D::BF16 => DType::BF16,
        D::F16 => DType::F16,
        D::F32 => DType::F32,
        D::F64 => DType::F64,
        D::F8_E4M3 => DType::F8E4M3,
        other => return Holds::Unknown(format!("{other:?}")),
    };
    Holds::Known(known)
}

fn fault(error: &SafeTensorError, bytes: &[u8]) -> String {
    use SafeTensorError as E;
    let size = bytes.len();
    let header = bytes.first_chunk().map_or(0, |length| u64::from_le_bytes(*length));
    match error {
        E::HeaderTooSmall => {
            format!("is cut short: it has {size} bytes, not even the length of a header; get it again")
        }
        // A length that no file has says that the file never was one of safetensors.
        E::HeaderTooLarge => {
            format!("is not a safetensors file: its first 8 bytes would be the length of a header, {header} bytes")
        }
        E::InvalidHeaderLength => format!(
            "is cut short or not a safetensors file: its header would have {header} bytes, and the file has {size}; \
             get it again"
        ),
        E::InvalidHeader(_) | E::InvalidHeaderDeserialization(_) | E::JsonError(_) => {
            format!("is not a safetensors file: its header cannot be read ({error})")
        }
        E::MetadataIncompleteBuffer => {
            let short = promised(bytes).filter(|promised| *promised > size as u64);
            match short {
                Some(promised) => {
                    format!("is cut short: its header promises {promised} bytes, and the file has {size}; get it again")
                }
                None => "is damaged: its tensors do not fill the file".to_owned(),
            }
        }
        other => format!("is damaged: {other}"),
    }
}

/// The length of the file that its header describes.
fn promised(bytes: &[u8]) -> Option<u64> {
    let header = u64::from_le_bytes(*bytes.first_chunk()?);
    let json = bytes.get(LENGTH..LENGTH + usize::try_from(header).ok()?)?;
    let tensors: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(json).ok()?;
    let end = |tensor: &serde_json::Value| tensor.get("data_offsets")?.get(1)?.as_u64();
    Some(LENGTH as u64 + header + tensors.values().filter_map(end).max()?)
}
