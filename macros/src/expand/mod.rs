//! Generates the code of a model: its taps and sites, the copies that tap, and the functions to call them with.

mod functions;
mod generics;
mod model_impl;
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

/// A model, its impl being the one that `#[forward]` stands on.
pub(crate) fn model(model: &Model, item: &ItemImpl) -> TokenStream {
    let cx = Ctxt::new();
    let main = forward::main(&cx, item);
    let Some(main) = main else {
        return cx.check().err().map(syn::Error::into_compile_error).unwrap_or_default();
    };
    let generics = ImplGenerics::of(item);
    let taps = model.options.taps.clone().unwrap_or_else(|| format_ident!("{}Taps", model.ident));
    let sites = model.options.sites.clone().unwrap_or_else(|| format_ident!("{}Sites", model.ident));
    let krate = &model.options.krate;
    let traced = forward::trace(&cx, model, item, &main, &quote!(#krate::__private::Sites<Self>));
    let errors = cx.check().err().map(syn::Error::into_compile_error);
    let mut input = Input { model, main, krate, generics, taps, sites, entries: Vec::new() };
    input.entries = types::entries(&input, &traced.plan);
    let structs = types::structs(&input);
    let tapped = tapped::implementation(&input, &traced.plan);
    let shown = shown::implementation(&input);
    let functions = functions::inherent(&input);
    let model_impl = model_impl::implementation(&input);
    let copies = match &errors {
        Some(_) => functions::dummy(&input),
        None => functions::hidden(&input, &traced.copies),
    };
    let checks = errors.is_none().then(|| tapped::unmentioned_checks(&input, &traced.plan));
    quote!(#errors #structs #tapped #shown #functions #model_impl #copies #checks)
}
