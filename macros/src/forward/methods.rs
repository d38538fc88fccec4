//! Which methods an impl has, and what a `forward` must look like.

use quote::ToTokens;
use syn::spanned::Spanned;
use syn::{FnArg, GenericArgument, ImplItem, ImplItemFn, ItemImpl, PathArguments, ReceiverKind, ReturnType, Type};

use crate::ctxt::Ctxt;

/// The forward of a model.
pub(crate) struct Main<'a> {
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
        let mutable = |arg: &syn::PatType| matches!(&*arg.ty, Type::Reference(r) if r.mutability.is_some());
        self.arguments().any(mutable)
    }
}

/// Finds and checks the forward of an impl. Nothing is generated without one.
pub(crate) fn main<'a>(cx: &Ctxt, item: &'a ItemImpl) -> Option<Main<'a>> {
    let functions = || {
        item.items.iter().filter_map(|item| match item {
            ImplItem::Fn(function) => Some(function),
            _ => None,
        })
    };
    let named = |name: &str| functions().find(|f| f.sig.ident == name);
    let Some(method) = named("forward").or_else(|| named("forward_t")) else {
        cx.error(&item.self_ty, "this impl has no `forward`; `#[forward]` stands on the one impl that has it");
        return None;
    };
    let sound = check_receiver(cx, method) & check_qualifiers(cx, method);
    let (returned, output) = result(cx, method)?;
    sound.then_some(Main { method, returned, output, of_trait: item.trait_.as_ref().map(|(path, _)| path) })
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

/// The `Result` and what is in it.
fn result<'a>(cx: &Ctxt, method: &'a ImplItemFn) -> Option<(&'a Type, &'a Type)> {
    const REMEDY: &str =
        "a pass can fail, and can stop early; return a `Result`, such as `candle_core::Result<Tensor>`";
    let ReturnType::Type(_, returned) = &method.sig.output else {
        cx.error(&method.sig.ident, format!("`{}` returns nothing: {REMEDY}", method.sig.ident));
        return None;
    };
    let output = match &**returned {
        Type::Path(path) => path.path.segments.last().and_then(|last| match &last.arguments {
            PathArguments::AngleBracketed(args) if !is_other(&last.ident) => {
                args.args.iter().find_map(|arg| match arg {
                    GenericArgument::Type(ty) => Some(ty),
                    _ => None,
                })
            }
            _ => None,
        }),
        _ => None,
    };
    if output.is_none() {
        let shown = returned.to_token_stream().to_string();
        cx.error_at(returned.span(), format!("`{}` returns `{}`: {REMEDY}", method.sig.ident, shown.replace(' ', "")));
    }
    output.map(|output| (&**returned, output))
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
