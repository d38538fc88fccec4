//! A limit of what may be allocated, which depends on how much is read.

use std::alloc::System;

use cap::Cap;

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// What reading may take however small the file: errors, and buffers of fixed size.
const ALWAYS: usize = 4 << 20;

/// Calls `f`, which may use so many bytes of memory. More ends the process.
pub fn within<T>(bytes: usize, f: impl FnOnce() -> T) -> T {
    MEMORY.set_limit(MEMORY.allocated() + bytes).expect("the limit is above what is in use");
    let result = f();
    MEMORY.set_limit(usize::MAX).expect("there is no limit");
    result
}

/// Calls `f`, which may use `factor` bytes of memory for every byte of `size`. More ends the process.
pub fn limited<T>(size: usize, factor: usize, f: impl FnOnce() -> T) -> T {
    within(ALWAYS + factor * size, f)
}
