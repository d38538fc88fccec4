//! `#[tap]` on `let`s and parameters.
//!
//! ```ignore
//! #[tap]
//! let (q, k): (Tensor, Tensor) = split(&x)?;
//! ```
//! becomes
//! ```ignore
//! let (v0, v1): (Tensor, Tensor) = split(&x)?;
//! let q = match pass.tap(v0, &sites.q) { Some(v) => v, None => return pass.halt() };
//! let k = match pass.tap(v1, &sites.k) { Some(v) => v, None => return pass.halt() };
//! ```

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, FnArg, Ident, Local, Pat, PatIdent, Stmt, Type};

use super::calls::{at, local};
use super::walk::{Tap, Walker};

/// A tapped name of a pattern, and its type where one is written.
type Named = (PatIdent, Option<Type>);

fn attrs_of(attrs: &[Attribute], name: &str) -> Vec<Attribute> {
    attrs.iter().filter(|a| a.path().is_ident(name)).cloned().collect()
}

impl Walker<'_> {
    pub(crate) fn tap_statement(&mut self, mut local: Local, out: &mut Vec<Stmt>) {
        let Some(names) = self.tapped_names(&local) else {
            local.attrs.retain(|a| !a.path().is_ident("tap"));
            self.let_statement(&mut local);
            out.push(Stmt::Local(local));
            return;
        };
        let init = local.init.as_mut().expect("checked: a tap has a value");
        self.visit_header_of_tap(&mut init.expr);
        self.bind_plain(&local.pat);
        let (docs, cfgs) = (attrs_of(&local.attrs, "doc"), attrs_of(&local.attrs, "cfg"));
        let often = self.often(&[]);
        for (name, ty) in &names {
            self.note_tap(Tap {
                name: name.ident.clone(),
                docs: docs.clone(),
                cfgs: cfgs.clone(),
                ty: ty.clone(),
                often,
            });
        }
        let detached = local.attrs.iter().any(|a| a.path().is_ident("tap") && !matches!(a.meta, syn::Meta::Path(_)));
        local.attrs.retain(|a| !a.path().is_ident("tap") && !a.path().is_ident("doc"));
        if !self.emits() {
            out.push(Stmt::Local(local));
            return;
        }
        let lints = &local.attrs;
        let (values, types) = self.values(&local.pat, &names);
        let expr = &local.init.as_ref().expect("checked: a tap has a value").expr;
        // What is not named is for the site to say: a wrong type is its error, at the name.
        let types = names.iter().any(|(_, ty)| ty.is_some()).then(|| quote!(: #types));
        out.push(syn::parse_quote!(#(#lints)* let #values #types = #expr;));
        for (place, (name, _)) in names.iter().enumerate() {
            let value = Ident::new(&value_of(place).to_string(), at(name.ident.span()));
            let tapped = self.tapped(&name.ident, quote!(#value), detached);
            out.push(syn::parse_quote!(#(#cfgs)* let #name = #tapped;));
        }
    }

    fn visit_header_of_tap(&mut self, expr: &mut syn::Expr) {
        use syn::visit_mut::VisitMut;
        self.visit_expr_mut(expr);
    }

    /// The names that a `#[tap] let` taps, if it is one that can be.
    fn tapped_names(&mut self, local: &Local) -> Option<Vec<Named>> {
        let attr = local.attrs.iter().find(|a| a.path().is_ident("tap")).expect("called for taps");
        self.is_detached(attr);
        if let Some(place) = self.nested {
            self.error_on(attr, format!("nothing can be tapped in {place}; use a loop, or tap what {place} returns"));
            return None;
        }
        match &local.init {
            None => {
                self.error_on(&local.pat, "a tap needs its value at once; write `#[tap]` on the `let` that gives it");
                return None;
            }
            Some(init) if init.diverge.is_some() => {
                self.error_on(attr, "`let … else` can't be tapped; tap a plain `let` after it");
                return None;
            }
            Some(_) => {}
        }
        let mut names = Vec::new();
        let (pat, ty) = match &local.pat {
            Pat::Type(p) => (&*p.pat, Some(&*p.ty)),
            pat => (pat, None),
        };
        self.gather(pat, ty, &mut names).then_some(names)
    }

    /// Whether it is `#[tap(detached)]`: off the autograd graph on purpose.
    fn is_detached(&self, attr: &Attribute) -> bool {
        match &attr.meta {
            syn::Meta::Path(_) => false,
            syn::Meta::List(list) if list.tokens.to_string() == "detached" => true,
            meta => {
                self.error_on(
                    meta,
                    "`#[tap]` takes no arguments but `detached`, for a value that is off the autograd graph on purpose; a tap is named by its `let`",
                );
                false
            }
        }
    }

    fn gather(&self, pat: &Pat, ty: Option<&Type>, names: &mut Vec<Named>) -> bool {
        match (pat, ty) {
            (Pat::Paren(p), _) => self.gather(&p.pat, ty, names),
            (_, Some(Type::Paren(t))) => self.gather(pat, Some(&t.elem), names),
            (_, Some(Type::Group(t))) => self.gather(pat, Some(&t.elem), names),
            (_, Some(Type::Reference(t))) => {
                self.error_on(
                    t,
                    "a tap owns its value, and this is a reference; tap a `.clone()` of it, which for a tensor is free",
                );
                false
            }
            (Pat::Ident(p), _) if p.subpat.is_none() && p.by_ref.is_none() => {
                names.push((p.clone(), ty.cloned()));
                true
            }
            (Pat::Wild(_), _) => true,
            (Pat::Tuple(p), None) => p.elems.iter().fold(true, |all, pat| self.gather(pat, None, names) & all),
            (Pat::Tuple(p), Some(Type::Tuple(t))) if p.elems.len() == t.elems.len() => {
                p.elems.iter().zip(&t.elems).fold(true, |all, (pat, ty)| self.gather(pat, Some(ty), names) & all)
            }
            _ => {
                self.error_on(pat, "a tap is a name or a tuple of names, which become those of the taps; take the value apart after it");
                false
            }
        }
    }

    /// The pattern with our locals for the user's names, and its type.
    fn values(&self, pat: &Pat, names: &[Named]) -> (TokenStream, TokenStream) {
        let mut place = 0;
        let pat = if let Pat::Type(p) = pat { &p.pat } else { pat };
        self.values_of(pat, names, &mut place)
    }

    fn values_of(&self, pat: &Pat, names: &[Named], place: &mut usize) -> (TokenStream, TokenStream) {
        match pat {
            Pat::Paren(p) => self.values_of(&p.pat, names, place),
            Pat::Tuple(p) => {
                let (values, types): (Vec<_>, Vec<_>) =
                    p.elems.iter().map(|pat| self.values_of(pat, names, place)).unzip();
                (quote!((#(#values,)*)), quote!((#(#types,)*)))
            }
            Pat::Ident(_) => {
                let (value, ty) = (value_of(*place), self.type_of(&names[*place]));
                *place += 1;
                (quote!(#value), ty)
            }
            other => (quote!(#other), quote!(_)),
        }
    }

    fn type_of(&self, (_, ty): &Named) -> TokenStream {
        ty.as_ref().map_or_else(|| quote!(_), |ty| quote!(#ty))
    }

    fn tapped(&self, name: &Ident, value: TokenStream, detached: bool) -> TokenStream {
        let krate = self.krate;
        // Where the value is of another type than the site, rustc points at the name.
        let span = at(name.span());
        let [sites, pass] = ["sites", "pass"].map(|local| Ident::new(local, span));
        let tap = Ident::new(if detached { "tap_detached" } else { "tap" }, span);
        let tapped = quote_spanned!(span=> #pass.#tap(#value, &#sites.#name));
        let [pass, v] = ["pass", "__v"].map(local);
        quote! {
            match #tapped {
                #krate::__private::Some(#v) => #v,
                #krate::__private::None => return #pass.halt(),
            }
        }
    }

    /// The statements that tap the parameters of a method. The attributes are taken off.
    pub(crate) fn tap_parameters<'i>(&mut self, inputs: impl Iterator<Item = &'i mut FnArg>) -> Vec<Stmt> {
        let mut stmts = Vec::new();
        for (place, input) in inputs.enumerate() {
            let FnArg::Typed(arg) = input else { continue };
            let tap = arg.attrs.iter().position(|a| a.path().is_ident("tap"));
            self.bind_plain(&arg.pat);
            let Some(tap) = tap else { continue };
            let attr = arg.attrs.remove(tap);
            let docs = attrs_of(&arg.attrs, "doc");
            arg.attrs.retain(|a| !a.path().is_ident("doc"));
            let detached = self.is_detached(&attr);
            stmts.extend(self.tap_parameter(arg, docs, place, detached));
        }
        stmts
    }

    fn tap_parameter(&mut self, arg: &syn::PatType, docs: Vec<Attribute>, place: usize, detached: bool) -> Vec<Stmt> {
        let Pat::Ident(name) = &*arg.pat else {
            self.error_on(&arg.pat, "a tapped parameter needs a name; tap a `let` in the body instead");
            return Vec::new();
        };
        let (ty, reference) = match &*arg.ty {
            Type::Reference(r) if r.mutability.is_some() => {
                self.error_on(
                    &arg.ty,
                    "a parameter that the pass changes can't be tapped; tap a `.clone()` of it in the body",
                );
                return Vec::new();
            }
            Type::ImplTrait(t) => {
                self.error_on(t, "the type of a tap must be written out; tap a `let` in the body instead");
                return Vec::new();
            }
            Type::Reference(r) => ((*r.elem).clone(), true),
            ty => (ty.clone(), false),
        };
        self.note_tap(Tap {
            name: name.ident.clone(),
            docs,
            cfgs: Vec::new(),
            ty: Some(ty.clone()),
            often: self.often(&[]),
        });
        if !self.emits() {
            return Vec::new();
        }
        let ident = &name.ident;
        let value = value_of(place);
        match reference {
            true => {
                let tapped = self.tapped(ident, quote!(::core::clone::Clone::clone(#ident)), detached);
                vec![syn::parse_quote!(let #value: #ty = #tapped;), syn::parse_quote!(let #name = &#value;)]
            }
            false => {
                let tapped = self.tapped(ident, quote!(#ident), detached);
                vec![syn::parse_quote!(let #name = #tapped;)]
            }
        }
    }
}

fn value_of(place: usize) -> Ident {
    local(&format!("__v{place}"))
}

/// Reports `#[tap]`s and `#[untapped]`s where they can't stand. Those that can were taken off by the walk.
pub(crate) fn misplaced(walker: &Walker<'_>, tokens: &impl ToTokens) {
    fn search(walker: &Walker<'_>, tokens: TokenStream) {
        let mut hash: Option<Span> = None;
        for token in tokens {
            match token {
                proc_macro2::TokenTree::Punct(p) if p.as_char() == '#' => hash = Some(p.span()),
                proc_macro2::TokenTree::Group(group) => {
                    let first = group.stream().into_iter().next();
                    let is = |name: &str| matches!(&first, Some(proc_macro2::TokenTree::Ident(i)) if i == name);
                    if hash.take().is_some() && (is("tap") || is("untapped")) {
                        let message = match is("tap") {
                            true => "`#[tap]` can't stand here; it stands on a `let` or on a parameter of the method",
                            false => "`#[untapped]` can't stand here; it stands on a statement",
                        };
                        walker.error(first.map_or_else(|| group.span(), |name| name.span()), message);
                    } else {
                        search(walker, group.stream());
                    }
                }
                _ => hash = None,
            }
        }
    }
    search(walker, tokens.to_token_stream());
}
