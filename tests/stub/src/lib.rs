//! A stand-in for the runtime: every name that generated code uses, with bodies that nobody runs. Files of the runtime
//! that need no candle are the runtime's own, so that their messages are.

// What the shared files name `candle_core` and `candle_nn` is this crate.
pub extern crate self as candle_core;
pub extern crate self as candle_nn;

#[path = "../../../runtime/src/private.rs"]
pub mod __private;
mod candle;
#[path = "../../../runtime/src/glob.rs"]
#[allow(dead_code, reason = "the stub has no names to match")]
mod glob;
mod leaf;
mod load;
#[path = "../../../runtime/src/model.rs"]
mod model;
mod names;
#[path = "../../../runtime/src/near.rs"]
#[allow(dead_code, reason = "the stub has no names that may be meant")]
mod near;
mod pass;
mod run;
pub mod select;
pub mod site;
#[path = "../../../runtime/src/tapped.rs"]
mod tapped;
mod taps;

pub use taper_macros::{Model, forward};

pub use candle::{Error, Linear, Module, ModuleT, Result, Tensor, VarBuilder, linear};
pub use leaf::{SeqSites, SeqTaps, StepSites, StepTaps};
pub use load::Load;
pub use model::Model;
pub use names::SiteTable;
pub use run::{Gradients, Recording, Run};
pub use select::Selection;
pub use site::{Each, Maybe, Site, Visits};
pub use tapped::{Elem, Layer, Sites, Tapped, Taps};
