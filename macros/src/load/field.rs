//! The body of the loader: one local a field, in the order of declaration, and the struct of them.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{Expr, Ident};

use super::Loader;
use super::tokens::{located_at, meet_fields, meet_parameters, mixed};
use crate::model::ir::{Field, Load};
use crate::model::types::{Holds, holds};

/// Where in the file something lies: below `base`, under `last`.
struct Place {
    base: Ident,
    last: Last,
}

enum Last {
    /// A dotted name; empty for the base itself.
    Name(String),
    /// The variable with an element's index.
    Index(Ident),
}

/// `let __taper_field_a: A = …; … Ok(Self { a: __taper_field_a, … })`.
pub(super) fn expand(loader: &Loader) -> TokenStream {
    let fields = &loader.model.fields;
    let lets = fields.iter().enumerate().map(|(at, field)| {
        let (local, ty) = (local(field), &field.ty);
        let value = loader.value(field, &fields[..at]);
        quote!(let #local: #ty = #value;)
    });
    let names = fields.iter().map(|field| &field.ident);
    let locals = fields.iter().map(local);
    quote! {
        #(#lets)*
        ::core::result::Result::Ok(Self { #(#names: #locals),* })
    }
}

fn local(field: &Field) -> Ident {
    format_ident!("__taper_field_{}", field.ident.unraw(), span = Span::mixed_site())
}

impl Loader<'_> {
    fn value(&self, field: &Field, earlier: &[Field]) -> TokenStream {
        let last = field.prefix.as_ref().map_or_else(|| field.name(), syn::LitStr::value);
        let place = Place { base: self.vb.clone(), last: Last::Name(last) };
        let span = mixed(field.ty.span());
        match &field.load {
            None => {
                let loaded = self.by_type(&field.ty, &place, span);
                quote_spanned!(span=> #loaded?)
            }
            Some(Load::Config(config)) => {
                let loaded = self.by_config(&field.ty, &place, config, span);
                quote_spanned!(span=> #loaded?)
            }
            Some(Load::Value(value)) => meet_parameters(value.to_token_stream()),
            Some(Load::Expr(value)) => expr(value, earlier),
            Some(load) => {
                let loaded = self.loaded(load, &place, span, 0);
                let array = matches!((load, holds(&field.ty)), (Load::Each { .. }, Holds::Array(_)));
                let (private, name) = (self.private_at(span), field.name());
                let end = end_of(load, span);
                let loaded = quote_spanned!(end=> #loaded?);
                if array { quote_spanned!(span=> #private::into_array(#loaded, #name)?) } else { loaded }
            }
        }
    }

    /// The loader as an expression of some `Result`.
    fn loaded(&self, load: &Load, place: &Place, span: Span, depth: usize) -> TokenStream {
        let private = self.private_at(span);
        match load {
            Load::Ctor(call) => {
                let mut call = call.clone();
                let builder = self.builder_at(place);
                call.args.push(Expr::Verbatim(builder));
                meet_parameters(call.into_token_stream())
            }
            Load::Tensor { shape } => {
                let shape = meet_parameters(shape.to_token_stream());
                self.tensor(&shape, place, mixed(shape.span()))
            }
            Load::Each { count, element } => {
                let element = element.as_ref().map(|(pattern, load)| (pattern, &**load));
                self.each(count, element, place, span, depth)
            }
            Load::Maybe { cond, inner } => {
                let cond = meet_parameters(cond.to_token_stream());
                let inner = self.inner(inner.as_deref(), place, span, depth);
                quote_spanned!(span=> #private::load_maybe(#cond, || #inner))
            }
            Load::Config(config) => self.by_config(&quote_spanned!(span=> _), place, config, span),
            Load::Value(value) | Load::Expr(value) => {
                let value = meet_parameters(value.to_token_stream());
                quote_spanned!(span=> ::core::result::Result::Ok(#value))
            }
        }
    }

    /// ```text
    /// expands to:
    /// load_each(vb.pp("blocks"), cfg.n_layer, |__taper_vb0, __taper_index0| {
    ///     let i = __taper_index0;
    ///     loaded(linear(cfg.width(i), 4, __taper_vb0.pp(__taper_index0)))
    /// })
    /// ```
    fn each(
        &self,
        count: &Expr,
        element: Option<(&syn::Pat, &Load)>,
        place: &Place,
        span: Span,
        depth: usize,
    ) -> TokenStream {
        let private = self.private_at(span);
        let vb = format_ident!("__taper_vb{depth}", span = Span::mixed_site());
        let index = format_ident!("__taper_index{depth}", span = Span::mixed_site());
        let count = meet_parameters(count.to_token_stream());
        let below = self.builder_at(place);
        let at = Place { base: vb.clone(), last: Last::Index(index.clone()) };
        let inner = self.inner(element.map(|(_, load)| load), &at, span, depth + 1);
        let pattern = element.map(|(pattern, _)| quote!(let #pattern = #index;));
        quote_spanned!(span=> #private::load_each(#below, #count, |#vb, #index| { let _ = #vb; #pattern #inner }))
    }

    /// An element's loader, its error made the loader's.
    fn inner(&self, load: Option<&Load>, place: &Place, span: Span, depth: usize) -> TokenStream {
        let private = self.private_at(span);
        match load {
            None => self.by_type(&quote_spanned!(span=> _), place, span),
            Some(load @ (Load::Ctor(_) | Load::Tensor { .. })) => {
                let loaded = self.loaded(load, place, span, depth);
                quote_spanned!(span=> #private::loaded(#loaded))
            }
            Some(load) => self.loaded(load, place, span, depth),
        }
    }

    /// The type's own loader, with the model's configuration, whose type is named so that a missing loader is the error.
    fn by_type(&self, ty: &impl ToTokens, place: &Place, span: Span) -> TokenStream {
        let (private, builder, cfg) = (self.private_at(span), self.builder_at(place), &self.cfg);
        match &self.model.options.config {
            Some(config) => quote_spanned!(span=> <#ty as #private::Load<_, #config>>::load(#builder, #cfg)),
            None => quote_spanned!(span=> <#ty as #private::Load<_, ()>>::load(#builder, &())),
        }
    }

    /// The type's own loader, with a configuration that the field gives.
    fn by_config(&self, ty: &impl ToTokens, place: &Place, config: &Expr, span: Span) -> TokenStream {
        let (private, builder) = (self.private_at(span), self.builder_at(place));
        let config = meet_parameters(config.to_token_stream());
        quote_spanned!(span=> <#ty as #private::Load<_, _>>::load(#builder, #config))
    }

    /// The path to the runtime, at `span`: an expression's place begins with its first token.
    fn private_at(&self, span: Span) -> TokenStream {
        located_at(&self.private, span)
    }

    /// `vb.pp("a.b")`; `pp` joins by dots itself. `Clone` need not be in scope, so it is called by its path.
    fn builder_at(&self, place: &Place) -> TokenStream {
        let base = &place.base;
        match &place.last {
            Last::Name(name) if name.is_empty() => quote!(::core::clone::Clone::clone(&#base)),
            Last::Name(name) => quote!(#base.pp(#name)),
            Last::Index(index) => quote!(#base.pp(#index)),
        }
    }

    /// A raw parameter: what is a module for a constructor is the tensor's own name here.
    fn tensor(&self, shape: &TokenStream, place: &Place, span: Span) -> TokenStream {
        let (private, base) = (self.private_at(span), &place.base);
        match &place.last {
            Last::Name(name) => match name.rsplit_once('.') {
                Some((module, name)) => quote_spanned!(span=> #base.pp(#module).get(#shape, #name)),
                None => quote_spanned!(span=> #base.get(#shape, #name)),
            },
            Last::Index(index) => quote_spanned!(span=> #base.get(#shape, &#private::index_name(#index))),
        }
    }
}

/// ```text
/// expands to:
/// { let wte = &__taper_field_wte; Linear::new(wte.embeddings().clone(), None) }
/// ```
fn expr(value: &Expr, earlier: &[Field]) -> TokenStream {
    let (value, mentioned) = meet_fields(value.to_token_stream(), earlier);
    if mentioned.is_empty() {
        return value;
    }
    let names = mentioned.iter().map(|field| {
        let mut name = field.ident.clone();
        name.set_span(Span::mixed_site());
        name
    });
    let locals = mentioned.iter().map(|field| local(field));
    quote!({ #(let #names = &#locals;)* #value })
}

/// Where the `?` stands: at the constructor, whose result it opens.
fn end_of(load: &Load, otherwise: Span) -> Span {
    match load {
        Load::Ctor(call) => mixed(call.func.span()),
        Load::Tensor { shape } => mixed(shape.span()),
        _ => otherwise,
    }
}
