//! Quantized tensors through a `VarBuilder`, which knows floats and integers only.
//!
//! A loader asks for the bytes of the blocks, under the tensor's name with the type of the blocks after a mark that no
//! name has. A builder of candle's has nothing by that name, and the loader goes on with floats.

use std::borrow::Cow;

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{CpuStorage, DType, Shape, Storage};
use candle_nn::{Init, VarBuilder};

use crate::Result;

const MARK: char = '\0';

const BLOCKS: [GgmlDType; 12] = [
    GgmlDType::Q4_0,
    GgmlDType::Q4_1,
    GgmlDType::Q5_0,
    GgmlDType::Q5_1,
    GgmlDType::Q8_0,
    GgmlDType::Q8_1,
    GgmlDType::Q2K,
    GgmlDType::Q3K,
    GgmlDType::Q4K,
    GgmlDType::Q5K,
    GgmlDType::Q6K,
    GgmlDType::Q8K,
];

/// A name, and the type of the blocks after it.
pub(super) fn marked(name: &str) -> Option<(&str, &str)> {
    name.split_once(MARK)
}

/// The tensor called `name` as the file has it; none if that is not quantized, or of another shape, which the builder says
/// when it is asked for floats.
pub(crate) fn quantized_tensor(vb: &VarBuilder, shape: impl Into<Shape>, name: &str) -> Result<Option<QTensor>> {
    let shape = shape.into();
    for blocks in BLOCKS {
        let marked = format!("{name}{MARK}{blocks:?}");
        if !vb.contains_tensor(&marked) {
            continue;
        }
        let bytes = vb.get_with_hints_dtype(shape.clone(), &marked, Init::default(), DType::U8)?;
        if bytes.elem_count() == 0 {
            return Ok(None);
        }
        // Of the tensor's own memory: candle copies it once more.
        let storage = match &*bytes.storage_and_layout().0 {
            Storage::Cpu(CpuStorage::U8(data)) => QStorage::from_data(Cow::Borrowed(data), vb.device(), blocks)?,
            _ => QStorage::from_data(Cow::Owned(bytes.to_vec1()?), vb.device(), blocks)?,
        };
        return QTensor::new(storage, shape).map(Some);
    }
    Ok(None)
}
