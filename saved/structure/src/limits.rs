//! What a file may ask for while it is opened: every limit, in one place.
//!
//! A few bytes can describe a great deal: a function that calls another twice, sixty deep; a name of a megabyte in front of
//! a thousand others; tensors that lie over each other. What is made of a file is therefore counted before it is made. There
//! are three kinds of limits:
//!
//! - **memory**, in proportion to the size of the file: [`Budget`], of which nodes, tensors and layers are paid, in bytes;
//! - **work** that grows faster than what it looks at, in steps: past them nothing fails, but names are no longer looked for
//!   or control flow is left as it stands, as it says there;
//! - **counts and depths** that no writer comes near, beyond which something is an error, or not supported.
//!
//! What a graph may ask for while it runs is in `taper-saved`'s own `limits`.

use std::cell::Cell;

use crate::{Error, Result};

/// Bytes that a graph may take for every byte of its file, and [`GRAPH_ALWAYS`]. A function stands in the file once and in
/// the graph as often as it is called: in files that TensorFlow writes a graph takes about three times its file.
const GRAPH: usize = 32;

/// What a graph may take however small its file: a loop or a call of a function costs more than what it is written as.
const GRAPH_ALWAYS: usize = 1 << 20;

/// What a node takes beside its names and values, and what a tensor, and a scope of a layer.
pub(crate) const NODE: usize = 192;
/// As [`NODE`].
pub(crate) const TENSOR: usize = 256;
/// As [`NODE`].
pub(crate) const SCOPE: usize = 192;
/// As [`NODE`], of a name that is only remembered.
pub(crate) const NAME: usize = 64;

/// How much memory a graph may yet take, its tensors and layers included.
#[derive(Debug)]
pub struct Budget {
    left: Cell<usize>,
    size: usize,
}

impl Budget {
    /// That of a graph whose file has so many bytes.
    pub fn of(size: usize) -> Self {
        Budget { left: Cell::new(size.saturating_mul(GRAPH).saturating_add(GRAPH_ALWAYS)), size }
    }

    /// The bytes of the file: nothing in it can have more parts.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// Pays for bytes that are about to be taken.
    ///
    /// # Errors
    /// There are not as many left.
    pub(crate) fn spend(&self, bytes: usize) -> Result<()> {
        let left = self.left.get().checked_sub(bytes);
        // Whoever goes on all the same does not get far.
        self.left.set(left.unwrap_or(0));
        left.map(|_| ()).ok_or_else(|| {
            Error::Msg(format!(
                "its graph has no reasonable size: {} bytes may become {GRAPH} times as many in memory, and calls of functions, \
                 long names or lists ask for more",
                self.size
            ))
        })
    }
}

/// How deep functions call each other; one that calls itself never ends. Every call takes stack: 64 of them, loops counted
/// as [`CALLS_OF_LOOP`], fit in a thread's smallest.
pub(crate) const CALL_DEPTH: usize = 64;

/// How many calls a branch or a loop counts as.
pub(crate) const CALLS_OF_LOOP: usize = 4;

/// More outputs than any operation has, lists counted as one: a node of one with more is not supported.
pub(crate) const OUTPUTS: usize = 256;

/// The longest reason, in bytes, why a node can't be computed: it may have names of the file in it, which are cut off.
pub(crate) const REASON: usize = 1 << 10;

/// The longest text, in bytes, of the part of a tensor that a variable of TensorFlow 1 is restored from: more than any
/// number of axes takes. A longer one is no part.
pub(crate) const PART: usize = 1 << 10;

/// More nodes than TensorFlow 1's control flow is looked for in, whose search looks at them again and again. That of larger
/// graphs stays as it stands, and is not supported.
pub(crate) const LOWERED_NODES: usize = 1 << 14;

/// How many nodes that search looks at in all.
pub(crate) const LOWERING: usize = 1 << 22;

/// How many nodes that pass a value on are followed, one behind the other, to find where it comes from.
pub(crate) const PASSED: usize = 64;

/// Characters by characters that are compared to find keys like those that are missing, for the sake of all errors. After
/// them no near key is named.
pub(crate) const NEAR_KEYS: usize = 1 << 26;

/// How deep scopes are looked into. A name of more parts is nobody's.
pub(crate) const SCOPE_DEPTH: usize = 64;

/// How many parts of names are compared to find the owners of scopes. The scopes after them are called as they are
/// in the file.
pub(crate) const OWNERS: usize = 1 << 26;

/// The longest name, in bytes, of a node that is looked at to find who reads a weight, and then looked at for every input.
pub(crate) const READER: usize = 1 << 12;

/// The longest key of a checkpoint, in bytes: each is stored as what it does not share with the one before, so that a few
/// bytes could stand for a long one again and again.
pub(crate) const KEY: usize = 1 << 14;

/// How often the bytes of a checkpoint's files are read, all tensors taken together. They do not lie over each other: a
/// small file whose tensors do could fill any memory.
pub(crate) const READ_TIMES: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_is_in_proportion_to_the_file_and_stays_spent() {
        let budget = Budget::of(1000);
        budget.spend(GRAPH * 1000).unwrap();
        budget.spend(GRAPH_ALWAYS).unwrap();
        let error = budget.spend(1).unwrap_err().to_string();
        assert!(error.contains("no reasonable size") && error.contains("1000 bytes"), "{error}");
        assert!(budget.spend(1).is_err());
        assert!(Budget::of(usize::MAX).spend(usize::MAX).is_ok());
    }
}
