//! `Debug`, `Clone`, `save` and `load` of taps and sites.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Visibility;

use super::generics::split;
use super::{Entry, Input};

/// `Debug`, `save` and `load` of the taps.
pub(crate) fn implementation(input: &Input<'_>) -> TokenStream {
    let Input { model, krate, taps, sites, generics, .. } = input;
    let (own_impl, own_ty, own_where) = split(&input.taken_over());
    let (vis, model_ty, name) = (generated(&model.vis), &generics.ty, model.ident.to_string());
    let shown = taps.to_string();
    let (model_impl, _, model_where) = split(&generics.generics);
    let load = quote! {
        /// Reads taps that [`save`](Self::save) wrote; the model tells how many elements and which optional parts there are.
        ///
        /// # Errors
        /// A file that can't be read, or is of another model.
        #vis fn load(model: &#model_ty, path: impl #krate::__private::AsRef<#krate::__private::Path>) -> #krate::__private::candle_core::Result<Self> {
            #krate::__private::load_taps(model, #krate::__private::AsRef::as_ref(&path))
        }
    };
    // The impl's parameters that the taps do not have could not be told from a `Self` of them alone.
    let load = (own_impl.to_string() == model_impl.to_string() && own_where.to_string() == model_where.to_string())
        .then_some(load);
    quote! {
        impl #own_impl #krate::__private::Debug for #taps #own_ty #own_where {
            fn fmt(&self, f: &mut #krate::__private::Formatter<'_>) -> #krate::__private::FmtResult {
                #krate::__private::debug::<#sites #own_ty>(#shown, self, f)
            }
        }

        #[allow(dead_code, reason = "part of every model's interface, also where the model is private")]
        impl #own_impl #taps #own_ty #own_where {
            /// Writes the tensors as safetensors, keyed by the names of the taps; the metadata has the model's type and the list
            /// of the taps.
            ///
            /// # Errors
            /// A file that can't be written.
            #vis fn save(&self, path: impl #krate::__private::AsRef<#krate::__private::Path>) -> #krate::__private::candle_core::Result<()> {
                #krate::__private::save_taps::<#sites #own_ty>(self, #name, #krate::__private::AsRef::as_ref(&path))
            }

            #load
        }
    }
}

/// The visibility of a generated function, told from a written one: that nobody calls it is nothing to warn of.
fn generated(vis: &Visibility) -> TokenStream {
    let tokens = vis.to_token_stream().into_iter().map(|mut token| {
        token.set_span(Span::call_site());
        token
    });
    tokens.collect()
}

/// What a derive would do, without its bounds on type parameters.
pub(crate) fn manual(input: &Input<'_>) -> TokenStream {
    let Input { krate, taps, sites, entries, .. } = input;
    let (own_impl, own_ty, own_where) = split(&input.taken_over());
    let clones: Vec<_> = entries
        .iter()
        .map(|Entry { name, cfgs, .. }| quote!(#(#cfgs)* #name: #krate::__private::Clone::clone(&self.#name)))
        .collect();
    let fields = entries.iter().map(|Entry { name, cfgs, .. }| {
        let shown = name.to_string();
        quote!(#(#cfgs)* shown.field(#shown, &self.#name);)
    });
    let shown = sites.to_string();
    quote! {
        impl #own_impl #krate::__private::Clone for #taps #own_ty #own_where {
            fn clone(&self) -> Self {
                Self { #(#clones,)* }
            }
        }

        impl #own_impl #krate::__private::Clone for #sites #own_ty #own_where {
            fn clone(&self) -> Self {
                Self { #(#clones,)* }
            }
        }

        impl #own_impl #krate::__private::Debug for #sites #own_ty #own_where {
            fn fmt(&self, f: &mut #krate::__private::Formatter<'_>) -> #krate::__private::FmtResult {
                let mut shown = f.debug_struct(#shown);
                #(#fields)*
                shown.finish()
            }
        }
    }
}
