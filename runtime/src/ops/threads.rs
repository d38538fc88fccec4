//! Work on candle's threads.
//!
//! They wait for work without sleeping for a while, so that they are there within a microsecond, and the caller's thread is
//! one of them. Others would have to share the processor with them: rayon's `join`, by which gemm divides a product, takes
//! longer than one thread does on anything below a millisecond.

use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};

use candle_core::utils::barrier_pool;

/// How many threads there are, the caller's among them.
pub(super) fn count() -> usize {
    #[cfg(test)]
    if let Some(threads) = PRETENDED.get() {
        return threads;
    }
    barrier_pool().n_workers() + 1
}

/// Does `work` with each piece, on as many threads as have something to do. Which thread gets which is left to chance.
///
/// `work` must not share work itself: the threads are taken until it ends, and it would wait for itself.
pub(super) fn share<I>(pieces: I, work: impl Fn(I::Item) + Sync)
where
    I: ExactSizeIterator + Send,
    I::Item: Send,
{
    let threads = if pieces.len() < 2 { 1 } else { pieces.len().min(count()) };
    if threads < 2 {
        return pieces.for_each(work);
    }
    let pieces = Mutex::new(pieces);
    let next = || pieces.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(piece) = next() {
            work(piece);
        }
    };
    // One call for each thread; the first ones may have done everything before the last come.
    barrier_pool().execute_chunked(threads, |_| work());
}

/// A vector of `len` numbers, of which `fill` makes `share` at a time, from the first of them on, in the room for them: it
/// returns that room, filled.
///
/// Zeros that are written over take as long as a simple operation, and one thread writes them.
#[allow(unsafe_code)]
pub(super) fn filled<T: Copy + Send>(
    len: usize,
    share: usize,
    fill: impl for<'r> Fn(usize, &'r mut [MaybeUninit<T>]) -> &'r mut [T] + Sync,
) -> Vec<T> {
    let mut made = Vec::with_capacity(len);
    let room = &mut made.spare_capacity_mut()[..len];
    self::share(room.chunks_mut(share.max(1)).enumerate(), |(at, room)| {
        let (start, len) = (room.as_ptr().cast::<T>(), room.len());
        let full = fill(at * share, room);
        assert!(full.as_ptr() == start && full.len() == len, "what is returned is the room");
    });
    // SAFETY: the pieces of the room are all of it, and each was returned as numbers, which only what was written is.
    unsafe { made.set_len(len) };
    made
}

#[cfg(test)]
thread_local! {
    static PRETENDED: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
}

/// What `work` gives where the work is divided as for so many threads, whatever there are.
#[cfg(test)]
pub(super) fn as_on<T>(threads: usize, work: impl FnOnce() -> T) -> T {
    PRETENDED.set(Some(threads));
    let given = work();
    PRETENDED.set(None);
    given
}
