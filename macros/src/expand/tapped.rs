//! What makes a model one that has taps: its sites are built, read and walked field by field.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::visit_mut::{self, VisitMut};
use syn::{Lifetime, Type};

use super::generics::split;
use super::{Entry, Input};
use crate::forward::plan::{Item, Plan};

/// `impl Tapped for Block` and `impl Tree for BlockSites`.
pub(crate) fn implementation(input: &Input<'_>, plan: &Plan) -> TokenStream {
    let Input { model, krate, taps, sites, generics, entries, .. } = input;
    let (impl_generics, _, where_clause) = split(&generics.generics);
    let (own_impl, own_ty, own_where) = split(&input.taken_over());
    let ty = &generics.ty;
    let name = model.ident.to_string();
    let stateful = stateful(input, plan);
    let build = entries.iter().map(|Entry { name, cfgs, build, .. }| quote!(#(#cfgs)* #name: #build));
    let read = entries.iter().map(
        |Entry { name, cfgs, .. }| quote!(#(#cfgs)* #name: #krate::__private::Tree::read_taps(&self.#name, reader)?),
    );
    let visit = entries.iter().map(|Entry { name, cfgs, site, .. }| {
        let shown = syn::ext::IdentExt::unraw(name).to_string();
        quote!(#(#cfgs)* visitor.field::<#site>(#shown, &value.#name);)
    });
    let data = own_data(input, plan);
    let first = first(input);
    let stateless = stateless(input, plan);
    quote! {
        impl #impl_generics #krate::Tapped for #ty #where_clause {
            type Taps = #taps #own_ty;
            type Sites = #sites #own_ty;
            const STATEFUL: bool = #stateful;

            fn __taper_sites(&self, b: &mut #krate::__private::Builder) -> Self::Sites {
                #(#data)*
                let scope = b.begin(::core::concat!(::core::module_path!(), "::", #name));
                let sites = #sites { #(#build,)* };
                b.end(scope);
                sites
            }
        }

        #stateless

        impl #own_impl #krate::__private::Tree for #sites #own_ty #own_where {
            type Value = #taps #own_ty;
            type Item = #krate::__private::candle_core::Tensor;

            fn span(&self) -> #krate::__private::Span {
                #first
                #krate::__private::Span { first, ..#krate::__private::Tree::span(&self.output) }
            }

            fn read_taps(&self, reader: &#krate::__private::Reader<'_>) -> #krate::__private::candle_core::Result<Self::Value> {
                #krate::__private::Ok(#taps { #(#read,)* })
            }

            fn visit(value: &Self::Value, visitor: &mut #krate::__private::Visitor<'_>) {
                #(#visit)*
            }
        }
    }
}

/// The index of the first site. Fields under `#[cfg]` may not be there, so those before the first certain one are asked
/// in turn, the first of all last.
fn first(input: &Input<'_>) -> TokenStream {
    let krate = input.krate;
    let certain = input.entries.iter().position(|e| e.cfgs.is_empty()).expect("the output is under no `#[cfg]`");
    let asked = input.entries[..=certain].iter().rev().map(
        |Entry { name, cfgs, .. }| quote!(#(#cfgs)* let first = #krate::__private::Tree::span(&self.#name).first;),
    );
    quote!(#(#asked)*)
}

/// Whether a pass has effects beside its values: its own, or those of a submodule.
fn stateful(input: &Input<'_>, plan: &Plan) -> TokenStream {
    if input.model.options.stateful || input.main.changes_arguments() {
        return quote!(true);
    }
    let krate = input.krate;
    let submodules = submodules(input, plan);
    quote!(false #(|| <#submodules as #krate::Tapped>::STATEFUL)*)
}

/// The types of the submodules, each once, however many fields are of it.
fn submodules(input: &Input<'_>, plan: &Plan) -> Vec<Type> {
    let mut seen = HashSet::new();
    let submodules = plan.order.iter().filter_map(|item| match item {
        Item::Field(index) if plan.fields[*index].as_ref().is_some_and(|f| f.leaf.is_none()) => {
            let ty = input.generics.of_field(input.model, &input.model.fields[*index].ty);
            seen.insert(ty.to_token_stream().to_string()).then_some(ty)
        }
        _ => None,
    });
    submodules.collect()
}

/// Tensors in the model's own data: whether they changed is seen like that of a layer's weights.
fn own_data(input: &Input<'_>, plan: &Plan) -> Vec<TokenStream> {
    let krate = input.krate;
    let data =
        input.model.fields.iter().zip(&plan.fields).filter(|(field, plan)| plan.is_none() && !is_primitive(&field.ty));
    data.map(|(field, _)| {
        let name = &field.ident;
        quote!(b.data(|| {
            #[allow(unused_imports, reason = "the inherent function hides the trait's for what is made of tensors")]
            use #krate::__private::borrowed_arguments::*;
            (&#krate::__private::Argument(&self.#name)).see()
        });)
    })
    .collect()
}

/// `impl Stateless`, if no submodule has effects. The bounds hold or do not; the lifetime lets them be written either way.
fn stateless(input: &Input<'_>, plan: &Plan) -> Option<TokenStream> {
    if input.model.options.stateful || input.main.changes_arguments() {
        return None;
    }
    let Input { krate, generics, .. } = input;
    let lifetime = Lifetime::new("'__taper_run", Span::mixed_site());
    let mut with_run = generics.generics.clone();
    with_run.params.insert(0, syn::parse_quote!(#lifetime));
    let (impl_generics, _, _) = split(&with_run);
    let predicates = generics.generics.where_clause.as_ref().map(|clause| {
        let predicates = clause.predicates.iter();
        quote!(#(#predicates,)*)
    });
    let (ty, submodules) = (&generics.ty, submodules(input, plan));
    Some(quote! {
        impl #impl_generics #krate::__private::Stateless<#lifetime> for #ty
        where
            #predicates
            #(#submodules: #krate::__private::Stateless<#lifetime>,)*
        {
        }
    })
}

/// Fields that are not called are no submodules, unless their type says so: then nothing in them would be tapped.
pub(crate) fn unmentioned_checks(input: &Input<'_>, plan: &Plan) -> TokenStream {
    let krate = input.krate;
    let checks = plan.unmentioned.iter().flat_map(|(index, span, fault)| {
        let ty = closed(input, &input.model.fields[*index].ty);
        parts(&ty).into_iter().filter(|ty| !is_primitive(ty)).map(move |ty| {
            quote_spanned! {*span=>
                const _: () = {
                    #[allow(unused_imports, reason = "the inherent constant hides the trait's where there are taps")]
                    use #krate::__private::HoldsNothing as _;
                    if #krate::__private::Holds::<#ty>::TAPS {
                        ::core::panic!(#fault)
                    }
                };
            }
        })
    });
    quote!(#(#checks)*)
}

/// The parts of a tuple or array, each of which may have taps.
fn parts(ty: &Type) -> Vec<Type> {
    match ty {
        Type::Tuple(t) => t.elems.iter().flat_map(parts).collect(),
        Type::Array(t) => parts(&t.elem),
        Type::Slice(t) => parts(&t.elem),
        Type::Paren(t) => parts(&t.elem),
        Type::Group(t) => parts(&t.elem),
        Type::Reference(t) => parts(&t.elem),
        other => vec![other.clone()],
    }
}

/// Types of the language, of which nothing needs to be asked.
fn is_primitive(ty: &Type) -> bool {
    const NAMES: &[&str] = &[
        "bool", "char", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16", "u32", "u64", "u128",
        "usize", "str",
    ];
    matches!(ty, Type::Path(p) if p.path.get_ident().is_some_and(|i| NAMES.iter().any(|n| i == n)))
        || matches!(ty, Type::FnPtr(_) | Type::TraitObject(_) | Type::Never(_))
}

/// The type as a module-level constant can name it: lifetimes are `'static`, parameters of values are 1.
fn closed(input: &Input<'_>, ty: &Type) -> Type {
    struct Close(Vec<String>);
    impl VisitMut for Close {
        fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
            *lifetime = Lifetime::new("'static", Span::mixed_site());
        }

        fn visit_expr_mut(&mut self, expr: &mut syn::Expr) {
            if let syn::Expr::Path(path) = &*expr
                && path.path.get_ident().is_some_and(|i| self.0.iter().any(|n| i == n))
            {
                *expr = syn::parse_quote!(1);
            }
        }

        fn visit_type_mut(&mut self, ty: &mut Type) {
            if let Type::Path(path) = &*ty
                && path.path.get_ident().is_some_and(|i| self.0.iter().any(|n| i == n))
            {
                *ty = Type::Verbatim(quote!(1));
                return;
            }
            visit_mut::visit_type_mut(self, ty);
        }
    }
    let mut ty = ty.clone();
    Close(input.model.generics.const_params().map(|p| p.ident.to_string()).collect()).visit_type_mut(&mut ty);
    ty
}
