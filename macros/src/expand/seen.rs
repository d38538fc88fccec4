//! How a run looks at its arguments, so that a replay can tell whether it has the same.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::Type;

use super::Input;

/// Looks at an argument of type `ty` that stands behind `place`, a reference to it.
///
/// What a shared reference refers to is looked at in place of the reference. Values are compared by traits, and which trait
/// a type has is found out by method look-up, which does not tell lifetimes apart: what borrows must not come to the trait
/// whose values are kept, or the model would not compile.
pub(super) fn look(input: &Input<'_>, mut ty: &Type, mut place: TokenStream) -> TokenStream {
    let private = {
        let krate = input.krate;
        quote!(#krate::__private)
    };
    loop {
        match ty {
            Type::Reference(reference) if reference.mutability.is_none() => {
                place = quote!(*#place);
                ty = &reference.elem;
            }
            Type::Paren(inner) => ty = &inner.elem,
            Type::Group(inner) => ty = &inner.elem,
            _ => break,
        }
    }
    let traits = if borrows(quote!(#ty)) { quote!(borrowed_arguments) } else { quote!(arguments) };
    quote!({
        #[allow(unused_imports, reason = "which of them is needed is for the type of the argument to say")]
        use #private::#traits::*;
        (&#private::Argument(&*#place)).see()
    })
}

/// Whether a type is written with a reference or a lifetime.
fn borrows(ty: TokenStream) -> bool {
    ty.into_iter().any(|token| match token {
        TokenTree::Punct(punct) => matches!(punct.as_char(), '&' | '\''),
        TokenTree::Group(group) => borrows(group.stream()),
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    })
}
