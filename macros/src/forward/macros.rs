//! Macros in a body: what parses as expressions in the well-known ones is traced, in any other a submodule is refused.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::parse::{ParseStream, Parser};
use syn::punctuated::Punctuated;
use syn::visit_mut::VisitMut;
use syn::{Expr, Macro, Token};

use super::control::Region;
use super::walk::Walker;

/// Macros that evaluate every argument once, in order.
const ALL: &[&str] = &[
    "vec",
    "format",
    "print",
    "println",
    "eprint",
    "eprintln",
    "write",
    "writeln",
    "dbg",
    "panic",
    "bail",
    "anyhow",
    "unreachable",
    "todo",
    "unimplemented",
    "format_args",
];
/// Macros whose first argument is always evaluated, the others only if it fails.
const FIRST: &[&str] = &["assert", "ensure"];
/// Macros whose first two arguments are always evaluated.
const FIRST_TWO: &[&str] = &["assert_eq", "assert_ne"];
/// Macros whose arguments may not be evaluated at all.
const MAYBE: &[&str] = &["debug_assert", "debug_assert_eq", "debug_assert_ne", "matches"];

impl Walker<'_> {
    pub(crate) fn macro_call(&mut self, mac: &mut Macro) {
        let name = mac.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
        let is = |list: &[&str]| list.contains(&name.as_str());
        let certain = match () {
            () if is(ALL) => usize::MAX,
            () if is(FIRST) => 1,
            () if is(FIRST_TWO) => 2,
            () if is(MAYBE) => 0,
            () => return self.foreign_macro(mac),
        };
        match parse_arguments.parse2(mac.tokens.clone()) {
            Ok(mut args) => {
                for (place, arg) in args.exprs.iter_mut().enumerate() {
                    match place < certain {
                        true => self.argument(arg),
                        false => self.inside(Region::Branch, |walk| walk.argument(arg)),
                    }
                }
                mac.tokens = args.tokens();
            }
            Err(_) => self.foreign_macro(mac),
        }
    }

    /// `name = value` of a format string is no assignment.
    fn argument(&mut self, arg: &mut Expr) {
        match arg {
            Expr::Assign(e) => self.visit_expr_mut(&mut e.right),
            arg => self.visit_expr_mut(arg),
        }
    }

    fn foreign_macro(&mut self, mac: &Macro) {
        let name = mac.path.to_token_stream().to_string().replace(' ', "");
        self.search_tokens(mac.tokens.clone(), &name);
    }

    fn search_tokens(&mut self, tokens: TokenStream, mac: &str) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for (place, token) in tokens.iter().enumerate() {
            let after = |n: usize| tokens.get(place + n);
            let before_dot = place > 0 && matches!(&tokens[place - 1], TokenTree::Punct(p) if p.as_char() == '.');
            match token {
                TokenTree::Group(group) => self.search_tokens(group.stream(), mac),
                TokenTree::Ident(ident) if ident == "self" => match (after(1), after(2)) {
                    (Some(TokenTree::Punct(dot)), Some(TokenTree::Ident(member))) if dot.as_char() == '.' => {
                        self.member_in_macro(member, matches!(after(3), Some(TokenTree::Group(_))), mac);
                    }
                    _ => self.error(
                        ident.span(),
                        format!("`self` as a whole can't be traced in `{mac}!`; use its fields, `self.name`"),
                    ),
                },
                TokenTree::Ident(ident) if !before_dot => {
                    if let Some(shape) = self.variable(ident) {
                        self.untraced(&shape, ident.span(), |name| in_macro(name, mac));
                    }
                }
                _ => {}
            }
        }
    }

    fn member_in_macro(&mut self, member: &proc_macro2::Ident, called: bool, mac: &str) {
        if let Some(shape) = self.field_shape(member) {
            self.untraced(&shape, member.span(), |name| in_macro(name, mac));
        } else if called && self.methods.contains(&member.to_string()) {
            let name = format!("`{mac}!`:{member}");
            self.events.push(super::walk::Event::Helper {
                name,
                often: super::control::Often::Once,
                span: member.span(),
            });
        }
    }
}

fn in_macro(name: &str, mac: &str) -> String {
    format!(
        "`{name}` is a submodule, and what `{mac}!` does with it can't be traced; call it before, and give the macro the result"
    )
}

struct Arguments {
    exprs: Vec<Expr>,
    /// `vec![value; count]`.
    repeat: bool,
}

impl Arguments {
    fn tokens(&self) -> TokenStream {
        let exprs = &self.exprs;
        if self.repeat { quote::quote!(#(#exprs);*) } else { quote::quote!(#(#exprs),*) }
    }
}

fn parse_arguments(input: ParseStream) -> syn::Result<Arguments> {
    if input.is_empty() {
        return Ok(Arguments { exprs: Vec::new(), repeat: false });
    }
    let first: Expr = input.parse()?;
    if input.parse::<Option<Token![;]>>()?.is_some() {
        return Ok(Arguments { exprs: vec![first, input.parse()?], repeat: true });
    }
    let mut exprs = vec![first];
    if input.parse::<Option<Token![,]>>()?.is_some() {
        exprs.extend(Punctuated::<Expr, Token![,]>::parse_terminated(input)?);
    }
    match input.is_empty() {
        true => Ok(Arguments { exprs, repeat: false }),
        false => Err(input.error("not expressions")),
    }
}
