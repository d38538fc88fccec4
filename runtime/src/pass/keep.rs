//! How a value is kept: detached from the autograd graph unless asked for, and not as a view of something larger.

use std::any::Any;
use std::sync::Arc;

use candle_core::{CpuStorage, Storage, Tensor};

use super::Slots;
use super::gradient::Planted;
use crate::Result;
use crate::bundle::for_tensors;

/// A kept value.
#[derive(Default)]
pub(crate) enum Slot {
    #[default]
    Empty,
    /// The usual case, without a box.
    Tensor(Tensor),
    Other(Box<dyn Any>),
    /// A value out of a recording, which shares it.
    Shared(Arc<dyn Any + Send + Sync>),
    /// A value with respect to which the loss is differentiated.
    Planted(Box<Planted>),
    /// The visits of a `Maybe` or `Visits`.
    Frames(Vec<Slots>),
}

impl Slot {
    pub(crate) fn of<T: Any>(value: T) -> Self {
        let mut value = Some(value);
        match (&mut value as &mut dyn Any).downcast_mut::<Option<Tensor>>() {
            Some(tensor) => tensor.take().map_or(Slot::Empty, Slot::Tensor),
            None => Slot::Other(Box::new(value.take().expect("just put there"))),
        }
    }

    pub(crate) fn get<T: Any>(&self) -> Option<&T> {
        match self {
            Slot::Tensor(tensor) => (tensor as &dyn Any).downcast_ref(),
            Slot::Other(value) => value.downcast_ref(),
            Slot::Shared(value) => value.downcast_ref(),
            Slot::Planted(planted) => planted.value.get(),
            Slot::Empty | Slot::Frames(_) => None,
        }
    }
}

impl Slot {
    /// The value, whatever its type.
    pub(crate) fn any(&self) -> Option<&dyn Any> {
        match self {
            Slot::Tensor(tensor) => Some(tensor),
            Slot::Other(value) => Some(&**value),
            Slot::Shared(value) => Some(&**value),
            Slot::Planted(planted) => planted.value.any(),
            Slot::Empty | Slot::Frames(_) => None,
        }
    }
}

/// Keeps a value of type `T`.
pub(crate) fn slot<T: Clone + Any>(value: &dyn Any, attached: bool) -> Slot {
    let value = value.downcast_ref::<T>().expect("called with the type it was made for").clone();
    Slot::of(if attached { value } else { detached(value) })
}

/// The value without its autograd graph.
pub(crate) fn detached<T: Any>(mut value: T) -> T {
    let detach = &mut |t: &mut Tensor| {
        *t = t.detach();
        Ok(())
    };
    for_tensors(&mut value, detach).expect("detaching can't fail");
    value
}

/// The value, its tensors copied where they are views of a larger buffer.
pub(crate) fn compacted<T: Any>(mut value: T) -> Result<T> {
    for_tensors(&mut value, &mut |t| {
        if is_view(t) {
            *t = t.force_contiguous()?;
        }
        Ok(())
    })?;
    Ok(value)
}

/// Whether the tensor's buffer holds more than the tensor. On devices other than the CPU the size of the buffer is not
/// to be had without their features: there a reduced value, which is small, always counts as a view.
fn is_view(tensor: &Tensor) -> bool {
    let (storage, layout) = tensor.storage_and_layout();
    match &*storage {
        Storage::Cpu(storage) => cpu_len(storage) > layout.shape().elem_count(),
        Storage::Cuda(_) | Storage::Metal(_) => true,
    }
}

/// Where the buffer of a tensor lies, which views of it share, and how many bytes it has. On devices other than the CPU
/// it counts as having as many as the tensor.
pub fn buffer(tensor: &Tensor) -> (usize, usize) {
    let (storage, layout) = tensor.storage_and_layout();
    let len = match &*storage {
        Storage::Cpu(storage) => cpu_len(storage),
        Storage::Cuda(_) | Storage::Metal(_) => layout.shape().elem_count(),
    };
    (std::ptr::from_ref(&*storage).addr(), len * tensor.dtype().size_in_bytes())
}

fn cpu_len(storage: &CpuStorage) -> usize {
    match storage {
        CpuStorage::U8(v) => v.len(),
        CpuStorage::U32(v) => v.len(),
        CpuStorage::I16(v) => v.len(),
        CpuStorage::I32(v) => v.len(),
        CpuStorage::I64(v) => v.len(),
        CpuStorage::BF16(v) => v.len(),
        CpuStorage::F16(v) => v.len(),
        CpuStorage::F32(v) => v.len(),
        CpuStorage::F64(v) => v.len(),
        CpuStorage::F8E4M3(v) => v.len(),
        // Formats without arithmetic: copying one is not possible, so it counts as whole.
        _ => 0,
    }
}
