//! `#[forward]`: finds what a body calls and taps, refuses what it can't trace, and makes the copy that taps.

mod attributes;
mod binders;
mod calls;
pub(crate) mod control;
pub(crate) mod levels;
mod macros;
mod mentions;
mod methods;
pub(crate) mod plan;
mod shape;
mod strip;
mod tap;
mod walk;

use std::cell::RefCell;
use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{FnArg, ImplItemFn, ItemImpl};

pub(crate) use calls::local;
pub(crate) use methods::{Main, check_signature, main};
pub(crate) use strip::{strip, strip_method};
pub(crate) use walk::{Method, Tap};

use crate::ctxt::Ctxt;
use crate::model::ir::Model;
use plan::{Plan, Walked};
use walk::Walker;

/// A traced impl: what to generate, and the copies of its methods.
pub(crate) struct Traced {
    pub(crate) plan: Plan,
    /// Hidden functions, without the `impl` around them.
    pub(crate) copies: Vec<TokenStream>,
}

/// Walks the methods of an impl, plans, and walks again to make the copies.
pub(crate) fn trace(cx: &Ctxt, model: &Model, item: &ItemImpl, main: &Main<'_>, sites: &TokenStream) -> Traced {
    let levels: Vec<_> = model.fields.iter().map(|f| RefCell::new(levels::levels(&f.ty).0)).collect();
    let methods = methods::with_self(item, main.method);
    let names: HashSet<String> = methods.iter().map(|m| m.sig.ident.to_string()).collect();
    let mut walked = Vec::new();
    for method in &methods {
        let mut method = (*method).clone();
        let mut walker = Walker::new(cx, this(&method), model, &levels, &names, None);
        walker.tap_parameters(method.sig.inputs.iter_mut());
        walker.block(&mut method.block);
        tap::misplaced(&walker, &method);
        walked.push(Walked { name: method.sig.ident.to_string(), events: walker.events });
    }
    let plan = plan::plan(cx, model, &levels, &walked);
    let copied =
        methods.iter().enumerate().filter(|(i, m)| *i == 0 || plan.instrumented.contains(&m.sig.ident.to_string()));
    let copies = copied
        .map(|(place, method)| {
            let walker = Walker::new(cx, this(method), model, &levels, &names, Some(&plan));
            copy(walker, (*method).clone(), place == 0, sites)
        })
        .collect();
    Traced { plan, copies }
}

fn this(method: &ImplItemFn) -> syn::Ident {
    let receiver = method.sig.receiver().expect("only methods with `self` are walked");
    syn::Ident::new("self", receiver.self_token.span)
}

/// What the copy keeps of a method's attributes: what decides whether it is there, and lints. Others may do anything.
fn copied_attribute(attr: &syn::Attribute) -> Option<TokenStream> {
    let is = |names: &[&str]| names.iter().any(|name| attr.path().is_ident(name));
    match &attr.meta {
        // An expected warning may not come a second time.
        syn::Meta::List(list) if is(&["expect"]) => {
            let lints = &list.tokens;
            Some(quote!(#[allow(#lints)]))
        }
        _ => is(&["cfg", "allow", "warn", "deny"]).then(|| quote!(#attr)),
    }
}

/// The copy of a method that taps:
/// ```ignore
/// fn __taper_forward(&self, x: &Tensor, at: At<'_, '_, '_, BlockSites>) -> Result<Tensor> {
///     use ::taper::__private::calls::*;
///     let At { sites, pass } = at;
///     if let Some(v) = pass.supplied(&sites.output) { return pass.output(&sites.output, Ok(v)); }
///     let output: Result<Tensor> = 'forward: { … };
///     pass.output(&sites.output, output)
/// }
/// ```
fn copy(mut walker: Walker<'_>, mut method: ImplItemFn, is_main: bool, sites_ty: &TokenStream) -> TokenStream {
    let taps = walker.tap_parameters(method.sig.inputs.iter_mut());
    walker.block(&mut method.block);
    let krate = walker.krate;
    let [at, sites, pass, output, v] = ["at", "sites", "pass", "output", "__v"].map(local);
    let body = &method.block;
    let label = walker.returns.then(|| {
        let label = syn::Lifetime::new("'forward", Span::mixed_site());
        quote!(#label:)
    });
    let returned = match &method.sig.output {
        syn::ReturnType::Type(_, ty) => quote!(#ty),
        syn::ReturnType::Default => quote!(()),
    };
    let run = match is_main {
        true => quote! {
            if let #krate::__private::Some(#v) = #pass.supplied(&#sites.output) {
                return #pass.output(&#sites.output, #krate::__private::Ok(#v));
            }
            #(#taps)*
            let #output: #returned = #label #body;
            #pass.output(&#sites.output, #output)
        },
        false => quote!(#(#taps)* #label #body),
    };
    let mut sig = method.sig.clone();
    sig.ident = calls::hidden_name(&sig.ident);
    let argument: FnArg = syn::parse_quote!(#at: #krate::__private::At<'_, '_, '_, #sites_ty>);
    sig.inputs.push(argument);
    let vis = &walker.model.vis;
    let attrs = method.attrs.iter().filter_map(copied_attribute);
    quote! {
        #(#attrs)*
        #[doc(hidden)]
        #vis #sig {
            use #krate::__private::calls::*;
            let #krate::__private::At { #sites, #pass } = #at;
            #run
        }
    }
}
