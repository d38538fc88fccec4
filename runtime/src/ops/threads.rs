//! Work on candle's threads, which are rayon's.
//!
//! The caller's thread is one of them here. rayon's parallel iterators and `join` leave it waiting while its workers do
//! everything, which costs two switches between threads, and a core where there are as many workers as cores: on two cores
//! that is more than the second one saves on anything below a millisecond.

use std::mem::MaybeUninit;
use std::sync::{Mutex, PoisonError};

/// How many threads there are, the caller's among them.
pub(super) fn count() -> usize {
    rayon::current_num_threads()
}

/// Does `work` with each piece, on as many threads as have something to do. Which thread gets which is left to chance.
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
    rayon::in_place_scope(|scope| {
        for _ in 1..threads {
            scope.spawn(|_| work());
        }
        work();
    });
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
