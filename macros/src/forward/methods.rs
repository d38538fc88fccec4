//! Which methods an impl has, and what a `forward` must look like.

use std::borrow::Cow;

use proc_macro2::{TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{FnArg, GenericArgument, ImplItem, ImplItemFn, ItemImpl, PathArguments, ReceiverKind, ReturnType, Type};

use crate::ctxt::Ctxt;
use crate::model::ir::Model;

/// The forward of a model.
pub(crate) struct Main<'a> {
    pub(crate) item: &'a ItemImpl,
    pub(crate) method: &'a ImplItemFn,
    /// `Result<…>` as written.
    pub(crate) returned: &'a Type,
    /// What it returns if it does not fail.
    pub(crate) output: &'a Type,
    /// The trait, if the impl is one of candle's `Module` or `ModuleT`.
    pub(crate) of_trait: Option<&'a syn::Path>,
}

impl Main<'_> {
    /// The arguments after `self`.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &syn::PatType> {
        self.method.sig.inputs.iter().filter_map(|arg| match arg {
            FnArg::Typed(arg) => Some(arg),
            FnArg::Receiver(_) => None,
        })
    }

    /// Whether a pass changes what it is given, so that no part of it may be skipped.
    pub(crate) fn changes_arguments(&self) -> bool {
        self.arguments().any(|arg| mentions_mut(arg.ty.to_token_stream()))
    }
}

/// Whether a type has `&mut` anywhere: in an `Option`, in a tuple, or as what a `macro_rules!` was given.
fn mentions_mut(ty: TokenStream) -> bool {
    ty.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "mut",
        TokenTree::Group(group) => mentions_mut(group.stream()),
        TokenTree::Punct(_) | TokenTree::Literal(_) => false,
    })
}

/// Checks the signature of an impl's `forward`. What comes back is the impl with it put right where it is in error, so that
/// everything that other code names is generated all the same; nothing without a `forward`.
pub(crate) fn check_signature<'a>(cx: &Ctxt, model: &Model, item: &'a ItemImpl) -> Option<Cow<'a, ItemImpl>> {
    let Some(method) = find(item) else {
        cx.error(
            &item.self_ty,
            "this impl has no `forward`; move `#[forward]` to the one impl that has it, or name a method `forward`",
        );
        return None;
    };
    let sound = check_receiver(cx, method) & check_qualifiers(cx, method) & check_result(cx, method);
    Some(if sound { Cow::Borrowed(item) } else { Cow::Owned(put_right(model, item)) })
}

fn find(item: &ItemImpl) -> Option<&ImplItemFn> {
    let named = |name| {
        item.items.iter().find_map(|item| match item {
            ImplItem::Fn(function) if function.sig.ident == name => Some(function),
            _ => None,
        })
    };
    named("forward").or_else(|| named("forward_t"))
}

/// The forward of an impl whose signature is sound.
pub(crate) fn main(item: &ItemImpl) -> Option<Main<'_>> {
    let method = find(item)?;
    let ReturnType::Type(_, returned) = &method.sig.output else { return None };
    let output = output_of(returned)?;
    Some(Main { item, method, returned, output, of_trait: item.trait_.as_ref().map(|(path, _)| path) })
}

/// `fn forward(&self, …) -> Result<Tensor>`, its arguments as written.
fn put_right(model: &Model, item: &ItemImpl) -> ItemImpl {
    let mut item = item.clone();
    let name = find(&item).map(|method| method.sig.ident.clone());
    for method in &mut item.items {
        let ImplItem::Fn(ImplItemFn { sig, .. }) = method else { continue };
        if Some(&sig.ident) != name.as_ref() {
            continue;
        }
        (sig.asyncness, sig.constness, sig.safety) = (None, None, syn::Safety::Default);
        let arguments = sig.inputs.iter().filter(|arg| matches!(arg, FnArg::Typed(_)));
        sig.inputs = std::iter::once(syn::parse_quote!(&self)).chain(arguments.cloned()).collect();
        let fallible = matches!(&sig.output, ReturnType::Type(_, ty) if output_of(ty).is_some());
        if !fallible {
            let krate = &model.options.krate;
            let candle = quote!(#krate::__private::candle_core);
            sig.output = syn::parse_quote!(-> #candle::Result<#candle::Tensor>);
        }
    }
    item
}

fn check_receiver(cx: &Ctxt, method: &ImplItemFn) -> bool {
    let Some(receiver) = method.sig.receiver() else {
        cx.error(&method.sig.ident, "`forward` needs `&self`: it is a method of the model");
        return false;
    };
    let message = match &receiver.kind {
        ReceiverKind::Reference(_, _, None) if receiver.mutability.is_none() => return true,
        ReceiverKind::Reference(_, _, Some(_)) => {
            "a pass can't change the model, or two passes could not run at once; take `&self`, and what changes, such as \
             a cache, as an argument: `cache: &mut Cache`"
        }
        _ => "`forward` takes `&self`: a model outlives its passes",
    };
    cx.error(receiver, message);
    false
}

fn check_qualifiers(cx: &Ctxt, method: &ImplItemFn) -> bool {
    if let Some(token) = &method.sig.asyncness {
        cx.error(token, "`forward` can't be `async`: a pass runs to its end; await before or after it");
        return false;
    }
    if let Some(token) = &method.sig.constness {
        cx.error(token, "`forward` can't be `const`: tensors are computed at run time; leave `const` out");
        return false;
    }
    if let syn::Safety::Unsafe(token) = &method.sig.safety {
        cx.error(token, "`forward` can't be `unsafe`: its copy is called by safe code; put the `unsafe` block inside");
        return false;
    }
    true
}

fn check_result(cx: &Ctxt, method: &ImplItemFn) -> bool {
    const REMEDY: &str =
        "a pass can fail, and can stop early; return a `Result`, such as `candle_core::Result<Tensor>`";
    let name = &method.sig.ident;
    match &method.sig.output {
        ReturnType::Default => cx.error(name, format!("`{name}` returns nothing: {REMEDY}")),
        ReturnType::Type(_, returned) if output_of(returned).is_none() => {
            let shown = returned.to_token_stream().to_string().replace(' ', "");
            cx.error(returned, format!("`{name}` returns `{shown}`: {REMEDY}"));
        }
        ReturnType::Type(..) => return true,
    }
    false
}

/// What is in a `Result`.
fn output_of(returned: &Type) -> Option<&Type> {
    let Type::Path(path) = returned else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(args) = &last.arguments else { return None };
    if is_other(&last.ident) {
        return None;
    }
    args.args.iter().find_map(|arg| match arg {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}

/// Types with a parameter that are certainly no `Result`.
fn is_other(name: &syn::Ident) -> bool {
    ["Option", "Vec", "Box", "Arc", "Rc"].iter().any(|other| name == other)
}

/// The methods that can reach the model's fields, the main one first.
pub(crate) fn with_self<'a>(item: &'a ItemImpl, main: &'a ImplItemFn) -> Vec<&'a ImplItemFn> {
    let others = item.items.iter().filter_map(|item| match item {
        ImplItem::Fn(f) if f.sig.receiver().is_some() && f.sig.ident != main.sig.ident => Some(f),
        _ => None,
    });
    std::iter::once(main).chain(others).collect()
}
