//! What the code that `saved_model!` generates calls. Not for users: it changes without notice.

pub use candle_core::{Device, Error, Result, Tensor};
pub use std::convert::AsRef;
pub use std::ops::{FnMut, FnOnce};
pub use std::option::Option;
pub use std::path::Path;
pub use std::result::Result::Ok;
pub use std::vec;
pub use std::vec::Vec;
pub use taper::__private::{
    At, Builder, Capture, Clone, Debug, Differentiate, FmtResult, Formatter, Forward, Job, LossSetup, Reader, Record,
    Runnable, Runner, Running, Setup, Span, Stateless, Tree, Visitor, WithTaps, debug, run, site_table,
};
pub use taper::{Gradients, Maybe, Model, Recording, Run, Seen, Selection, Site, SiteTable, Tapped, Visits};
pub use taper_saved_structure::record::{Node, Record as Structure};

pub use crate::run::typed::{Given, Source, Typed, clone, debug_sites, hull, outputs, read, see, spans, visit};
pub use crate::{SavedModel, Sites, Taps};
