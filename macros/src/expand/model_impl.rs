//! The traits of a model: `Model` for code that is generic over models, candle's `Module` and `Layer` for a model of one
//! tensor.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{GenericParam, Lifetime, Type};

use super::Input;
use super::generics::{is_open, split, with_lifetime};
use super::seen::look;
use crate::forward::local;

pub(crate) fn implementation(input: &Input<'_>) -> TokenStream {
    let generic = generic_over_models(input);
    let module = one_tensor(input);
    let trained = trained_chain(input);
    quote!(#generic #module #trained)
}

/// `impl Model`, unless the arguments are of types that no associated type can name.
fn generic_over_models(input: &Input<'_>) -> Option<TokenStream> {
    let Input { krate, generics, main, .. } = input;
    let own = &main.method.sig.generics;
    let open = own.params.iter().any(|p| !matches!(p, GenericParam::Lifetime(_)))
        || main.arguments().any(|arg| is_open(&arg.ty));
    if open {
        return None;
    }
    let lifetime = Lifetime::new("'__taper_args", Span::mixed_site());
    let types: Vec<_> = main.arguments().map(|arg| with_lifetime(&arg.ty, own, &lifetime)).collect();
    let names: Vec<_> = (0..types.len()).map(|place| local(&format!("argument_{place}"))).collect();
    let (impl_generics, _, where_clause) = split(&generics.generics);
    let (ty, output, returned, hidden) = (&generics.ty, main.output, main.returned, input.hidden_forward());
    let at = local("at");
    let forward = &main.method.sig.ident;
    let plain = match main.of_trait {
        _ if input.in_error => quote!(::core::unreachable!()),
        Some(path) => quote!(<Self as #path>::#forward(self, #(#names,)*)),
        None => quote!(Self::#forward(self, #(#names,)*)),
    };
    let shown = main.arguments().map(|arg| match &*arg.pat {
        syn::Pat::Ident(p) => syn::ext::IdentExt::unraw(&p.ident).to_string(),
        _ => "_".to_owned(),
    });
    let looks = names.iter().zip(main.arguments()).map(|(name, arg)| look(input, &arg.ty, quote!(#name)));
    Some(quote! {
        impl #impl_generics #krate::__private::Model for #ty #where_clause {
            type Args<#lifetime> = (#(#types,)*);
            type Output = #output;
            type Error = <#returned as #krate::__private::Fallible>::Error;

            fn __taper_call(
                &self,
                (#(#names,)*): Self::Args<'_>,
                #at: #krate::__private::At<'_, '_, '_, Self::Sites>,
            ) -> #krate::__private::Result<Self::Output, Self::Error> {
                self.#hidden(#(#names,)* #at)
            }

            fn __taper_seen(
                (#(#names,)*): &Self::Args<'_>,
            ) -> #krate::__private::Vec<(&'static ::core::primitive::str, #krate::__private::Seen)> {
                #krate::__private::vec![#((#shown, #looks)),*]
            }

            fn __taper_plain(&self, (#(#names,)*): Self::Args<'_>) -> #krate::__private::Result<Self::Output, Self::Error> {
                #plain
            }
        }
    })
}

/// `impl Module` and `impl Layer` for `fn forward(&self, &Tensor) -> candle_core::Result<Tensor>`. Which `Tensor` and which
/// `Result` are meant is the compiler's to say: the bounds hold or do not, and the impls compile either way.
fn one_tensor(input: &Input<'_>) -> Option<TokenStream> {
    let Input { krate, generics, main, .. } = input;
    let name = main.method.sig.ident.to_string();
    let mut arguments = main.arguments();
    let (Some(argument), None) = (arguments.next(), arguments.next()) else { return None };
    let Type::Reference(argument) = &*argument.ty else { return None };
    let plain = argument.mutability.is_none() && main.method.sig.generics.params.is_empty();
    if name != "forward" || !plain || (input.model.options.no_module && main.of_trait.is_none()) {
        return None;
    }
    let (impl_generics, _, _) = split(&generics.generics);
    let (ty, returned, elem, hidden) = (&generics.ty, main.returned, &argument.elem, input.hidden_forward());
    let predicates = generics.generics.where_clause.as_ref().map(|clause| {
        let predicates = clause.predicates.iter();
        quote!(#(#predicates,)*)
    });
    let candle = quote!(#krate::__private::candle_core);
    let same = quote!(#krate::__private::Same);
    let bounds = quote! {
        where
            #predicates
            for<'__taper> &'__taper #candle::Tensor: #same<'__taper, &'__taper #elem>,
            for<'__taper> #returned: #same<'__taper, #candle::Result<#candle::Tensor>>,
    };
    let called = match input.in_error {
        true => quote!(::core::unreachable!()),
        false => quote!(#same::same(Self::forward(self, #same::same(x)))),
    };
    let module = main.of_trait.is_none().then(|| {
        quote! {
            impl #impl_generics #candle::Module for #ty #bounds {
                fn forward(&self, x: &#candle::Tensor) -> #candle::Result<#candle::Tensor> {
                    #called
                }
            }
        }
    });
    Some(quote! {
        #module

        impl #impl_generics #krate::Layer for #ty #bounds {
            fn __taper_forward(&self, x: &#candle::Tensor, at: #krate::__private::At<'_, '_, '_, Self::Sites>) -> #candle::Result<#candle::Tensor> {
                #same::same(Self::#hidden(self, #same::same(x), at))
            }
        }
    })
}

/// `impl ModuleT` for a chain with `train`, so that it can stand in another one.
fn trained_chain(input: &Input<'_>) -> Option<TokenStream> {
    let Input { krate, generics, .. } = input;
    input.model.options.sequential.as_ref().filter(|s| s.train)?;
    let (impl_generics, _, where_clause) = split(&generics.generics);
    let (ty, vis) = (&generics.ty, &input.model.vis);
    let candle = quote!(#krate::__private::candle_core);
    Some(quote! {
        impl #impl_generics #candle::ModuleT for #ty #where_clause {
            fn forward_t(&self, x: &#candle::Tensor, train: bool) -> #candle::Result<#candle::Tensor> {
                Self::forward(self, x, train)
            }
        }

        impl #impl_generics #ty #where_clause {
            #[doc(hidden)]
            #vis fn __taper_forward_t(
                &self,
                x: &#candle::Tensor,
                train: bool,
                at: #krate::__private::At<'_, '_, '_, #krate::__private::Sites<Self>>,
            ) -> #candle::Result<#candle::Tensor> {
                self.__taper_forward(x, train, at)
            }
        }
    })
}
