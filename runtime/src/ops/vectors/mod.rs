//! Loops over `f32` on the CPU: in vectors of the widest instructions that it has, which the compiler makes of plain loops
//! for each set of instructions, and on candle's threads where there is enough to do. The bits do not depend on either.

mod map;
pub(super) mod math;
mod rows;

pub(super) use map::{Function, map};
pub(super) use rows::{Itself, OnRow, SquareBeyond, largest, on_rows, sum};

use std::mem::MaybeUninit;

use candle_core::{CpuStorage, Layout, Result, bail};

/// Below so many numbers the threads would cost more than they save.
pub(super) const PARALLEL: usize = 32 << 10;

/// So many numbers one thread takes at least.
pub(super) const SHARE: usize = 8 << 10;

/// Zeros in the room for them.
#[allow(unsafe_code)]
pub(super) fn zeroed(room: &mut [MaybeUninit<f32>]) -> &mut [f32] {
    room.fill(MaybeUninit::new(0.));
    // SAFETY: each number of it was written.
    unsafe { room.assume_init_mut() }
}

/// The numbers of a contiguous `f32` tensor. `op` is the operation's name, for errors.
pub(super) fn in_order<'a>(op: &str, storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    let Some((start, end)) = layout.contiguous_offsets() else { bail!("`{op}`: an input is not contiguous") };
    Ok(&storage.as_slice::<f32>()?[start..end])
}
