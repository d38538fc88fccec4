//! `taper inspect`: what is in a file or folder.

mod saved;

use std::io::Write;

use crate::arguments::Inspect;
use crate::failure::Outcome;

pub(crate) fn inspect(arguments: &Inspect, out: &mut impl Write) -> Outcome<()> {
    saved::inspect(arguments, out)
}
