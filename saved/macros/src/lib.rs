//! The macro of `taper-saved`. Use it through that crate, which documents it.
//!
//! Phases: `input` parses what the user wrote, `taper-saved-structure` reads the file, `tree` puts its tensors into their
//! layers and names them, `expand` generates. What computes is in `taper-saved`; the generated code names it.

mod expand;
mod input;
mod names;
#[cfg(test)]
mod tests;
mod tree;

use proc_macro::TokenStream;

/// A type for a SavedModel.
#[proc_macro]
pub fn saved_model(input: TokenStream) -> TokenStream {
    let expanded = syn::parse(input).and_then(|input| expand::expand(&input));
    expanded.unwrap_or_else(|error| error.to_compile_error()).into()
}
