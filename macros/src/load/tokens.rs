//! Tokens of the user's loaders, made to meet the bindings of the generated function.
//!
//! The tokens may come from a `macro_rules!`, and then carry its hygiene; the bindings carry the derive's. So every
//! `cfg` and `vb`, and in `expr` the names of earlier fields, are given the derive's.

use proc_macro2::{Delimiter, Group, Ident, Spacing, Span, TokenStream, TokenTree};
use syn::ext::IdentExt;

use crate::model::ir::Field;

/// The names that every loader may mention.
const BUILTIN: [&str; 2] = ["cfg", "vb"];

/// `span` with the hygiene of the generated bindings.
pub(crate) fn mixed(span: Span) -> Span {
    span.resolved_at(Span::mixed_site())
}

/// `tokens` at the place of `span`, their hygiene kept.
pub(crate) fn located_at(tokens: &TokenStream, span: Span) -> TokenStream {
    let moved = tokens.clone().into_iter().map(|mut token| {
        token.set_span(token.span().located_at(span));
        token
    });
    moved.collect()
}

/// Where `tokens` first mention the value `name`, unless they may bind it themselves.
pub(crate) fn free_mention(tokens: TokenStream, name: &str) -> Option<Span> {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let binds = |token: &TokenTree| match token {
        TokenTree::Punct(punct) => punct.as_char() == '|',
        TokenTree::Ident(ident) => ident == "let" || ident == "match",
        _ => false,
    };
    if tokens.iter().any(binds) {
        return None;
    }
    tokens.iter().enumerate().find_map(|(at, token)| match token {
        TokenTree::Ident(ident) if ident == name && place(&tokens, at) == Place::Value => Some(ident.span()),
        TokenTree::Group(group) => free_mention(group.stream(), name),
        _ => None,
    })
}

/// `tokens` with every `cfg` and `vb` meeting the function's parameters.
pub(crate) fn meet_parameters(tokens: TokenStream) -> TokenStream {
    rewrite(tokens, &mut |ident, _| BUILTIN.iter().any(|name| ident == name))
}

/// The same for `expr`, and which of the `earlier` fields it mentions. A field that is called `cfg` or `vb` is not in
/// scope: these are the configuration and the builder. Neither is one in the place of a called function
/// (`linear(4, 4, vb)?`), so that a field may have its constructor's name.
pub(crate) fn meet_fields(tokens: TokenStream, earlier: &[Field]) -> (TokenStream, Vec<&Field>) {
    let mut mentioned: Vec<&Field> = Vec::new();
    let tokens = rewrite(tokens, &mut |ident, place| {
        if BUILTIN.iter().any(|name| ident == name) {
            return true;
        }
        let name = ident.unraw();
        let field = earlier.iter().find(|field| field.ident.unraw() == name).filter(|_| place == Place::Value);
        mentioned.extend(field.filter(|field| !mentioned.iter().any(|known| known.ident == field.ident)));
        field.is_some()
    });
    (tokens, mentioned)
}

/// What an identifier names, as far as its neighbours tell.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Value,
    /// A member, a segment of a path, a function or a macro.
    Other,
}

fn rewrite(tokens: TokenStream, ours: &mut dyn FnMut(&Ident, Place) -> bool) -> TokenStream {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let place_of = |at: usize| place(&tokens, at);
    let rewritten = tokens.iter().enumerate().map(|(at, token)| match token {
        TokenTree::Ident(ident) if ours(ident, place_of(at)) => {
            let mut ident = ident.clone();
            ident.set_span(mixed(ident.span()));
            TokenTree::Ident(ident)
        }
        TokenTree::Group(group) => {
            let mut inner = Group::new(group.delimiter(), rewrite(group.stream(), ours));
            inner.set_span(group.span());
            TokenTree::Group(inner)
        }
        other => other.clone(),
    });
    rewritten.collect()
}

fn place(tokens: &[TokenTree], at: usize) -> Place {
    let punct = |at: Option<usize>| match at.and_then(|at| tokens.get(at)) {
        Some(TokenTree::Punct(punct)) => Some((punct.as_char(), punct.spacing())),
        _ => None,
    };
    let before = punct(at.checked_sub(1)).map(|(sign, _)| sign);
    let second_before = punct(at.checked_sub(2));
    let after = punct(Some(at + 1));
    let second_after = punct(Some(at + 2)).map(|(sign, _)| sign);
    // `a.name`, but not `..name`
    let member = before == Some('.') && second_before != Some(('.', Spacing::Joint));
    let in_path = (before == Some(':') && second_before == Some((':', Spacing::Joint)))
        || (after == Some((':', Spacing::Joint)) && second_after == Some(':'));
    // `name: value` in a literal, `name!(…)`; `name != x` is joint
    let key = after == Some((':', Spacing::Alone)) || after == Some(('!', Spacing::Alone));
    let called =
        matches!(tokens.get(at + 1), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis);
    if member || in_path || key || called { Place::Other } else { Place::Value }
}
