//! Memory-mapped files: the only place of the workspace with `unsafe` in it.
#![allow(unsafe_code)]

use std::path::Path;

use candle_core::safetensors::MmapedSafetensors;

use crate::Result;

/// Maps a safetensors file into memory and reads its header. Errors name the file.
pub(crate) fn map(path: &Path) -> Result<MmapedSafetensors> {
    // SAFETY: the map is read-only, it is owned by what is returned, and candle copies a tensor's bytes out of it before
    // it hands the tensor on, so no reference outlives the map. What no code of this process can rule out is that
    // another one writes to the file or truncates it meanwhile: `Weights` and `Reference` make that their caller's
    // condition.
    unsafe { MmapedSafetensors::new(path) }
}
