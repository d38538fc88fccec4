//! The macros of taper. Use them through the `taper` crate, which documents them.
//!
//! Phases: `model` parses a struct, `forward` walks the bodies of an impl and plans, `expand` generates. Errors are
//! gathered and stop the expansion of bodies, but types are generated all the same, so that one mistake is one error.

mod callback;
mod ctxt;
mod expand;
mod forward;
mod load;
mod model;
mod sequential;
#[cfg(test)]
mod snapshots;
mod suggest;

use proc_macro::TokenStream;

/// Makes a struct a model: generates its loader and, with [`macro@forward`], everything to look inside.
#[proc_macro_derive(Model, attributes(model, load, prefix, then, tap, untapped))]
pub fn derive_model(input: TokenStream) -> TokenStream {
    callback::derive(input.into()).into()
}

/// Stands on the impl of a model's `forward`, which stays as it is written, and generates a copy that taps.
#[proc_macro_attribute]
pub fn forward(args: TokenStream, item: TokenStream) -> TokenStream {
    callback::attribute(args.into(), item.into()).into()
}

/// What `#[forward]` expands to once it knows the struct.
#[doc(hidden)]
#[proc_macro]
pub fn __forward(input: TokenStream) -> TokenStream {
    callback::with_struct(input.into()).into()
}
