//! The loader: `Name::load(vb, &cfg)`, and the trait through which a model of models finds it.

use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::visit_mut::VisitMut;
use syn::{GenericParam, Generics, Ident, Lifetime, Type, WherePredicate, parse_quote};

use crate::model::check::has_loader;
use crate::model::ir::{Field, Load, Model};
use crate::model::types::{Holds, holds};

mod field;
mod tokens;

#[cfg(test)]
mod tests;

pub(crate) use tokens::{free_mention, located_at, mixed};

/// The loader of `model`, if it has one.
///
/// ```text
/// expands to:
/// impl Attention {
///     /// Loads the weights: …
///     pub fn load(vb: VarBuilder<'_>, cfg: &Config) -> LoadResult<Self> {
///         let _ = (&vb, cfg);
///         let __taper_field_qkv: Linear = linear(cfg.n_embd, 3 * cfg.n_embd, vb.pp("c_attn"))?;
///         let __taper_field_n_head: usize = cfg.n_head;
///         Ok(Self { qkv: __taper_field_qkv, n_head: __taper_field_n_head })
///     }
/// }
/// impl<'__taper_vb> Load<VarBuilder<'__taper_vb>, Config> for Attention {
///     fn load(vb: VarBuilder<'__taper_vb>, cfg: &Config) -> LoadResult<Self> {
///         Self::load(vb, cfg)
///     }
/// }
/// ```
pub(crate) fn expand(model: &Model) -> Option<TokenStream> {
    if !has_loader(model) {
        return None;
    }
    let loader = Loader::new(model);
    let inherent = loader.inherent();
    let by_trait = loader.by_trait();
    Some(quote!(#inherent #by_trait))
}

/// What both impls are made of.
struct Loader<'m> {
    model: &'m Model,
    private: TokenStream,
    name: Ident,
    /// The builder's type, its anonymous lifetimes named `'__taper_vb`.
    builder: Type,
    /// The builder's type as it was written, which reads better in the docs.
    written: Type,
    /// `'__taper_vb` if the builder's type mentions it.
    lifetime: Option<Lifetime>,
    /// `M: Load<…>` for the fields of a generic type that their type's loader loads.
    bounds: Vec<WherePredicate>,
    vb: Ident,
    cfg: Ident,
}

impl<'m> Loader<'m> {
    fn new(model: &'m Model) -> Self {
        let krate = &model.options.krate;
        let private = quote!(#krate::__private);
        let mut builder = match &model.options.vb {
            Some(builder) => builder.clone(),
            None => parse_quote!(#private::candle_nn::VarBuilder<'_>),
        };
        let written = builder.clone();
        let mut named = NameLifetimes { found: None };
        named.visit_type_mut(&mut builder);
        let mut loader = Loader {
            name: model.options.rename.load.clone().unwrap_or_else(|| format_ident!("load")),
            lifetime: named.found,
            bounds: Vec::new(),
            vb: Ident::new("vb", proc_macro2::Span::mixed_site()),
            cfg: Ident::new("cfg", proc_macro2::Span::mixed_site()),
            model,
            private,
            builder,
            written,
        };
        loader.bounds = loader.bounds();
        loader
    }

    fn bounds(&self) -> Vec<WherePredicate> {
        let (private, builder) = (&self.private, &self.builder);
        let config = self.model.options.config.as_ref().map_or_else(|| quote!(()), |config| quote!(#config));
        let loaded = self.model.fields.iter().filter_map(|field| loaded_by_type(field));
        let generic = loaded.filter(|ty| mentions_parameter(ty, &self.model.generics));
        generic.map(|ty| parse_quote!(#ty: #private::Load<#builder, #config>)).collect()
    }

    fn inherent(&self) -> TokenStream {
        let Loader { model, private, name, bounds, vb, cfg, .. } = self;
        let (impl_generics, type_generics, where_clause) = model.generics.split_for_impl();
        let (vis, ident) = (&model.vis, &model.ident);
        let config = model.options.config.iter();
        // A bound needs the builder's lifetime by name.
        let (builder, lifetime) = match bounds.is_empty() {
            true => (&self.written, None),
            false => (&self.builder, self.lifetime.as_ref().map(|lifetime| quote!(<#lifetime>))),
        };
        let bounds = (!bounds.is_empty()).then(|| quote!(where #(#bounds),*));
        let used = match &model.options.config {
            Some(_) => quote!(let _ = (&#vb, #cfg);),
            None => quote!(let _ = &#vb;),
        };
        let fields = field::expand(self);
        quote! {
            impl #impl_generics #ident #type_generics #where_clause {
                /// Loads the weights: each field from below its own name, or its `#[prefix]`.
                ///
                /// # Errors
                /// Fails when a weight is missing or has another shape.
                #[allow(private_interfaces)]
                #vis fn #name #lifetime (#vb: #builder #(, #cfg: &#config)*) -> #private::LoadResult<Self> #bounds {
                    #used
                    #fields
                }
            }
        }
    }

    /// A model without a configuration can be part of one with any.
    fn by_trait(&self) -> TokenStream {
        let Loader { model, private, name, builder, lifetime, bounds, vb, cfg, .. } = self;
        let mut generics = model.generics.clone();
        if let Some(lifetime) = lifetime {
            generics.params.insert(0, parse_quote!(#lifetime));
        }
        if !bounds.is_empty() {
            generics.make_where_clause().predicates.extend(bounds.iter().cloned());
        }
        let (config, arguments) = match &model.options.config {
            Some(config) => (quote!(#config), quote!(#vb, #cfg)),
            None => {
                generics.params.push(parse_quote!(__TaperConfig: ?::core::marker::Sized));
                (quote!(__TaperConfig), quote!(#vb))
            }
        };
        let (impl_generics, _, where_clause) = generics.split_for_impl();
        let (_, type_generics, _) = model.generics.split_for_impl();
        let ident = &model.ident;
        let cfg = if model.options.config.is_some() { quote!(#cfg) } else { quote!(_) };
        quote! {
            impl #impl_generics #private::Load<#builder, #config> for #ident #type_generics #where_clause {
                fn load(#vb: #builder, #cfg: &#config) -> #private::LoadResult<Self> {
                    Self::#name(#arguments)
                }
            }
        }
    }
}

/// The type whose own loader the field's loader calls, if it calls one with the model's configuration.
fn loaded_by_type(field: &Field) -> Option<&Type> {
    match (&field.load, holds(&field.ty)) {
        (None, _) => Some(&field.ty),
        (Some(Load::Each { element: None, .. }), Holds::Vec(element) | Holds::Array(element)) => Some(element),
        (Some(Load::Maybe { inner: None, .. }), Holds::Option(element)) => Some(element),
        _ => None,
    }
}

fn mentions_parameter(ty: &Type, generics: &Generics) -> bool {
    let mut tokens = quote!(#ty).into_iter().collect::<Vec<_>>();
    while let Some(token) = tokens.pop() {
        match token {
            proc_macro2::TokenTree::Group(group) => tokens.extend(group.stream()),
            proc_macro2::TokenTree::Ident(ident) => {
                let is = |param: &GenericParam| matches!(param, GenericParam::Type(param) if param.ident == ident);
                if generics.params.iter().any(is) {
                    return true;
                }
            }
            _ => {}
        }
    }
    false
}

/// Gives the anonymous lifetimes of the builder's type a name, as a bound and an impl's header need one.
struct NameLifetimes {
    found: Option<Lifetime>,
}

impl NameLifetimes {
    fn named(&mut self, span: proc_macro2::Span) -> Lifetime {
        let lifetime = Lifetime::new("'__taper_vb", mixed(span));
        self.found = Some(lifetime.clone());
        lifetime
    }
}

impl VisitMut for NameLifetimes {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = self.named(lifetime.apostrophe);
        }
    }

    fn visit_type_reference_mut(&mut self, reference: &mut syn::TypeReference) {
        if reference.lifetime.is_none() {
            reference.lifetime = Some(self.named(reference.and_token.span));
        }
        syn::visit_mut::visit_type_reference_mut(self, reference);
    }
}
