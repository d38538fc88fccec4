//! How a field holds its submodules: `Vec<Option<Block>>` is elements, of which each may be absent.

use syn::{GenericArgument, PathArguments, Type};

/// One container around submodules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Level {
    /// `Vec`, array, slice: told apart by their place.
    Many,
    /// `Option`.
    Opt,
}

/// The containers of a type, outermost first, and what is inside. `Box`, `Arc`, `Rc` and references are looked through.
pub(crate) fn levels(ty: &Type) -> (Vec<Level>, &Type) {
    let mut levels = Vec::new();
    let mut inner = ty;
    loop {
        match inner {
            Type::Group(t) => inner = &t.elem,
            Type::Paren(t) => inner = &t.elem,
            Type::Reference(t) => inner = &t.elem,
            Type::Array(t) => {
                levels.push(Level::Many);
                inner = &t.elem;
            }
            Type::Slice(t) => {
                levels.push(Level::Many);
                inner = &t.elem;
            }
            Type::Path(_) => match container(inner) {
                Some((level, elem)) => {
                    levels.extend(level);
                    inner = elem;
                }
                None => break,
            },
            _ => break,
        }
    }
    // An absent container of elements is one without elements.
    let last_many = levels.iter().rposition(|l| *l == Level::Many);
    let mut place = 0;
    levels.retain(|level| {
        place += 1;
        *level == Level::Many || last_many.is_none_or(|many| place > many)
    });
    (levels, inner)
}

fn container(ty: &Type) -> Option<(Option<Level>, &Type)> {
    let Type::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(args) = &last.arguments else { return None };
    let mut types = args.args.iter().filter_map(|arg| match arg {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    let (elem, None) = (types.next()?, types.next()) else { return None };
    let level = match last.ident.to_string().as_str() {
        "Vec" => Some(Level::Many),
        "Option" => Some(Level::Opt),
        // `Box<dyn Module>` is a leaf of its own.
        "Box" | "Arc" | "Rc" if !matches!(elem, Type::TraitObject(_)) => None,
        _ => return None,
    };
    Some((level, elem))
}

#[cfg(test)]
mod tests {
    use super::*;
    use quote::ToTokens;
    use syn::parse_quote;

    #[test]
    fn containers_are_looked_through() {
        let check = |ty: Type, expected: &[Level], inner: &str| {
            let (found, rest) = levels(&ty);
            assert_eq!((found.as_slice(), rest.to_token_stream().to_string().as_str()), (expected, inner));
        };
        check(parse_quote!(Linear), &[], "Linear");
        check(parse_quote!(Vec<Box<Block>>), &[Level::Many], "Block");
        check(parse_quote!(std::vec::Vec<Option<Block>>), &[Level::Many, Level::Opt], "Block");
        check(parse_quote!([Vec<Block>; 4]), &[Level::Many, Level::Many], "Block");
        check(parse_quote!(Option<Vec<Block>>), &[Level::Many], "Block");
        check(parse_quote!(&'a Option<Linear>), &[Level::Opt], "Linear");
        check(parse_quote!(Option<Box<dyn Module>>), &[Level::Opt], "Box < dyn Module >");
        check(parse_quote!(HashMap<String, Block>), &[], "HashMap < String , Block >");
    }
}
