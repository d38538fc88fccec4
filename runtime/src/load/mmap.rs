//! Memory-mapped files, and why `unsafe` is sound for them.
#![allow(unsafe_code)]

use std::fs::File;
use std::path::Path;

use candle_core::bail;
use memmap2::Mmap;

use crate::Result;

/// Maps a file into memory. Errors name it.
pub(super) fn map(path: &Path) -> Result<Mmap> {
    let unreadable = |error| crate::Error::Msg(format!("cannot read `{}`: {error}", path.display()));
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.is_dir() {
        bail!("`{}` is a folder where a file of weights is needed", path.display());
    }
    // SAFETY: the map is read-only, it is owned by what is returned, and a tensor's bytes are copied out of it before the
    // tensor is handed on, so no reference outlives the map. What no code of this process can rule out is that another
    // one writes to the file or truncates it meanwhile: `Weights` and `Reference` make that their caller's condition.
    unsafe { Mmap::map(&file) }.map_err(unreadable)
}
