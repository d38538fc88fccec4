//! The generics of an impl, and those that the generated structs take over.

use std::collections::HashSet;

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::visit::{self, Visit};
use syn::visit_mut::{self, VisitMut};
use syn::{GenericArgument, GenericParam, Generics, ItemImpl, Lifetime, PathArguments, Type, WherePredicate};

use crate::model::ir::Model;

/// Generics and type of an impl, every lifetime named.
pub(crate) struct ImplGenerics {
    pub(crate) generics: Generics,
    pub(crate) ty: Type,
}

impl ImplGenerics {
    pub(crate) fn of(item: &ItemImpl) -> Self {
        let mut generics = item.generics.clone();
        let mut ty = (*item.self_ty).clone();
        let mut naming = NameLifetimes(Vec::new());
        naming.visit_type_mut(&mut ty);
        for lifetime in naming.0 {
            generics.params.insert(0, syn::parse_quote!(#lifetime));
        }
        ImplGenerics { generics, ty }
    }

    /// The type of a field, in the impl's own parameters.
    pub(crate) fn of_field(&self, model: &Model, ty: &Type) -> Type {
        let arguments = match &self.ty {
            Type::Path(path) => path.path.segments.last().map(|last| &last.arguments),
            _ => None,
        };
        let Some(PathArguments::AngleBracketed(arguments)) = arguments else { return ty.clone() };
        let pairs = model.generics.params.iter().zip(&arguments.args);
        let mut substitute = Substitute(pairs.map(|(param, arg)| (name_of(param), arg.clone())).collect());
        let mut ty = ty.clone();
        substitute.visit_type_mut(&mut ty);
        ty
    }

    /// The generics that types mention, for a struct of them.
    pub(crate) fn mentioned_in(&self, types: &[TokenStream]) -> Generics {
        let mut kept = Mentions::default();
        types.iter().for_each(|ty| kept.tokens(ty.clone()));
        let mut generics = Generics::default();
        let params = self.generics.params.iter().filter(|param| kept.0.contains(&name_of(param)));
        generics.params = params.cloned().collect();
        if let Some(clause) = &self.generics.where_clause {
            let own: HashSet<String> = self.generics.params.iter().map(name_of).collect();
            let fits = |predicate: &WherePredicate| {
                let mut mentions = Mentions::default();
                mentions.tokens(predicate.to_token_stream());
                let mut mentioned = mentions.0.intersection(&own).peekable();
                mentioned.peek().is_some() && mentioned.all(|name| kept.0.contains(name))
            };
            let predicates: Vec<_> = clause.predicates.iter().filter(|p| fits(p)).collect();
            if !predicates.is_empty() {
                generics.where_clause = Some(syn::parse_quote!(where #(#predicates),*));
            }
        }
        generics
    }
}

fn name_of(param: &GenericParam) -> String {
    match param {
        GenericParam::Lifetime(p) => p.lifetime.to_string(),
        GenericParam::Type(p) => p.ident.to_string(),
        GenericParam::Const(p) => p.ident.to_string(),
    }
}

/// Every identifier and lifetime of some tokens.
#[derive(Default)]
struct Mentions(HashSet<String>);

impl Mentions {
    fn tokens(&mut self, tokens: TokenStream) {
        let mut quote = false;
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Group(group) => self.tokens(group.stream()),
                proc_macro2::TokenTree::Ident(ident) => {
                    let name = ident.to_string();
                    self.0.insert(if quote { format!("'{name}") } else { name });
                    quote = false;
                }
                proc_macro2::TokenTree::Punct(punct) => quote = punct.as_char() == '\'',
                proc_macro2::TokenTree::Literal(_) => quote = false,
            }
        }
    }
}

struct NameLifetimes(Vec<Lifetime>);

impl VisitMut for NameLifetimes {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            *lifetime = Lifetime::new(&format!("'__taper{}", self.0.len()), Span::mixed_site());
            self.0.push(lifetime.clone());
        }
    }
}

struct Substitute(Vec<(String, GenericArgument)>);

impl Substitute {
    fn find(&self, name: &str) -> Option<&GenericArgument> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, arg)| arg)
    }
}

impl VisitMut for Substitute {
    fn visit_type_mut(&mut self, ty: &mut Type) {
        if let Type::Path(path) = &*ty
            && path.qself.is_none()
            && let Some(name) = path.path.get_ident()
            && let Some(GenericArgument::Type(found)) = self.find(&name.to_string())
        {
            *ty = found.clone();
            return;
        }
        visit_mut::visit_type_mut(self, ty);
    }

    fn visit_expr_mut(&mut self, expr: &mut syn::Expr) {
        if let syn::Expr::Path(path) = &*expr
            && let Some(name) = path.path.get_ident()
        {
            match self.find(&name.to_string()) {
                Some(GenericArgument::Const(found)) => *expr = found.clone(),
                Some(GenericArgument::Type(Type::Path(found))) => *expr = syn::parse_quote!(#found),
                _ => {}
            }
            return;
        }
        visit_mut::visit_expr_mut(self, expr);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if let Some(GenericArgument::Lifetime(found)) = self.find(&lifetime.to_string()) {
            *lifetime = found.clone();
        }
    }
}

/// The type with every lifetime that is elided or the method's own replaced by one of ours.
pub(crate) fn with_lifetime(ty: &Type, own: &Generics, lifetime: &Lifetime) -> Type {
    struct Fill<'a>(&'a Lifetime, HashSet<String>);
    impl VisitMut for Fill<'_> {
        fn visit_lifetime_mut(&mut self, found: &mut Lifetime) {
            if found.ident == "_" || self.1.contains(&found.to_string()) {
                *found = self.0.clone();
            }
        }

        fn visit_type_reference_mut(&mut self, ty: &mut syn::TypeReference) {
            ty.lifetime.get_or_insert_with(|| self.0.clone());
            visit_mut::visit_type_reference_mut(self, ty);
        }

        // What is elided there is any lifetime.
        fn visit_type_fn_ptr_mut(&mut self, _: &mut syn::TypeFnPtr) {}

        fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut syn::ParenthesizedGenericArguments) {}
    }
    let mut ty = ty.clone();
    Fill(lifetime, own.lifetimes().map(|l| l.lifetime.to_string()).collect()).visit_type_mut(&mut ty);
    ty
}

/// Whether a type mentions one of the parameters, or is an `impl Trait`.
pub(crate) fn is_open(ty: &Type) -> bool {
    struct Open(bool);
    impl<'ast> Visit<'ast> for Open {
        fn visit_type_impl_trait(&mut self, ty: &'ast syn::TypeImplTrait) {
            self.0 = true;
            visit::visit_type_impl_trait(self, ty);
        }
    }
    let mut open = Open(false);
    open.visit_type(ty);
    open.0
}

/// `impl<…>`, `<…>` and `where …`, as tokens.
pub(crate) fn split(generics: &Generics) -> (TokenStream, TokenStream, TokenStream) {
    let (a, b, c) = generics.split_for_impl();
    (quote!(#a), quote!(#b), quote!(#c))
}
