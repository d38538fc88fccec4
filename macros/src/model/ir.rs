//! What `#[derive(Model)]` understood of a struct. It keeps the tokens that the user wrote, so that every later error
//! can point at them.

use proc_macro2::Span;
use syn::{Expr, Generics, Ident, Path, Type, Visibility};

/// A struct with `#[derive(Model)]`.
#[derive(Clone)]
pub(crate) struct Model {
    pub(crate) vis: Visibility,
    pub(crate) ident: Ident,
    pub(crate) generics: Generics,
    /// `#[cfg]`s and doc comments are not kept: the generated items have docs of their own.
    pub(crate) options: ModelOptions,
    pub(crate) fields: Vec<Field>,
}

/// The keys of `#[model(...)]` on the struct.
#[derive(Clone)]
pub(crate) struct ModelOptions {
    /// `crate = path`; `::taper` unless given.
    pub(crate) krate: Path,
    /// `sequential` or `sequential(train)`.
    pub(crate) sequential: Option<Sequential>,
    /// `config = Type`.
    pub(crate) config: Option<Type>,
    /// `vb = Type`.
    pub(crate) vb: Option<Type>,
    /// `no_module`: no `impl Module` is generated.
    pub(crate) no_module: bool,
    /// `stateful`: a run has effects beside its values, so nothing is ever skipped.
    pub(crate) stateful: bool,
    /// `unchecked`: sizes of neighbouring layers are not compared.
    pub(crate) unchecked: bool,
    /// `taps = Name`.
    pub(crate) taps: Option<Ident>,
    /// `sites = Name`.
    pub(crate) sites: Option<Ident>,
    pub(crate) rename: Renames,
}

#[derive(Clone)]
pub(crate) struct Sequential {
    pub(crate) span: Span,
    pub(crate) train: bool,
}

/// `#[model(rename(capture = "…"))]`: other names for the generated inherent functions.
#[derive(Clone, Default)]
pub(crate) struct Renames {
    pub(crate) load: Option<Ident>,
    pub(crate) forward_with_taps: Option<Ident>,
    pub(crate) capture: Option<Ident>,
    pub(crate) capture_attached: Option<Ident>,
    pub(crate) run: Option<Ident>,
    pub(crate) sites: Option<Ident>,
}

/// A named field.
#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) ty: Type,
    /// `#[model(leaf)]` (value type `Tensor`) or `#[model(leaf = Ty)]`: a foreign layer.
    pub(crate) leaf: Option<Leaf>,
    /// `#[model(untapped)]`: mentions of the field are not looked at.
    pub(crate) untapped: bool,
    /// `#[model(partial)]`: a run may leave elements unvisited.
    pub(crate) partial: bool,
    /// `#[model(repeated)]`: a run may visit an element more than once.
    pub(crate) repeated: bool,
    pub(crate) load: Option<Load>,
    /// `#[prefix("…")]`, dotted allowed, `""` for no `pp`.
    pub(crate) prefix: Option<syn::LitStr>,
    /// `#[then(name = step, …)]`.
    pub(crate) then: Vec<Step>,
}

#[derive(Clone)]
pub(crate) struct Leaf {
    pub(crate) span: Span,
    /// `None` is `Tensor`.
    pub(crate) value: Option<Type>,
}

/// `#[load(…)]`.
#[derive(Clone)]
#[allow(clippy::large_enum_variant, reason = "a handful of these live while a struct is expanded")]
pub(crate) enum Load {
    /// `ctor(args…)`; the builder is appended as the last argument.
    Ctor(syn::ExprCall),
    /// `each(n)`, `each(n, |i| loader)`.
    Each { count: Expr, element: Option<(syn::Pat, Box<Load>)> },
    /// `maybe(cond)`, `maybe(cond, loader)`.
    Maybe { cond: Expr, inner: Option<Box<Load>> },
    /// `tensor(shape)`.
    Tensor { shape: Expr },
    /// `config = expr`: the field's own loader with another configuration.
    Config(Expr),
    /// `value = expr`: plain data.
    Value(Expr),
    /// `expr = expr`: anything, earlier fields in scope.
    Expr(Expr),
}

/// A named step after a field of a sequential model: `act1 = Tensor::relu`.
#[derive(Clone)]
pub(crate) struct Step {
    pub(crate) docs: Vec<syn::Attribute>,
    pub(crate) name: Ident,
    pub(crate) step: Expr,
}

impl Field {
    /// The field's name without `r#`: what it is called in names of taps and in weight files.
    pub(crate) fn name(&self) -> String {
        syn::ext::IdentExt::unraw(&self.ident).to_string()
    }
}
