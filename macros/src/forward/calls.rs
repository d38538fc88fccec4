//! What traced calls become.
//!
//! `self.attn.forward(x)?` becomes
//! ```ignore
//! (match self.attn.__taper_forward(x, pass.at(&sites.attn)) { r if pass.on() => r, _ => return pass.halt() })?
//! ```
//! and, where a run may skip or repeat it, `pass.enter(..)` and `pass.leave()` in place of `pass.at(..)` and `pass.on()`.
//! The method call keeps the user's receiver and arguments, so that auto-reference, reborrowing and coercions are those
//! of the user's own call. Sites and pass come last: the arguments, which may hold traced calls, are evaluated before.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::{Expr, ExprMethodCall};

use super::levels::Level;
use super::mentions::place_of;
use super::shape::Shape;
use super::walk::{Method, Walker};
use crate::load::located_at;

/// A local of the generated code, which no name of the user's can meet.
pub(crate) fn local(name: &str) -> Ident {
    Ident::new(name, Span::mixed_site())
}

/// The user's place, our hygiene.
pub(crate) fn at(span: Span) -> Span {
    span.resolved_at(Span::mixed_site())
}

impl Walker<'_> {
    /// `receiver.forward(args…)`, its parts walked.
    pub(crate) fn traced(&mut self, expr: &mut Expr, shape: Shape, method: Method) {
        let Expr::MethodCall(call) = &*expr else { unreachable!("called for method calls") };
        if !self.note_call(&shape, method, call.method.span()) || !self.emits() {
            return;
        }
        let ExprMethodCall { receiver, method, args, turbofish, .. } = call;
        let name = format_ident!("__taper_{method}", span = at(method.span()));
        let original = quote!(#receiver.#method #turbofish (#args));
        let args = args.iter().map(|arg| quote!(#arg,)).collect();
        *expr = self.call(&shape, receiver, &name, args, original);
    }

    /// `receiver.apply(&self.f)`, its parts walked.
    pub(crate) fn applied(&mut self, expr: &mut Expr, shape: Shape) {
        let Expr::MethodCall(call) = &*expr else { unreachable!("called for method calls") };
        if !self.note_call(&shape, Method::Forward, place_of(&call.args[0])) || !self.emits() {
            return;
        }
        let ExprMethodCall { receiver, method, args, .. } = call;
        let name = if method == "apply" { "forward" } else { "forward_t" };
        let name = format_ident!("__taper_{name}", span = at(method.span()));
        let module = strip_reference(&args[0]);
        let rest = args.iter().skip(1).map(|arg| quote!(#arg,));
        let original = quote!(#receiver.#method(#args));
        let args = quote!(&#receiver, #(#rest)*);
        *expr = self.call(&shape, module, &name, args, original);
    }

    /// `(self.act)(x)`, where the field is a foreign leaf: a closure.
    pub(crate) fn called_field(&mut self, expr: &mut Expr, shape: Shape) {
        let Expr::Call(call) = &*expr else { unreachable!("called for calls") };
        if !self.note_call(&shape, Method::Forward, place_of(&call.func)) || !self.emits() {
            return;
        }
        let module = strip_reference(&call.func);
        let name = local("__taper_forward");
        *expr = self.call(&shape, module, &name, quote!(), quote!(#call));
    }

    fn call(&self, shape: &Shape, module: &Expr, name: &Ident, args: TokenStream, original: TokenStream) -> Expr {
        let origin = shape.origin().expect("traced calls come from a field");
        let plan = self.plan.and_then(|plan| plan.fields[origin.field].as_ref()).expect("traced fields are planned");
        let leaf = plan.leaf.is_some();
        let many = plan.levels.iter().take(origin.depth).filter(|l| **l == Level::Many).count();
        let krate = self.krate;
        let [pass, m, r] = ["pass", "__m", "__r"].map(local);
        // An element is looked at twice, for its address and for the call: it gets a name. An absent one has an address
        // as long as it is not yet `.as_ref()`.
        let element = (many > 0 && !leaf).then(|| before_as_ref(module, shape));
        let place = if element.is_some() { quote!(#m) } else { quote!(#module) };
        let module = match element {
            Some((_, true)) => quote!(#m.as_ref()),
            _ => place.clone(),
        };
        // The frame of an `Option` itself is opened by its `OptionalLayer`.
        let framed = plan.framed() && !matches!(shape, Shape::Opt(_));
        let (give, go_on) = match framed {
            true => (quote!(enter), quote!(leave)),
            false => (quote!(at), quote!(on)),
        };
        let traced = match leaf {
            true => self.sites_of(origin.field, many, &place, leaf, |s| {
                let result = self.unless_known(&s, &original);
                quote! {
                    match #result {
                        #r => match #pass.leaf(#s, #r) {
                            #krate::__private::Some(#r) => #r,
                            #krate::__private::None => return #pass.halt(),
                        },
                    }
                }
            }),
            false => {
                let at = self.sites_of(origin.field, many, &place, leaf, |s| quote!(#pass.#give(#s)));
                quote!(match #module.#name(#args #at) { #r if #pass.#go_on() => #r, _ => return #pass.halt() })
            }
        };
        match element {
            Some((element, _)) => parenthesized(quote!(match &#element { #m => #traced })),
            None => parenthesized(traced),
        }
    }

    /// A call that is left out if its value is known beforehand. Traced calls in its arguments are not left out with it.
    fn unless_known(&self, site: &TokenStream, original: &TokenStream) -> TokenStream {
        let krate = self.krate;
        if original.to_string().contains(". halt ()") {
            return original.clone();
        }
        let [pass, v] = ["pass", "__v"].map(local);
        quote! {
            match #pass.known(#site) {
                #krate::__private::Some(#v) => #krate::__private::Ok(#v),
                #krate::__private::None => #original,
            }
        }
    }

    /// What to do with the sites of a field, or of the element at hand.
    fn sites_of(
        &self,
        field: usize,
        many: usize,
        module: &TokenStream,
        leaf: bool,
        give: impl Fn(TokenStream) -> TokenStream,
    ) -> TokenStream {
        let [sites, pass] = ["sites", "pass"].map(local);
        let krate = self.krate;
        let name = &self.model.fields[field].ident;
        if many == 0 {
            return give(quote!(&#sites.#name));
        }
        let (locate, addr) = match leaf {
            true => (format_ident!("locate_foreign"), quote!(#krate::__private::addr(&*#module))),
            false => (format_ident!("locate"), quote!(#module.__taper_addr())),
        };
        let (this, shown) = (&self.this, self.model.fields[field].name());
        let mut found = quote!(#sites.#name.#locate(&#this.#name, #addr));
        let [s, c] = ["__s", "__c"].map(local);
        for _ in 1..many {
            found = quote!(#found.and_then(|(#s, #c)| #s.#locate(#c, #addr)));
        }
        let given = give(quote!(#s));
        quote! {
            match #pass.found(#found, #shown) {
                #krate::__private::Some(#s) => #given,
                #krate::__private::None => return #pass.halt(),
            }
        }
    }

    /// `self.helper(args…)` where the helper taps something.
    pub(crate) fn helper_call(&mut self, expr: &mut Expr, name: &str) {
        let Some(plan) = self.plan else { return };
        let Expr::MethodCall(call) = &*expr else { unreachable!("called for method calls") };
        if !plan.instrumented.contains(name) {
            return;
        }
        let [sites, pass, r] = ["sites", "pass", "__r"].map(local);
        let ExprMethodCall { receiver, method, turbofish, args, .. } = call;
        let hidden = hidden_name(method);
        let args = args.iter();
        *expr = parenthesized(quote! {
            match #receiver.#hidden #turbofish (#(#args,)* #pass.at(#sites)) { #r if #pass.on() => #r, _ => return #pass.halt() }
        });
    }

    /// A method other than forward: allowed on a leaf, which the bound of `leaf` says at the receiver.
    pub(crate) fn check_leaf(&mut self, call: &mut ExprMethodCall, shape: &Shape) {
        let Some(plan) = self.plan else { return };
        let field = shape.origin().expect("only what comes from a field is checked").field;
        if plan.fields[field].as_ref().is_some_and(|f| f.leaf.is_none()) {
            let receiver = &call.receiver;
            let span = at(place_of(receiver));
            let krate = located_at(&self.krate.to_token_stream(), span);
            // rustc points at the argument if it is none.
            let leaf = quote_spanned!(span=> #krate::__private::leaf(&#receiver));
            *call.receiver = syn::parse_quote!(#leaf);
        }
    }

    /// A field of a submodule: data may be read, a submodule inside it may not be reached past it.
    pub(crate) fn read_data(&mut self, expr: &mut Expr, shape: &Shape) {
        let foreign =
            |field: usize| self.plan.is_some_and(|p| p.fields[field].as_ref().is_some_and(|f| f.leaf.is_none()));
        if shape.origin().is_some_and(|origin| foreign(origin.field)) {
            let krate = self.krate;
            let mention = quote_spanned!(at(place_of(expr))=> #krate::__private::Mention);
            let plain = quote_spanned!(at(place_of(expr))=> plain);
            *expr = parenthesized(quote!(*#mention(&#expr).#plain()));
        }
    }

    /// `return value` out of the body, whose value is the output.
    pub(crate) fn break_out(&mut self, expr: &mut Expr) {
        if !self.emits() {
            return;
        }
        let Expr::Return(e) = &*expr else { unreachable!("called for returns") };
        self.returns = true;
        let value = &e.expr;
        let label = syn::Lifetime::new("'forward", Span::mixed_site());
        *expr = syn::parse_quote!(break #label #value);
    }
}

/// The hidden copy of a helper.
pub(crate) fn hidden_name(method: &Ident) -> Ident {
    let name = syn::ext::IdentExt::unraw(method);
    match name.to_string().as_str() {
        "forward" | "forward_t" => format_ident!("__taper_{name}", span = at(method.span())),
        _ => format_ident!("__taper_call_{name}", span = at(method.span())),
    }
}

/// `one` of `one.as_ref()`, where that is an `Option`, and whether it is.
fn before_as_ref<'e>(expr: &'e Expr, shape: &Shape) -> (&'e Expr, bool) {
    match strip_reference(expr) {
        Expr::MethodCall(call) if call.method == "as_ref" && matches!(shape, Shape::Opt(_)) => (&*call.receiver, true),
        other => (other, false),
    }
}

fn strip_reference(expr: &Expr) -> &Expr {
    match expr {
        Expr::Reference(e) => strip_reference(&e.expr),
        Expr::Paren(e) => strip_reference(&e.expr),
        Expr::Group(e) => strip_reference(&e.expr),
        other => other,
    }
}

/// Parentheses of ours, so that no lint calls them superfluous.
fn parenthesized(inner: TokenStream) -> Expr {
    let inner: Expr = match syn::parse2(inner.clone()) {
        Ok(inner) => inner,
        // Not what a template can make; what stands there is the compiler's to judge.
        Err(_) => Expr::Verbatim(inner),
    };
    Expr::Paren(syn::ExprParen {
        attrs: Vec::new(),
        paren_token: syn::token::Paren(Span::mixed_site()),
        expr: Box::new(inner),
    })
}
