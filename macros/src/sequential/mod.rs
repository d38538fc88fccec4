//! `#[model(sequential)]`: the forward that a person would write for a chain, handed to the same expander as one that a
//! person did write.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use syn::{ItemImpl, Type};

use crate::load::mixed;
use crate::model::check::is_layer;
use crate::model::ir::{Field, Model, Step};
use crate::model::types::{Holds, holds};

pub(crate) mod sizes;
mod steps;

#[cfg(test)]
mod tests;

/// The impl of a sequential model, as `#[forward]` would get it.
///
/// ```text
/// expands to:
/// impl Net {
///     /// Runs the layers in the order of the fields.
///     pub fn forward(&self, #[tap] input: &Tensor) -> Result<Tensor> {
///         #[allow(unused_imports)]
///         use candle_core::Module as _;
///         let x = self.conv1.forward(input)?;
///         #[tap]
///         let act1 = step(&x, Tensor::relu)?;
///         let mut x = act1;
///         for layer in &self.blocks {
///             x = layer.forward(&x)?;
///         }
///         Ok(x)
///     }
/// }
/// ```
pub(crate) fn forward_impl(model: &Model) -> Option<ItemImpl> {
    let sequential = model.options.sequential.as_ref()?;
    let mut chain = Chain::new(model, sequential.train);
    for field in model.fields.iter().filter(|field| is_layer(field)) {
        chain.call(field);
        for step in &field.then {
            chain.step(step);
        }
    }
    let Chain { private, statements, ident: x, owned, input, train, .. } = chain;
    let result = if owned { quote!(#x) } else { quote!(::core::clone::Clone::clone(#x)) };
    let layer_trait = if sequential.train { quote!(ModuleT) } else { quote!(Module) };
    let train = train.iter();
    let (impl_generics, type_generics, where_clause) = model.generics.split_for_impl();
    let (vis, name) = (&model.vis, &model.ident);
    let item = syn::parse2(quote! {
        impl #impl_generics #name #type_generics #where_clause {
            /// Runs the layers in the order of the fields.
            ///
            /// # Errors
            /// Fails when a layer does.
            #vis fn forward(
                &self,
                #[tap] #input: &#private::candle_core::Tensor
                #(, #train: bool)*
            ) -> #private::candle_core::Result<#private::candle_core::Tensor> {
                // A layer may have a `forward` of its own.
                #[allow(unused_imports)]
                use #private::candle_core::#layer_trait as _;
                #(#statements)*
                ::core::result::Result::Ok(#result)
            }
        }
    });
    // The struct's own tokens and the ones above: there is nothing that cannot be parsed.
    item.ok()
}

/// The statements so far, and the variable that holds the value after them.
struct Chain {
    private: TokenStream,
    statements: Vec<TokenStream>,
    ident: Ident,
    /// Is the variable a tensor, not a reference to one?
    owned: bool,
    input: Ident,
    train: Option<Ident>,
}

impl Chain {
    fn new(model: &Model, train: bool) -> Self {
        let krate = &model.options.krate;
        let input = Ident::new("input", Span::mixed_site());
        Chain {
            private: quote!(#krate::__private),
            statements: Vec::new(),
            ident: input.clone(),
            owned: false,
            input,
            train: train.then(|| Ident::new("train", Span::mixed_site())),
        }
    }

    /// The current value as a `&Tensor`.
    fn value(&self) -> TokenStream {
        let ident = &self.ident;
        if self.owned { quote!(&#ident) } else { quote!(#ident) }
    }

    /// Calls a layer, each of a list of layers, or a layer that may be missing.
    fn call(&mut self, field: &Field) {
        let name = &field.ident;
        let x = Ident::new("x", Span::mixed_site());
        let layer = Ident::new("layer", Span::mixed_site());
        let each = self.layer_call(&quote!(#layer), &quote!(&#x), &field.ty);
        let statements = match holds(&field.ty) {
            Holds::One => {
                let call = self.layer_call(&quote!(self.#name), &self.value(), &field.ty);
                quote!(let #x = #call;)
            }
            Holds::Vec(_) | Holds::Array(_) => {
                let start = self.start(&x);
                quote!(#start for #layer in &self.#name { #x = #each; })
            }
            Holds::Option(_) => {
                let start = self.start(&x);
                quote!(#start if let ::core::option::Option::Some(#layer) = &self.#name { #x = #each; })
            }
        };
        self.statements.push(statements);
        self.ident = x;
        self.owned = true;
    }

    /// `layer.forward(x)?`; only the method carries the field type's place, so that rustc points there if it is missing.
    fn layer_call(&self, layer: &TokenStream, value: &TokenStream, ty: &Type) -> TokenStream {
        let span = mixed(syn::spanned::Spanned::span(ty));
        match &self.train {
            Some(train) => {
                let method = Ident::new("forward_t", span);
                quote!(#layer.#method(#value, #train)?)
            }
            None => {
                let method = Ident::new("forward", span);
                quote!(#layer.#method(#value)?)
            }
        }
    }

    /// A variable that the following statement changes.
    fn start(&self, x: &Ident) -> TokenStream {
        let ident = &self.ident;
        if self.owned {
            quote!(let mut #x = #ident;)
        } else {
            quote!(let mut #x = ::core::clone::Clone::clone(#ident);)
        }
    }

    /// A named step: a closure needs an `FnOnce(&Tensor)` bound to know its argument's type, which `step` has.
    fn step(&mut self, step: &Step) {
        let Step { docs, name, step } = step;
        let (private, value) = (&self.private, self.value());
        self.statements.push(quote! {
            #(#docs)*
            #[tap]
            let #name = #private::step(#value, #step)?;
        });
        self.ident = name.clone();
        self.owned = true;
    }
}
