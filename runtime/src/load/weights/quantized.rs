//! Quantized tensors through a `VarBuilder`, which knows floats and integers only.
//!
//! A loader asks for the tensor's name with the type of the blocks after a mark that no name has, and gets a tensor of
//! nothing; the blocks are handed over beside the builder, in the thread that asks, so that they are copied once. A builder
//! of candle's has nothing by that name, and the loader goes on with floats.

use std::cell::RefCell;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{DType, Shape};
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
        HANDED_OVER.take();
        vb.get_with_hints_dtype(shape, &marked, Init::default(), DType::U8)?;
        return Ok(HANDED_OVER.take());
    }
    Ok(None)
}

thread_local! {
    static HANDED_OVER: RefCell<Option<QTensor>> = const { RefCell::new(None) };
}

/// For the loader that has asked the builder for it.
pub(super) fn hand_over(tensor: QTensor) {
    HANDED_OVER.set(Some(tensor));
}
