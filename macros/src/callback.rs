//! How `#[forward]` gets to know the struct.
//!
//! `#[derive(Model)]` emits a hidden macro that carries the struct's tokens, under the struct's own name in the
//! namespace of macros, so that it travels with every `use` of the type:
//! ```ignore
//! macro_rules! __taper_Block { ($($item:tt)*) => { ::taper::__private::__forward! { { struct Block { .. } } { $($item)* } } } }
//! pub(crate) use __taper_Block as Block;
//! ```
//! `#[forward] impl Block { .. }` emits the impl and `Block! { impl Block { .. } }`.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{format_ident, quote, quote_spanned};
use syn::parse::Parser;
use syn::{DeriveInput, GenericParam, ImplItemFn, ItemImpl, Type, Visibility, braced};

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
        let inside = expand::model(model, &item, failed);
        return quote!(#loader #sizes #written #inside);
    }
    let carrier = carrier(input, model);
    let finished = (!failed).then(|| finished(model));
    quote!(#loader #carrier #finished)
}

fn carrier(input: &DeriveInput, model: &Model) -> TokenStream {
    let (ident, krate) = (&model.ident, &model.options.krate);
    let name = format_ident!("__taper_{}", syn::ext::IdentExt::unraw(ident));
    quote! {
        #[doc(hidden)]
        macro_rules! #name {
            ($($item:tt)*) => { #krate::__private::__forward! { { #input } { $($item)* } } };
        }
        #[doc(hidden)]
        #[allow(unused_imports, reason = "that no impl has `#[forward]` is said once, below")]
        pub(crate) use #name as #ident;
    }
}

/// Whether some impl has `#[forward]`. Only the type checker knows, and only of types without parameters.
/// ```ignore
/// const _: () = {
///     use ::taper::__private::{HoldsNothing as _, NotInError as _};
///     if !::taper::__private::Holds::<Block>::TAPS && !<Block>::__TAPER_IN_ERROR {
///         panic!("`Block` has no `#[forward]`; …")
///     }
/// };
/// ```
fn finished(model: &Model) -> Option<TokenStream> {
    // An impl may be of one value of a parameter only.
    if model.generics.params.iter().any(|param| !matches!(param, GenericParam::Lifetime(_))) {
        return None;
    }
    let (ident, krate) = (&model.ident, &model.options.krate);
    let arguments = model.generics.params.iter().map(|_| quote!('static));
    let ty = quote!(#ident<#(#arguments),*>);
    let message = format!(
        "`{ident}` has no taps: none of its impls has `#[forward]`; write it on the impl of its `forward`, or \
         `#[model(sequential)]` on the struct"
    );
    Some(quote_spanned! {ident.span()=>
        const _: () = {
            #[allow(unused_imports, reason = "inherent constants hide those of the traits")]
            use #krate::__private::{HoldsNothing as _, NotInError as _};
            if !#krate::__private::Holds::<#ty>::TAPS && !<#ty>::__TAPER_IN_ERROR {
                ::core::panic!(#message)
            }
        };
    })
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
    let mut parsed: ItemImpl = match syn::parse2(item.clone()) {
        Ok(parsed) => parsed,
        Err(error) => return no_impl(item, error),
    };
    let cx = Ctxt::new();
    if !args.is_empty() {
        cx.error(args, "`#[forward]` takes no arguments; options stand in `#[model(..)]` on the struct");
    }
    while let Type::Reference(reference) = &*parsed.self_ty {
        cx.error(reference, "this is a reference, and a model is a struct; leave out the `&`");
        parsed.self_ty = reference.elem.clone();
    }
    let path = path_of(&cx, &parsed);
    let written = forward::strip(&parsed);
    let errors = cx.check().err().map(syn::Error::into_compile_error);
    let inside = path.map(|path| quote!(#path! { #parsed }));
    quote!(#errors #written #inside)
}

/// The path of the macro that carries the struct's tokens: that of the type. Its last name is ours, so that rustc says, if
/// there is no such macro, that it comes from `#[forward]`.
fn path_of(cx: &Ctxt, item: &ItemImpl) -> Option<syn::Path> {
    let Type::Path(ty) = &*item.self_ty else {
        cx.error(
            &item.self_ty,
            "this is no model; `#[forward]` stands on the impl of a struct with `#[derive(Model)]`",
        );
        return None;
    };
    let mut path = ty.path.clone();
    path.segments.iter_mut().for_each(|s| s.arguments = syn::PathArguments::None);
    if let Some(last) = path.segments.last_mut() {
        last.ident.set_span(last.ident.span().resolved_at(Span::call_site()));
    }
    Some(path)
}

/// `#[forward]` on something that is no impl, which stays as it is.
fn no_impl(item: TokenStream, error: syn::Error) -> TokenStream {
    if let Ok(mut method) = syn::parse2::<ImplItemFn>(item.clone()) {
        let error = syn::Error::new(
            Span::call_site(),
            "`#[forward]` stands on the impl, whose other methods may tap too; move it above `impl`",
        );
        let error = error.into_compile_error();
        forward::strip_method(&mut method);
        // Certainly a method of an inherent impl: the derive need not say that `#[forward]` is missing.
        let inherent = method.sig.receiver().is_some() && !matches!(method.vis, Visibility::Inherited);
        let marker = inherent.then(expand::in_error);
        return quote!(#error #marker #method);
    }
    let is_impl = |token: &TokenTree| matches!(token, TokenTree::Ident(ident) if ident == "impl");
    let error = match item.clone().into_iter().any(|token| is_impl(&token)) {
        true => error,
        false => syn::Error::new(
            Span::call_site(),
            "`#[forward]` stands on an impl; move it to the one that has the model's `forward`",
        ),
    };
    let error = error.into_compile_error();
    quote!(#error #item)
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
    let Some(mut model) = model::parse::parse(&cx, &input) else {
        let _ = cx.check();
        return TokenStream::new();
    };
    model::check::check(&cx, &model);
    // What is wrong with the struct, its derive has said.
    let failed = cx.check().is_err();
    // Errors about fields stand where the fields do, not in the macro that carried them here.
    let here = item.impl_token.span;
    model.fields.iter_mut().for_each(|f| f.ident.set_span(f.ident.span().resolved_at(here)));
    expand::model(&model, &item, failed)
}
