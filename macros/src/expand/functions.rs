//! The functions of a model that a user calls: `forward_with_taps`, `capture`, `capture_attached`, `sites`.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};
use syn::{GenericArgument, Pat, PathArguments, Type};

use super::Input;
use super::generics::split;
use crate::forward::local;

/// The names of the generated functions.
pub(crate) struct Names {
    pub(crate) forward_with_taps: Ident,
    pub(crate) capture: Ident,
    pub(crate) capture_attached: Ident,
    pub(crate) sites: Ident,
    pub(crate) run: Ident,
}

impl Input<'_> {
    pub(crate) fn functions(&self) -> Names {
        let rename = &self.model.options.rename;
        let name =
            |given: &Option<Ident>, name: &str| given.clone().unwrap_or_else(|| Ident::new(name, Span::call_site()));
        Names {
            forward_with_taps: name(&rename.forward_with_taps, "forward_with_taps"),
            capture: name(&rename.capture, "capture"),
            capture_attached: name(&rename.capture_attached, "capture_attached"),
            sites: name(&rename.sites, "sites"),
            run: name(&rename.run, "run"),
        }
    }

    /// A function of the model in docs: a link, unless it is too private for one.
    pub(crate) fn linked(&self, function: &Ident) -> String {
        let public = self.main.of_trait.is_some() || matches!(self.main.method.vis, syn::Visibility::Public(_));
        let name = format!("`{}::{function}`", self.model.ident);
        if public { format!("[{name}]") } else { name }
    }

    /// The generics of the generated structs.
    pub(crate) fn taken_over(&self) -> syn::Generics {
        let types: Vec<_> = self.entries.iter().map(|e| e.site.clone()).collect();
        self.generics.mentioned_in(&types)
    }

    /// `Result<T>` with another type in place of the output's.
    pub(crate) fn returning(&self, value: TokenStream) -> TokenStream {
        let mut ty = self.main.returned.clone();
        if let Type::Path(path) = &mut ty
            && let Some(last) = path.path.segments.last_mut()
            && let PathArguments::AngleBracketed(args) = &mut last.arguments
            && let Some(first) = args.args.iter_mut().find(|arg| matches!(arg, GenericArgument::Type(_)))
        {
            *first = GenericArgument::Type(Type::Verbatim(value));
        }
        quote!(#ty)
    }

    /// The generics of the forward, and one for the selection.
    pub(crate) fn method_generics(&self) -> syn::Generics {
        let krate = self.krate;
        let mut generics = self.main.method.sig.generics.clone();
        generics.where_clause = None;
        generics.params.push(syn::parse_quote!(__TaperSelection: #krate::Selection));
        generics
    }

    /// The hidden copy of the forward.
    pub(crate) fn hidden_forward(&self) -> Ident {
        format_ident!("__taper_{}", syn::ext::IdentExt::unraw(&self.main.method.sig.ident))
    }

    /// Parameters with names, and the names.
    pub(crate) fn parameters(&self) -> (Vec<TokenStream>, Vec<TokenStream>) {
        let named = self.main.arguments().enumerate().map(|(place, arg)| {
            let ty = &arg.ty;
            let name = match &*arg.pat {
                Pat::Ident(p) => p.ident.clone(),
                _ => local(&format!("argument_{place}")),
            };
            (quote!(#name: #ty), quote!(#name))
        });
        named.unzip()
    }
}

/// The public functions.
pub(crate) fn inherent(input: &Input<'_>) -> TokenStream {
    let Input { model, krate, taps, sites, generics, main, .. } = input;
    let (impl_generics, _, where_clause) = split(&generics.generics);
    let (_, own_ty, _) = split(&input.taken_over());
    let (ty, vis, forward) = (&generics.ty, &main.method.vis, &main.method.sig.ident);
    let vis = if main.of_trait.is_some() { &model.vis } else { vis };
    let names = input.functions();
    let (params, args) = input.parameters();
    let hidden = input.hidden_forward();
    let at = local("at");
    let with_taps = with_taps(input, &params, &args);
    let capture_of = |name: &Ident, attached: bool, docs: &[String]| {
        let generics = input.method_generics();
        let clause = &main.method.sig.generics.where_clause;
        let select = local("select");
        let returned = input.returning(quote!(<__TaperSelection as #krate::Selection>::Value));
        quote! {
            #(#[doc = #docs])*
            #vis fn #name #generics (&self, #(#params,)* #select: impl #krate::__private::FnOnce(#sites #own_ty) -> __TaperSelection) -> #returned #clause {
                #krate::__private::capture(self, #attached, #select, |#at| self.#hidden(#(#args,)* #at))
            }
        }
    };
    let capture = capture_of(&names.capture, false, &capture_docs(&forward.to_string(), &taps.to_string()));
    let docs = [format!("As [`{}`](Self::{}), the values keeping their autograd graph.", names.capture, names.capture)];
    let attached = capture_of(&names.capture_attached, true, &docs);
    let sites_name = &names.sites;
    quote! {
        #[allow(dead_code, reason = "part of every model's interface, also where the model is private")]
        impl #impl_generics #ty #where_clause {
            #with_taps
            #capture
            #attached

            /// The names and sites of every tap, to find them by name, pattern or position.
            #vis fn #sites_name(&self) -> #krate::SiteTable<#sites #own_ty> {
                #krate::__private::site_table(self)
            }
        }
    }
}

fn capture_docs(forward: &str, taps: &str) -> Vec<String> {
    [
        "What the closure selects of a pass, in the shape in which it is selected, detached from the autograd graph.",
        "",
        "The pass stops once all of it is known, unless it has effects beside its values.",
        "",
        "# Errors",
    ]
    .map(str::to_owned)
    .into_iter()
    .chain([format!(
        "Those of [`{forward}`](Self::{forward}), and of a selection that is not one of this model's; see [`{taps}`]."
    )])
    .collect()
}

fn with_taps(input: &Input<'_>, params: &[TokenStream], args: &[TokenStream]) -> TokenStream {
    let Input { model, krate, taps, main, .. } = input;
    let (_, own_ty, _) = split(&input.taken_over());
    let (forward, output) = (&main.method.sig.ident, main.output);
    let vis = if main.of_trait.is_some() { &model.vis } else { &main.method.vis };
    let name = input.functions().forward_with_taps;
    let (generics, clause) = (&main.method.sig.generics, &main.method.sig.generics.where_clause);
    let returned = input.returning(quote!((#output, #taps #own_ty)));
    let hidden = input.hidden_forward();
    let at = local("at");
    let docs = format!(
        "What [`{forward}`](Self::{forward}) returns, and every value on the way there, on the autograd graph."
    );
    let errors = format!("Those of [`{forward}`](Self::{forward}).");
    quote! {
        #[doc = #docs]
        ///
        /// # Errors
        #[doc = #errors]
        #vis fn #name #generics (&self, #(#params,)*) -> #returned #clause {
            #krate::__private::forward_with_taps(self, |#at| self.#hidden(#(#args,)* #at))
        }
    }
}

/// The copies of the methods.
pub(crate) fn hidden(input: &Input<'_>, copies: &[TokenStream]) -> TokenStream {
    let (impl_generics, _, where_clause) = split(&input.generics.generics);
    let ty = &input.generics.ty;
    quote!(impl #impl_generics #ty #where_clause { #(#copies)* })
}

/// What stands for the copies if something is wrong with the bodies: the types are there, and nothing runs.
pub(crate) fn dummy(input: &Input<'_>) -> TokenStream {
    let krate = input.krate;
    let mut sig = input.main.method.sig.clone();
    sig.ident = input.hidden_forward();
    sig.inputs = sig.inputs.into_iter().enumerate().map(|(place, arg)| anonymous(place, arg)).collect();
    let sites = quote!(#krate::__private::Sites<Self>);
    sig.inputs.push(syn::parse_quote!(_: #krate::__private::At<'_, '_, '_, #sites>));
    let vis = &input.model.vis;
    let (impl_generics, _, where_clause) = split(&input.generics.generics);
    let ty = &input.generics.ty;
    quote! {
        impl #impl_generics #ty #where_clause {
            #[doc(hidden)]
            #vis #sig { ::core::unreachable!() }
        }
    }
}

fn anonymous(_: usize, arg: syn::FnArg) -> syn::FnArg {
    match arg {
        syn::FnArg::Typed(mut arg) => {
            *arg.pat = syn::parse_quote!(_);
            arg.attrs.clear();
            syn::FnArg::Typed(arg)
        }
        receiver => receiver,
    }
}
