//! How `#[forward]` gets to know the struct.
//!
//! `#[derive(Model)]` emits a hidden macro that carries the struct's tokens, under the struct's own name in the
//! namespace of macros, so that it travels with every `use` of the type:
//! ```ignore
//! macro_rules! __taper_Block { ($($item:tt)*) => { ::taper::__private::__forward! { { struct Block { .. } } { $($item)* } } } }
//! pub(crate) use __taper_Block as Block;
//! ```
//! `#[forward] impl Block { .. }` emits the impl and `Block! { impl Block { .. } }`.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::parse::Parser;
use syn::{DeriveInput, ItemImpl, Type, braced};

use crate::ctxt::Ctxt;
use crate::model::ir::Model;
use crate::{expand, forward, load, model, sequential};

pub(crate) fn derive(input: TokenStream) -> TokenStream {
    let input: DeriveInput = match syn::parse2(input) {
        Ok(input) => input,
        Err(error) => return error.into_compile_error(),
    };
    let cx = Ctxt::new();
    let parsed = model::parse::parse(&cx, &input);
    if let Some(model) = &parsed {
        model::check::check(&cx, model);
    }
    let errors = cx.check().err().map(syn::Error::into_compile_error);
    let generated = match &parsed {
        Some(model) => of_struct(&input, model, errors.is_some()),
        // Nothing more to say: the impl's `#[forward]` finds a macro that swallows it.
        None => swallow(&input),
    };
    quote!(#errors #generated)
}

fn of_struct(input: &DeriveInput, model: &Model, failed: bool) -> TokenStream {
    let loader = load::expand(model);
    if model.options.sequential.is_some() {
        let Some(item) = sequential::forward_impl(model) else { return quote!(#loader) };
        let sizes = (!failed).then(|| sequential::sizes::size_checks(model));
        let written = forward::strip(&item);
        let inside = expand::model(model, &item);
        return quote!(#loader #sizes #written #inside);
    }
    let carrier = carrier(input, model);
    quote!(#loader #carrier)
}

fn carrier(input: &DeriveInput, model: &Model) -> TokenStream {
    let (ident, krate) = (&model.ident, &model.options.krate);
    let name = format_ident!("__taper_{}", syn::ext::IdentExt::unraw(ident));
    let complete = model.generics.type_params().next().is_none().then(|| {
        let (impl_generics, ty_generics, where_clause) = model.generics.split_for_impl();
        quote_spanned!(ident.span()=> impl #impl_generics #krate::__private::Complete for #ident #ty_generics #where_clause {})
    });
    quote! {
        #[doc(hidden)]
        macro_rules! #name {
            ($($item:tt)*) => { #krate::__private::__forward! { { #input } { $($item)* } } };
        }
        #[doc(hidden)]
        pub(crate) use #name as #ident;
        #complete
    }
}

fn swallow(input: &DeriveInput) -> TokenStream {
    let ident = &input.ident;
    let name = format_ident!("__taper_{}", syn::ext::IdentExt::unraw(ident));
    quote! {
        macro_rules! #name { ($($item:tt)*) => {}; }
        #[allow(unused_imports, reason = "the struct is in error")]
        pub(crate) use #name as #ident;
    }
}

pub(crate) fn attribute(args: TokenStream, item: TokenStream) -> TokenStream {
    let parsed: ItemImpl = match syn::parse2(item.clone()) {
        Ok(parsed) => parsed,
        Err(_) => {
            let error = syn::Error::new_spanned(
                item.clone().into_iter().next().to_token_stream(),
                "`#[forward]` stands on the impl of a model's `forward`, `#[forward] impl Block { .. }`",
            );
            let error = error.into_compile_error();
            return quote!(#error #item);
        }
    };
    let written = forward::strip(&parsed);
    if !args.is_empty() {
        let error = syn::Error::new_spanned(
            args,
            "`#[forward]` takes no arguments; options stand in `#[model(..)]` on the struct",
        );
        let error = error.into_compile_error();
        return quote!(#error #written);
    }
    let Type::Path(ty) = &*parsed.self_ty else {
        let error = syn::Error::new_spanned(
            &parsed.self_ty,
            "this is no model; `#[forward]` stands on the impl of a struct with `#[derive(Model)]`",
        );
        let error = error.into_compile_error();
        return quote!(#error #written);
    };
    let mut path = ty.path.clone();
    path.segments.iter_mut().for_each(|s| s.arguments = syn::PathArguments::None);
    quote!(#written #path! { #parsed })
}

pub(crate) fn with_struct(input: TokenStream) -> TokenStream {
    let parse = |input: syn::parse::ParseStream| {
        let (item, implementation);
        braced!(item in input);
        braced!(implementation in input);
        Ok((item.parse::<DeriveInput>()?, implementation.parse::<ItemImpl>()?))
    };
    let (input, item) = match parse.parse2(input) {
        Ok(parsed) => parsed,
        Err(error) => return error.into_compile_error(),
    };
    let cx = Ctxt::new();
    let parsed = model::parse::parse(&cx, &input);
    // What is wrong with the struct, its derive has said.
    let _ = cx.check();
    parsed.map(|model| expand::model(&model, &item)).unwrap_or_default()
}
