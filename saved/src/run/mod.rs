//! Running a graph on taper's engine: the graph is a model whose sites are made when it is opened.

mod control;
mod execute;
mod memory;
mod model;
mod places;
mod plan;
mod sites;
pub(crate) mod typed;
mod visit;

pub use model::Runner;
pub(crate) use sites::{Place, Regions, Sited, numbered};
pub use sites::{Sites, Taps};
