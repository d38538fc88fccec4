//! The structs of taps and sites: which fields they have, of which types.

use proc_macro2::TokenStream;
use quote::{ToTokens, format_ident, quote};
use syn::{Ident, Type};

use super::generics::split;
use super::{Entry, Input};
use crate::forward::control::Often;
use crate::forward::levels::{Level, levels};
use crate::forward::plan::{FieldPlan, Item, Plan};
use crate::forward::{Method, Tap};

/// The fields of taps and sites, in the order in which a run first produces them, `output` last.
pub(crate) fn entries(input: &Input<'_>, plan: &Plan) -> Vec<Entry> {
    let fields = plan.order.iter().filter_map(|item| match item {
        Item::Field(index) => plan.fields[*index].as_ref().map(|plan| submodule(input, *index, plan)),
        Item::Tap(tap) => Some(value(input, tap)),
    });
    fields.chain([output(input)]).collect()
}

fn output(input: &Input<'_>) -> Entry {
    let (krate, ty) = (input.krate, input.main.output);
    let what = format!("What {} returns.", input.linked(&input.main.method.sig.ident));
    Entry {
        name: format_ident!("output"),
        docs: quote!(#[doc = #what]),
        cfgs: Vec::new(),
        site: quote!(#krate::Site<#ty>),
        value: quote!(#ty),
        build: quote!(b.tap("output")),
    }
}

fn value(input: &Input<'_>, tap: &Tap) -> Entry {
    let krate = input.krate;
    let ty = match &tap.ty {
        Some(ty) => quote!(#ty),
        None => quote!(#krate::__private::candle_core::Tensor),
    };
    let (site, value) = wrap(krate, tap.often, quote!(#krate::Site<#ty>), ty);
    let name = unraw(&tap.name);
    let docs = match tap.docs.as_slice() {
        [] => {
            let doc = format!("`{name}` in {}.", input.linked(&input.main.method.sig.ident));
            quote!(#[doc = #doc])
        }
        docs => quote!(#(#docs)*),
    };
    let note = often_note(tap.often);
    Entry {
        name: tap.name.clone(),
        docs: quote!(#docs #note),
        cfgs: tap.cfgs.clone(),
        site,
        value,
        build: quote!(b.tap(#name)),
    }
}

fn often_note(often: Often) -> Option<TokenStream> {
    match often {
        Often::Once => None,
        Often::Maybe => Some(quote!(#[doc = ""] #[doc = "`None` if the pass did not reach it."])),
        Often::Visits => Some(quote!(#[doc = ""] #[doc = "One for each time the pass reached it, in order."])),
    }
}

fn wrap(krate: &syn::Path, often: Often, site: TokenStream, value: TokenStream) -> (TokenStream, TokenStream) {
    match often {
        Often::Once => (site, value),
        Often::Maybe => (quote!(#krate::Maybe<#site>), quote!(#krate::__private::Option<#value>)),
        Often::Visits => (quote!(#krate::Visits<#site>), quote!(#krate::__private::Vec<#value>)),
    }
}

fn unraw(ident: &Ident) -> String {
    syn::ext::IdentExt::unraw(ident).to_string()
}

fn submodule(input: &Input<'_>, index: usize, plan: &FieldPlan) -> Entry {
    let field = &input.model.fields[index];
    let (krate, ident, name) = (input.krate, &field.ident, field.name());
    let ty = input.generics.of_field(input.model, &field.ty);
    let (site, value) = types_of(krate, plan, &ty);
    let place = quote!(&self.#ident);
    let build = match is_plain(plan) {
        true => quote!(b.field(#name, #place)),
        false => {
            let build = build(plan, &plan.levels, place);
            quote!(b.with(#name, |b| #build))
        }
    };
    let shown = shown(&field.ty);
    let what = match plan.levels.first() {
        Some(Level::Many) => {
            format!("What the elements of the field `{name}: {shown}` give, each at its place.")
        }
        _ => format!("What the field `{name}: {shown}` gives."),
    };
    let note =
        often_note(if plan.levels.last() == Some(&Level::Opt) { plan.often.max(Often::Maybe) } else { plan.often });
    Entry { name: field.ident.clone(), docs: quote!(#[doc = #what] #note), cfgs: Vec::new(), site, value, build }
}

/// A type as people write it: tokens print with spaces around everything.
fn shown(ty: &Type) -> String {
    let tokens = ty.to_token_stream().to_string();
    let joined = [" <", "< ", " >", " ::", ":: ", "& ", " ,", " ;", "[ ", " ]", "( ", " )"];
    joined.iter().fold(tokens, |shown, pair| shown.replace(pair, pair.trim()))
}

/// Whether the field's own `Tapped` makes the right sites.
fn is_plain(plan: &FieldPlan) -> bool {
    let absent_is_plain = plan.levels.last() == Some(&Level::Opt) && plan.often == Often::Maybe;
    (plan.often == Often::Once || absent_is_plain) && plan.leaf.is_none() && plan.method != Method::Seq
}

fn types_of(krate: &syn::Path, plan: &FieldPlan, ty: &Type) -> (TokenStream, TokenStream) {
    let (_, inner) = levels(ty);
    if !plan.written && is_plain(plan) {
        return (quote!(#krate::Sites<#ty>), quote!(#krate::Taps<#ty>));
    }
    let inner = match plan.written {
        true => quote!(#inner),
        // An alias: its elements are known to the compiler only.
        false => quote!(#krate::Elem<#inner>),
    };
    let (mut site, mut value) = match (&plan.leaf, plan.method) {
        (Some(value), _) => (quote!(#krate::Site<#value>), quote!(#value)),
        (None, Method::Forward) => (quote!(#krate::Sites<#inner>), quote!(#krate::Taps<#inner>)),
        (None, Method::Step) => (quote!(#krate::StepSites<#inner>), quote!(#krate::StepTaps<#inner>)),
        (None, Method::Seq) => (quote!(#krate::SeqSites<#inner>), quote!(#krate::SeqTaps<#inner>)),
    };
    let absent = plan.levels.last() == Some(&Level::Opt);
    (site, value) = wrap(krate, if absent { plan.often.max(Often::Maybe) } else { plan.often }, site, value);
    for _ in plan.levels.iter().filter(|l| **l == Level::Many) {
        (site, value) = (quote!(#krate::Each<#site>), quote!(#krate::__private::Vec<#value>));
    }
    (site, value)
}

/// What makes the sites of a field whose own `Tapped` does not.
fn build(plan: &FieldPlan, levels: &[Level], place: TokenStream) -> TokenStream {
    let valued = plan.leaf.is_some() || plan.method == Method::Seq;
    match levels {
        [Level::Many, rest @ ..] => {
            let element = build(plan, rest, quote!(m));
            let m = if valued && !rest.contains(&Level::Many) { quote!(_) } else { quote!(m) };
            quote!(b.each(#place, |b, #m| #element))
        }
        _ if valued => quote!(b.value()),
        [Level::Opt] if plan.often == Often::Visits => quote!(b.visits_option(#place)),
        [Level::Opt] => quote!(b.absent(#place)),
        _ => match plan.often {
            Often::Once => quote!(b.once(#place)),
            Often::Maybe => quote!(b.maybe(#place)),
            Often::Visits => quote!(b.visits(#place)),
        },
    }
}

/// The two structs.
pub(crate) fn structs(input: &Input<'_>) -> TokenStream {
    let Input { model, krate, taps, sites, entries, .. } = input;
    let vis = &model.vis;
    let generics = input.taken_over();
    let (_, _, where_clause) = split(&generics);
    let list = |site: bool| {
        let fields = entries.iter().map(|e| {
            let Entry { name, docs, cfgs, .. } = e;
            let ty = if site { &e.site } else { &e.value };
            quote!(#docs #(#cfgs)* #vis #name: #ty)
        });
        quote!(#(#fields,)*)
    };
    let (tap_fields, site_fields) = (list(false), list(true));
    let name = &model.ident;
    let taps_doc =
        format!("Every value of a pass of [`{name}`]: what [`{name}::{}`] gives.", input.functions().forward_with_taps);
    let sites_doc = format!(
        "Where the values of a pass of [`{name}`] are: what the closure of [`{name}::{}`] selects from.",
        input.functions().capture
    );
    // A derive would ask `Clone` of type parameters, whose taps and sites are what is cloned.
    let plain = generics.type_params().next().is_none();
    let (derive_taps, derive_sites) = match plain {
        true => (
            Some(quote!(#[derive(#krate::__private::Clone)])),
            Some(quote!(#[derive(#krate::__private::Clone, #krate::__private::Debug)])),
        ),
        false => (None, None),
    };
    let manual = (!plain).then(|| super::shown::manual(input));
    quote! {
        #[doc = #taps_doc]
        #derive_taps
        #[allow(private_interfaces, reason = "submodules may be more private than the model")]
        #vis struct #taps #generics #where_clause { #tap_fields }

        #[doc = #sites_doc]
        #derive_sites
        #[allow(private_interfaces, reason = "submodules may be more private than the model")]
        #vis struct #sites #generics #where_clause { #site_fields }

        #manual
    }
}
