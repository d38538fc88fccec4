//! Every piece is done once, whatever the number of threads, of pieces, and what the work does.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::ops::threads::{as_on, filled_in_parts, share};

/// How often each of so many pieces was done.
fn counted(pieces: usize, work: impl Fn(usize) + Sync) -> Vec<usize> {
    let counts: Vec<AtomicUsize> = (0..pieces).map(|_| AtomicUsize::new(0)).collect();
    share(0..pieces, |piece| {
        counts[piece].fetch_add(1, Ordering::Relaxed);
        work(piece);
    });
    counts.into_iter().map(AtomicUsize::into_inner).collect()
}

#[test]
fn do_every_piece_once() {
    for threads in [1, 2, 3, 5, 64] {
        for pieces in [0, 1, 2, 3, 7, 100] {
            assert_eq!(as_on(threads, || counted(pieces, |_| ())), vec![1; pieces], "{pieces} on {threads}");
        }
    }
}

#[test]
fn share_work_within_work_by_doing_it_alone() {
    let inner = AtomicUsize::new(0);
    counted(20, |_| {
        inner.fetch_add(counted(20, |_| ()).iter().sum(), Ordering::Relaxed);
    });
    assert_eq!(inner.into_inner(), 400);
}

#[test]
fn go_on_after_a_panic() {
    for _ in 0..3 {
        let result = catch_unwind(AssertUnwindSafe(|| counted(50, |piece| assert!(piece != 31, "piece 31"))));
        assert!(result.is_err());
        assert_eq!(counted(50, |_| ()), vec![1; 50]);
    }
}

#[test]
fn fill_vectors_part_by_part() {
    for (len, part, share) in [(0, 3, 5), (1, 3, 5), (100, 3, 5), (100, 7, 1), (100, 100, 1), (99, 1, 1000)] {
        let made = as_on(5, || {
            filled_in_parts(len, part, share, |start, room| {
                assert!(start.is_multiple_of(part) && (room.len() == part || start + room.len() == len));
                room.write_copy_of_slice(&(start..start + room.len()).collect::<Vec<_>>())
            })
        });
        assert_eq!(made, (0..len).collect::<Vec<_>>());
    }
}
