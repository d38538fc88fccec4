//! Work on candle's threads.
//!
//! They wait for work without sleeping for a while, so that they are there within a microsecond, and the caller's thread is
//! one of them. Others would have to share the processor with them: rayon's `join`, by which gemm divides a product, takes
//! longer than one thread does on anything below a millisecond.

use std::cell::Cell;
use std::mem::MaybeUninit;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
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

/// Does `work` with each piece, on as many threads as have something to do.
///
/// A thread begins with the pieces that are its own by their place, so that in the next operation it finds in its cache what
/// it made in this one, and then helps the others. Where a piece shares work itself, the thread that has it does all of it.
pub(super) fn share<I>(pieces: I, work: impl Fn(I::Item) + Sync)
where
    I: ExactSizeIterator,
    I::Item: Send,
{
    let threads = if SHARING.get() { 1 } else { pieces.len().min(count()) };
    if threads < 2 {
        return pieces.for_each(work);
    }
    let pieces: Vec<_> = pieces.map(|piece| Mutex::new(Some(piece))).collect();
    let queues: Vec<_> = (0..threads).map(|at| Queue::of(at, threads, pieces.len())).collect();
    let mine = |thread: usize| {
        for at in 0..threads {
            let queue = &queues[(thread + at) % threads];
            while let Some(index) = queue.next() {
                // Nobody else has this index, so that the lock is free.
                let piece = pieces[index].lock().unwrap_or_else(PoisonError::into_inner).take();
                work(piece.expect("each piece is taken once"));
            }
        }
    };
    // candle's threads could not be used any more after a panic in work of theirs.
    let panic = Mutex::new(None);
    barrier_pool().execute(|thread| {
        SHARING.set(true);
        if let Err(reason) = catch_unwind(AssertUnwindSafe(|| mine(thread))) {
            panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
        }
        SHARING.set(false);
    });
    if let Some(reason) = panic.into_inner().unwrap_or_else(PoisonError::into_inner) {
        resume_unwind(reason);
    }
}

thread_local! {
    /// Whether this thread does its part of shared work: the others are taken until it ends.
    static SHARING: Cell<bool> = const { Cell::new(false) };
}

/// The pieces that a thread begins with, on a cache line of its own.
#[repr(align(64))]
struct Queue {
    next: AtomicUsize,
    end: usize,
}

impl Queue {
    /// Of thread `at` of so many, for so many pieces.
    fn of(at: usize, threads: usize, pieces: usize) -> Self {
        Self { next: AtomicUsize::new(at * pieces / threads), end: (at + 1) * pieces / threads }
    }

    /// The index of the next piece, if there is one.
    fn next(&self) -> Option<usize> {
        // Looked at first, so that those who come to help in vain don't take the line from each other.
        if self.next.load(Ordering::Relaxed) >= self.end {
            return None;
        }
        Some(self.next.fetch_add(1, Ordering::Relaxed)).filter(|&at| at < self.end)
    }
}

/// A vector of `len` numbers, of which `fill` makes `share` at a time, from the first of them on, in the room for them: it
/// returns that room, filled.
///
/// Zeros that are written over take as long as a simple operation, and one thread writes them.
pub(super) fn filled<T: Copy + Send>(
    len: usize,
    share: usize,
    fill: impl for<'r> Fn(usize, &'r mut [MaybeUninit<T>]) -> &'r mut [T] + Sync,
) -> Vec<T> {
    filled_in_parts(len, share, share, fill)
}

/// The same where `fill` makes a `part` at a time, of which a thread does at least a `share` at once.
#[allow(unsafe_code)]
pub(super) fn filled_in_parts<T: Copy + Send>(
    len: usize,
    part: usize,
    share: usize,
    fill: impl for<'r> Fn(usize, &'r mut [MaybeUninit<T>]) -> &'r mut [T] + Sync,
) -> Vec<T> {
    let part = part.max(1);
    let share = share.next_multiple_of(part).max(part);
    let mut made = Vec::with_capacity(len);
    let room = &mut made.spare_capacity_mut()[..len];
    self::share(room.chunks_mut(share).enumerate(), |(at, room)| {
        for (within, room) in room.chunks_mut(part).enumerate() {
            let (start, len) = (room.as_ptr().cast::<T>(), room.len());
            let full = fill(at * share + within * part, room);
            assert!(full.as_ptr() == start && full.len() == len, "what is returned is the room");
        }
    });
    // SAFETY: the pieces of the room are all of it, and each was returned as numbers, which only what was written is.
    unsafe { made.set_len(len) };
    made
}

#[cfg(test)]
thread_local! {
    static PRETENDED: Cell<Option<usize>> = const { Cell::new(None) };
}

/// What `work` gives where the work is divided as for so many threads, whatever there are.
#[cfg(test)]
pub(super) fn as_on<T>(threads: usize, work: impl FnOnce() -> T) -> T {
    PRETENDED.set(Some(threads));
    let given = work();
    PRETENDED.set(None);
    given
}
