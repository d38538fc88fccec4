//! Generates the code of a model: its taps and sites, the copies that tap, and the functions to call them with.

mod functions;
mod generics;
mod model_impl;
mod runner;
mod seen;
mod shown;
mod tapped;
mod types;

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Attribute, Ident, ItemImpl, Path};

use crate::ctxt::Ctxt;
use crate::forward::{self, Main};
use crate::model::ir::Model;
use generics::ImplGenerics;

/// Everything that the generators read.
pub(crate) struct Input<'a> {
    model: &'a Model,
    main: Main<'a>,
    krate: &'a Path,
    generics: ImplGenerics,
    taps: Ident,
    sites: Ident,
    /// The fields of taps and sites, `output` last.
    entries: Vec<Entry>,
    /// Whether something is wrong, so that the code stands for its types only.
    in_error: bool,
}

/// A field of taps and sites.
struct Entry {
    name: Ident,
    docs: TokenStream,
    cfgs: Vec<Attribute>,
    site: TokenStream,
    value: TokenStream,
    /// Makes the sites, given `self` and the builder `b`.
    build: TokenStream,
}

/// A model, its impl being the one that `#[forward]` stands on. If the struct is in error (`failed`), what its derive has
/// said may be the cause of whatever else looks wrong: then everything is generated, and nothing said.
pub(crate) fn model(model: &Model, item: &ItemImpl, failed: bool) -> TokenStream {
    let cx = Ctxt::new();
    let sound = forward::check_signature(&cx, model, item);
    let Some(main) = sound.as_ref().and_then(|item| forward::main(item)) else {
        let errors = cx.check().err().map(syn::Error::into_compile_error);
        let marker = in_error();
        let (impl_generics, _, where_clause) = item.generics.split_for_impl();
        let ty = &item.self_ty;
        return quote!(#errors impl #impl_generics #ty #where_clause { #marker });
    };
    let item = main.item;
    let generics = ImplGenerics::of(item);
    let taps = model.options.taps.clone().unwrap_or_else(|| format_ident!("{}Taps", model.ident));
    let sites = model.options.sites.clone().unwrap_or_else(|| format_ident!("{}Sites", model.ident));
    let krate = &model.options.krate;
    let traced = forward::trace(&cx, model, item, &main, &quote!(#krate::__private::Sites<Self>));
    let errors = cx.check().err().map(syn::Error::into_compile_error).filter(|_| !failed);
    let in_error = failed || errors.is_some();
    let mut input = Input { model, main, krate, generics, taps, sites, entries: Vec::new(), in_error };
    input.entries = types::entries(&input, &traced.plan);
    let structs = types::structs(&input);
    let tapped = tapped::implementation(&input, &traced.plan);
    let shown = shown::implementation(&input);
    let functions = functions::inherent(&input);
    let runner = runner::runner(&input);
    let model_impl = model_impl::implementation(&input);
    let copies = match in_error {
        true => functions::dummy(&input),
        false => functions::hidden(&input, &traced.copies),
    };
    let checks = (!in_error).then(|| tapped::unmentioned_checks(&input, &traced.plan));
    quote!(#errors #structs #tapped #shown #functions #runner #model_impl #copies #checks)
}

/// Says to the derive that a `#[forward]` is there, although nothing could be made of it.
pub(crate) fn in_error() -> TokenStream {
    quote!(
        #[doc(hidden)]
        #[allow(dead_code, reason = "the derive of a generic struct does not ask")]
        pub const __TAPER_IN_ERROR: bool = true;
    )
}
