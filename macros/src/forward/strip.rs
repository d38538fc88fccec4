//! The impl as the user wrote it, without the attributes that only `#[forward]` knows.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{ImplItemFn, ItemImpl};

/// Takes off `#[tap]`, `#[untapped]` and the doc comments of tapped values. Nothing else is touched.
pub(crate) fn strip(item: &ItemImpl) -> TokenStream {
    let mut item = item.clone();
    Strip.visit_item_impl_mut(&mut item);
    item.into_token_stream()
}

/// The same for a method alone.
pub(crate) fn strip_method(method: &mut ImplItemFn) {
    Strip.visit_impl_item_fn_mut(method);
}

struct Strip;

fn is_ours(attr: &syn::Attribute) -> bool {
    attr.path().is_ident("tap") || attr.path().is_ident("untapped")
}

impl VisitMut for Strip {
    fn visit_attributes_mut(&mut self, attrs: &mut Vec<syn::Attribute>) {
        attrs.retain(|a| !is_ours(a));
    }

    fn visit_local_mut(&mut self, local: &mut syn::Local) {
        local.attrs.retain(|a| !is_ours(a) && !a.path().is_ident("doc"));
        visit_mut::visit_local_mut(self, local);
    }

    fn visit_fn_arg_mut(&mut self, arg: &mut syn::FnArg) {
        if let syn::FnArg::Typed(arg) = arg
            && arg.attrs.iter().any(is_ours)
        {
            arg.attrs.retain(|a| !is_ours(a) && !a.path().is_ident("doc"));
        }
        visit_mut::visit_fn_arg_mut(self, arg);
    }

    /// Inside macros there are only tokens.
    fn visit_macro_mut(&mut self, mac: &mut syn::Macro) {
        mac.tokens = strip_tokens(mac.tokens.clone());
    }
}

fn strip_tokens(tokens: TokenStream) -> TokenStream {
    let mut kept: Vec<TokenTree> = Vec::new();
    for token in tokens {
        let TokenTree::Group(group) = token else {
            kept.push(token);
            continue;
        };
        let attribute = matches!(kept.last(), Some(TokenTree::Punct(p)) if p.as_char() == '#');
        let first = group.stream().into_iter().next();
        if attribute && matches!(first, Some(TokenTree::Ident(i)) if i == "tap" || i == "untapped") {
            kept.pop();
            continue;
        }
        let mut stripped = proc_macro2::Group::new(group.delimiter(), strip_tokens(group.stream()));
        stripped.set_span(group.span());
        kept.push(TokenTree::Group(stripped));
    }
    kept.into_iter().collect()
}
