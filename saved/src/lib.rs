//! Opens a TensorFlow SavedModel without TensorFlow, shows what is in it, and runs it with any tensor captured, edited or
//! replaced.
//!
//! ```toml
//! [dependencies]
//! taper-saved = { path = "../taper/saved" }   # where the repository is
//!
//! # Without optimization candle is too slow for any model, in tests and debug builds, too.
//! [profile.dev.package."*"]
//! opt-level = 2
//! ```
//!
//! That is all: [`candle_core`] and [`taper`] are re-exported, and [`saved_model!`] needs no other crate. `Tensor`, `Device`
//! and `Result` come from `taper_saved::candle_core`, so that they are the same crate's.
//!
//! The graph becomes one of [taper]'s models: its layers and tensors have the names that their owners know them by,
//! only what is asked for is computed, and runs, recordings and gradients are taper's own.
//!
//! ```no_run
//! # use candle_core::{DType, Device, Tensor};
//! let model = taper_saved::open("path/to/saved_model")?;
//! println!("{}", model.summary()); // what goes in and comes out, by name, and the layers
//! let x = Tensor::zeros((3, 8), DType::F32, &Device::Cpu)?;
//! let out = model.forward([("x", &x)])?;
//! let y = &out["output_0"];
//! // Any tensor: by its whole name, by its name in its layer, by layer, by pattern, by place.
//! let h = model.capture([("x", &x)], &["two/Tanh"])?;
//! let y = model.run().edit("two/d1/BiasAdd", |t| t.relu())?.forward([("x", &x)])?;
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! A tensor in the function of a loop has a value for every step, and one in a branch has none where another is taken:
//!
//! ```
//! # use candle_core::{DType, Device, Tensor};
//! # let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/saved/lstm/export");
//! let model = taper_saved::open(directory)?;
//! let x = Tensor::ones((2, 3, 5), DType::F32, &Device::Cpu)?; // [batch, step, channel]
//! let states = model.capture([("x", &x)], &["while/body/lstm_cell/mul_2"])?;
//! assert_eq!(states.len(), 3);
//! let name = "StatefulPartitionedCall/net_1/lstm_1/while/body/lstm_cell_1/mul_2";
//! assert_eq!(states.stacked(name)?.dims(), [3, 2, 4]); // [step, batch, channel]
//! // One step by its number, in captures and changes alike.
//! let last = model.capture([("x", &x)], &["while/body.-1/lstm_cell/mul_2"])?;
//! assert_eq!(last.single()?.dims(), states.nth(name, -1)?.dims());
//! let y = model.run().edit("while/body.0/lstm_cell/mul_2", |h| h.zeros_like())?.forward([("x", &x)])?;
//! // A layer, in every step or in one.
//! assert_eq!(model.capture([("x", &x)], &["while/body.2/lstm_cell"])?.len(), 2); // `h` and `c`
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! # Files that one does not trust
//! A file that is cut off, damaged or made to do harm is an error, when it is opened or when it is run. Opening takes memory in
//! proportion to the files: at most 32 times the graph and 2 MiB, beside the weights. A run asks whether there is memory for
//! what it makes, counts what it holds at a time ([`Run::memory_limit`]) and the steps of its loops ([`Run::step_limit`]), and
//! can be stopped between any two nodes ([`Run::stop_when`]); how long one operation takes on values that are large is not
//! limited.
//!
//! ```
//! # use candle_core::{DType, Device, Tensor};
//! # let model = taper_saved::open("../tests/data/saved/lstm/export")?;
//! # let (name, input) = model.input_tensors().next().map(|(n, t)| (n, t.shape().unwrap())).unwrap();
//! # let shape: Vec<usize> = input.into_iter().map(|size| size.unwrap_or(1)).collect();
//! # let x = Tensor::zeros(shape, DType::F32, &Device::Cpu)?;
//! let careful = model.run().memory_limit(1 << 30).step_limit(10_000);
//! careful.forward([(name, &x)])?;
//! let error = model.run().step_limit(1).forward([(name, &x)]).unwrap_err().to_string();
//! assert!(error.contains("`step_limit` allows more"), "{error}");
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! # Types and layouts
//! Integers are 64 bits wide here, whatever they are in the file, and truth values are `u8`. Layouts are those of the file:
//! pictures are `[batch, height, width, channel]`.

#[doc(hidden)]
#[path = "private.rs"]
pub mod __private;
mod changed;
mod data;
mod find;
mod graph;
mod inputs;
mod limits;
mod machine;
mod model;
mod ops;
mod outputs;
mod progress;
mod run;
mod summary;
mod values;
mod weights;

pub use candle_core;
pub use taper;
#[doc = include_str!("../docs/saved_model.md")]
pub use taper_saved_macros::saved_model;

pub use changed::{Loss, Recording, Replay, Run};
pub use inputs::Inputs;
pub use model::{SavedModel, check, open, open_signature, signatures};
pub use ops::supported;
pub use outputs::{Captured, Outputs};
pub use run::{Runner, Sites, Taps};
pub use summary::Summary;
pub use taper_saved_structure::check::Checked;
pub use taper_saved_structure::dtype::Type;
pub use taper_saved_structure::layers::Layer;
pub use taper_saved_structure::signatures::{Argument, Signature};
pub use taper_saved_structure::tensors::TensorInfo;

pub(crate) use candle_core::{Error, Result};
pub(crate) use taper_saved_structure::{dtype, proto, tensors};
