//! Inspectable neural networks on candle.
//!
//! Write a model once, as a plain struct and a plain `forward`. [`derive(Model)`](derive@Model) and
//! [`#[forward]`](macro@forward) generate the loader, a typed struct of every intermediate tensor, and typed addresses
//! of them. The `forward` that runs in production is the code that you wrote, token for token.
//!
//! ```
//! use taper::candle_core::{DType, Device, Result, Tensor};
//! use taper::candle_nn::{Linear, Module, VarBuilder, linear};
//! use taper::{Model, forward};
//!
//! #[derive(Model)]
//! pub struct Mlp {
//!     #[load(linear(8, 32))]
//!     pub up: Linear,
//!     #[load(linear(32, 8))]
//!     pub down: Linear,
//! }
//!
//! #[forward]
//! impl Mlp {
//!     pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
//!         #[tap]
//!         let act = self.up.forward(x)?.gelu()?;
//!         self.down.forward(&act)
//!     }
//! }
//!
//! let mlp = Mlp::load(VarBuilder::zeros(DType::F32, &Device::Cpu))?;
//! let x = Tensor::ones((2, 8), DType::F32, &Device::Cpu)?;
//! let (y, taps) = mlp.forward_with_taps(&x)?;
//! assert_eq!(taps.act.dims(), [2, 32]);
//! assert_eq!(taps.output.dims(), y.dims());
//! // Only what is named, and no more of the model than that needs.
//! let up = mlp.capture(&x, |t| t.up)?;
//! assert_eq!(up.dims(), [2, 32]);
//! # Ok::<(), taper::candle_core::Error>(())
//! ```

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod bundle;
#[doc = include_str!("../docs/changing.md")]
pub mod changing {}
pub mod check;
mod error;
mod glob;
pub mod interventions;
pub mod layers;
mod leaf;
mod load;
mod model;
mod names;
mod near;
mod numeric;
pub mod ops;
pub mod parity;
mod pass;
#[doc = include_str!("../docs/porting.md")]
pub mod porting {}
pub mod quantized;
mod run;
pub mod select;
pub mod site;
mod tapped;
mod taps;
pub mod tensors;

pub use candle_core;
pub use candle_nn;
#[doc = include_str!("../docs/model.md")]
pub use taper_macros::Model;
#[doc = include_str!("../docs/forward.md")]
pub use taper_macros::forward;

pub use check::{Check, check};
pub use leaf::{SeqSites, SeqTaps, StepSites, StepTaps};
pub use load::{Gguf, Load, Stored, Weights};
pub use model::Model;
pub use names::{NamedSite, SiteTable};
pub use run::{
    EditedSite, Gradients, Input, IntegratedGradients, IntoArgs, Loss, LossOn, Metric, Recording, Run, RunOn, Seen,
    Sweep, SweepTable, Values,
};
pub use select::{Selection, Targets};
pub use site::{Each, Maybe, Site, Visits};
pub use tapped::{Elem, Layer, Sites, Stateless, Tapped, Taps};
pub use taps::SavedTaps;

pub(crate) use candle_core::{Error, Result};
