//! `#[model(...)]`: keys, each at most once, with errors that do not hide one another.

use proc_macro2::TokenTree;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Attribute, Ident, Meta, Token};

use crate::ctxt::Ctxt;
use crate::model::symbols::{self, Place};
use crate::suggest;

/// A value that an attribute gives at most once.
pub(crate) struct Cell<'c, T> {
    cx: &'c Ctxt,
    name: &'static str,
    value: Option<T>,
}

impl<'c, T> Cell<'c, T> {
    pub(crate) fn new(cx: &'c Ctxt, name: &'static str) -> Self {
        Cell { cx, name, value: None }
    }

    /// The first value stays; a second one is an error at `spanned`.
    pub(crate) fn set(&mut self, spanned: impl ToTokens, value: T) {
        if self.value.is_some() {
            self.cx.error(spanned, format!("`{}` is given twice; keep one", self.name));
        } else {
            self.value = Some(value);
        }
    }

    pub(crate) fn is_set(&self) -> bool {
        self.value.is_some()
    }

    pub(crate) fn get(self) -> Option<T> {
        self.value
    }
}

/// Calls `read` for every key of one `#[model(...)]` that may stand at `place`; `read` parses what follows the key.
/// After an error it goes on behind the next comma.
pub(crate) fn each_key(
    cx: &Ctxt,
    attr: &Attribute,
    place: Place,
    mut read: impl FnMut(&Ident, ParseStream) -> syn::Result<()>,
) {
    let Meta::List(list) = &attr.meta else {
        return cx.error(&attr.meta, "`#[model]` takes its keys in parentheses; write `#[model(key)]`");
    };
    let mut failed = false;
    let parsed = list.parse_args_with(|input: ParseStream| {
        while !input.is_empty() {
            let key = input.call(Ident::parse_any).and_then(|key| {
                let meant = match known(&key, place) {
                    Ok(()) => key,
                    // Read as what was meant, so that a misspelled `sequential` still makes a `forward`.
                    Err(error) => {
                        failed = true;
                        cx.syn_error(error);
                        match meant(&key, place) {
                            Some(meant) => meant,
                            None => return Ok(()),
                        }
                    }
                };
                read(&meant, input)?;
                end_of_key(&meant, input)
            });
            if let Err(error) = key {
                failed = true;
                cx.syn_error(error);
            }
            skip_key(input)?;
        }
        Ok(())
    });
    // What an error left unread inside of parentheses is a second error to syn.
    if let (Err(error), false) = (parsed, failed) {
        cx.syn_error(error);
    }
}

/// Is `key` a key, and at the right place?
fn known(key: &Ident, place: Place) -> syn::Result<()> {
    let name = key.to_string();
    let message = match symbols::KEYS.iter().find(|(known, ..)| *known == name) {
        Some((_, found, _)) if *found == place => return Ok(()),
        Some((_, Place::Struct, written)) => {
            format!("`{name}` is a key of the struct; write `#[model({written})]` above the struct")
                .replace("` or `sequential", ")]` or `#[model(sequential")
        }
        Some((_, Place::Field, written)) => {
            format!("`{name}` is a key of a field; write `#[model({written})]` above a field")
                .replace("` or `leaf", ")]` or `#[model(leaf")
        }
        None => {
            let here = symbols::KEYS.iter().filter(|(_, at, _)| *at == place).map(|(key, ..)| *key);
            let list = format!("; the keys here are {}", quoted(here.clone()));
            format!("`{name}` is not a key of `#[model]`{}", suggest::hint(&name, here, &list))
        }
    };
    Err(syn::Error::new(key.span(), message))
}

/// The key that a misspelled one is near.
fn meant(key: &Ident, place: Place) -> Option<Ident> {
    let here = symbols::KEYS.iter().filter(|(_, at, _)| *at == place).map(|(key, ..)| *key);
    suggest::did_you_mean(&key.to_string(), here).map(|near| Ident::new(near, key.span()))
}

/// What follows a key is a comma or the end.
fn end_of_key(key: &Ident, input: ParseStream) -> syn::Result<()> {
    if input.is_empty() || input.peek(Token![,]) {
        return Ok(());
    }
    let message = format!("`{key}` is written `{}`; remove what follows", symbols::written(&key.to_string()));
    Err(syn::Error::new(input.span(), message))
}

/// Skips to behind the next comma.
fn skip_key(input: ParseStream) -> syn::Result<()> {
    while !input.is_empty() {
        if matches!(input.parse::<TokenTree>()?, TokenTree::Punct(punct) if punct.as_char() == ',') {
            break;
        }
    }
    Ok(())
}

/// `= value` after `key`; a missing one is reported at the key, with how the key is written.
pub(crate) fn value<T: Parse>(key: &Ident, input: ParseStream) -> syn::Result<T> {
    let missing = || {
        let name = key.to_string();
        syn::Error::new(key.span(), format!("`{name}` has no value; write `{}`", symbols::written(&name)))
    };
    if !input.peek(Token![=]) {
        return Err(missing());
    }
    input.parse::<Token![=]>()?;
    if input.is_empty() || input.peek(Token![,]) {
        return Err(missing());
    }
    input.parse()
}

/// `a`, `b` and `c`.
pub(crate) fn quoted<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => words.join(""),
    }
}
