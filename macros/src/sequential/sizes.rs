//! The sizes of neighbouring layers of a sequential model, compared while compiling.
//!
//! Only what is known counts: two constructors of candle-nn with literal or constant sizes, and nothing between that
//! could change the axis. Whether a `linear` is candle-nn's is left to the type checker.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Expr, ExprPath, GenericParam, Generics, Lit};

use crate::load::mixed;
use crate::model::check::is_layer;
use crate::model::ir::{Load, Model};
use crate::model::types::ungroup_expr;

use super::steps::keeps;

/// The axis that a layer's sizes are about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Axis {
    /// The last one: features.
    Last,
    /// The second one: channels.
    Channels,
}

/// A constructor of candle-nn.
struct Known {
    name: &'static str,
    axis: Axis,
    /// How many arguments it has, without the builder.
    args: usize,
    /// The argument that is the size it takes; `None` for token ids.
    takes: Option<usize>,
    gives: usize,
    /// Its second argument is anything that becomes a configuration: known for a number only.
    generic: bool,
}

const fn known(name: &'static str, axis: Axis, args: usize, takes: Option<usize>, gives: usize) -> Known {
    Known { name, axis, args, takes, gives, generic: false }
}

const fn generic(name: &'static str, axis: Axis) -> Known {
    Known { name, axis, args: 2, takes: Some(0), gives: 0, generic: true }
}

/// Transposed convolutions are missing: with groups they give more channels than their argument says.
const CONSTRUCTORS: &[Known] = &[
    known("linear", Axis::Last, 2, Some(0), 1),
    known("linear_no_bias", Axis::Last, 2, Some(0), 1),
    known("linear_b", Axis::Last, 3, Some(0), 1),
    known("embedding", Axis::Last, 2, None, 1),
    generic("layer_norm", Axis::Last),
    known("layer_norm_no_bias", Axis::Last, 2, Some(0), 0),
    known("rms_norm", Axis::Last, 2, Some(0), 0),
    known("conv1d", Axis::Channels, 4, Some(0), 1),
    known("conv1d_no_bias", Axis::Channels, 4, Some(0), 1),
    known("conv2d", Axis::Channels, 4, Some(0), 1),
    known("conv2d_no_bias", Axis::Channels, 4, Some(0), 1),
    generic("batch_norm", Axis::Channels),
    known("group_norm", Axis::Channels, 3, Some(1), 1),
];

/// A layer whose constructor is one of [`CONSTRUCTORS`], with sizes that are constants.
struct Layer<'m> {
    known: &'static Known,
    path: &'m ExprPath,
    /// The second argument of a generic constructor.
    number: Option<&'m Expr>,
    takes: Option<&'m Expr>,
    gives: Option<&'m Expr>,
}

/// The comparisons, for every two neighbours that can be compared.
///
/// ```text
/// expands to:
/// const _: fn() = || {
///     use sizes::Differ as _;
///     sizes::follows::<256, 255, _>((
///         sizes::Pair(sizes::takes_2(linear), candle_nn::linear).whose(),
///         sizes::Pair(sizes::takes_2(linear), candle_nn::linear).whose(),
///     ));
/// };
/// ```
pub(crate) fn size_checks(model: &Model) -> TokenStream {
    let options = &model.options;
    // A builder of another type is not one that candle-nn's constructors take.
    if options.sequential.is_none() || options.unchecked || options.vb.is_some() {
        return TokenStream::new();
    }
    let krate = &options.krate;
    let private = quote!(#krate::__private);
    let mut checks = Vec::new();
    let mut before: Option<Layer> = None;
    for field in model.fields.iter().filter(|field| is_layer(field)) {
        let layer = match &field.load {
            Some(Load::Ctor(call)) => layer(call, &model.generics),
            _ => None,
        };
        if let (Some(before), Some(layer)) = (&before, &layer) {
            checks.extend(comparison(before, layer, &private));
        }
        let kept = |layer: &Layer| field.then.iter().all(|step| keeps(layer.known.axis, &step.step));
        before = layer.filter(kept);
    }
    if checks.is_empty() {
        return TokenStream::new();
    }
    quote! {
        const _: fn() = || {
            #[allow(unused_imports)]
            use #private::sizes::Differ as _;
            #(#checks)*
        };
    }
}

fn layer<'m>(call: &'m syn::ExprCall, generics: &Generics) -> Option<Layer<'m>> {
    let Expr::Path(path) = ungroup_expr(&call.func) else { return None };
    let last = path.path.segments.last().filter(|last| last.arguments.is_none())?;
    let known = CONSTRUCTORS.iter().find(|known| last.ident == known.name && call.args.len() == known.args)?;
    if path.qself.is_some() || path.path.segments.first()?.ident == "Self" {
        return None;
    }
    let number = known.generic.then(|| &call.args[1]);
    if number.is_some_and(|number| !is_float(number)) {
        return None;
    }
    let size = |at: usize| call.args.get(at).map(ungroup_expr).filter(|size| is_constant(size, generics));
    Some(Layer { known, path, number, takes: known.takes.and_then(size), gives: size(known.gives) })
}

fn is_float(expr: &Expr) -> bool {
    matches!(ungroup_expr(expr), Expr::Lit(lit) if matches!(lit.lit, Lit::Float(_)))
}

/// An integer, or a path to a constant that does not depend on the struct's parameters.
fn is_constant(expr: &Expr, generics: &Generics) -> bool {
    match expr {
        Expr::Lit(lit) => matches!(lit.lit, Lit::Int(_)),
        Expr::Path(path) => {
            let Some(last) = path.path.segments.last() else { return false };
            let name = last.ident.to_string();
            let shouted = name.chars().any(char::is_uppercase) && !name.chars().any(char::is_lowercase);
            shouted && path.qself.is_none() && !mentions(path.to_token_stream(), generics)
        }
        _ => false,
    }
}

/// `Self`, or a parameter of the struct: the check stands outside of the impl.
fn mentions(tokens: TokenStream, generics: &Generics) -> bool {
    let is_parameter = |ident: &proc_macro2::Ident| {
        generics.params.iter().any(|param| match param {
            GenericParam::Type(param) => param.ident == *ident,
            GenericParam::Const(param) => param.ident == *ident,
            GenericParam::Lifetime(_) => false,
        })
    };
    tokens.into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "Self" || is_parameter(&ident),
        TokenTree::Group(group) => mentions(group.stream(), generics),
        _ => false,
    })
}

/// The type `_` carries the second size's place: that is where rustc points.
fn comparison(before: &Layer, layer: &Layer, private: &TokenStream) -> Option<TokenStream> {
    if before.known.axis != layer.known.axis {
        return None;
    }
    let takes = layer.takes?;
    let span = mixed(takes.span());
    let (gives, takes_size) = (as_argument(before.gives?), as_argument(takes));
    let (first, second) = (whose(before, private), whose(layer, private));
    let place = quote_spanned!(span=> _);
    Some(quote!(#private::sizes::follows::<#gives, #takes_size, #place>((#first, #second));))
}

/// A path needs braces to be a constant, and around a literal they are linted.
fn as_argument(size: &Expr) -> TokenStream {
    match size {
        Expr::Path(_) => quote!({ #size }),
        _ => quote!(#size),
    }
}

fn whose(layer: &Layer, private: &TokenStream) -> TokenStream {
    let path = layer.path;
    let name = proc_macro2::Ident::new(layer.known.name, Span::call_site());
    let candle = quote!(#private::candle_nn::#name);
    let (ours, theirs) = match layer.number {
        Some(number) => (
            quote!(#private::sizes::takes_number(#path, #number)),
            quote!(#private::sizes::takes_number(#candle, #number)),
        ),
        None => {
            let takes = quote::format_ident!("takes_{}", layer.known.args);
            (quote!(#private::sizes::#takes(#path)), candle)
        }
    };
    quote!(#private::sizes::Pair(#ours, #theirs).whose())
}
