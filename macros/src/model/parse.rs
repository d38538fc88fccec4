//! From a struct to its [`Model`]. What is wrong goes to the context, and the model is built all the same, so that the
//! items that other code names exist and one mistake stays one error.

use quote::ToTokens;
use syn::ext::IdentExt;
use syn::parse::ParseStream;
use syn::punctuated::Punctuated;
use syn::{Attribute, Data, DeriveInput, Fields, Ident, LitStr, Token};

use crate::ctxt::Ctxt;
use crate::model::attrs::{self, Cell};
use crate::model::ir::{Field, Leaf, Model, ModelOptions, Renames, Sequential, Step};
use crate::model::symbols::{FIELD_ATTRIBUTES, Place, RENAMES};
use crate::model::{loader, types};
use crate::suggest;

/// `None` when the input is not a struct with named fields. The rules between fields are in [`super::check`].
pub(crate) fn parse(cx: &Ctxt, input: &DeriveInput) -> Option<Model> {
    let fields = named_fields(cx, input)?;
    Some(Model {
        vis: input.vis.clone(),
        ident: input.ident.clone(),
        generics: input.generics.clone(),
        options: parse_options(cx, &input.attrs),
        fields: fields.named.iter().filter_map(|field| parse_field(cx, field)).collect(),
    })
}

fn named_fields<'a>(cx: &Ctxt, input: &'a DeriveInput) -> Option<&'a syn::FieldsNamed> {
    let name = &input.ident;
    let fault = match &input.data {
        Data::Struct(data) => match &data.fields {
            Fields::Named(fields) => return Some(fields),
            Fields::Unnamed(_) => {
                format!("`{name}` is a tuple struct; a model has named fields, give each field a name")
            }
            Fields::Unit => format!("`{name}` is a unit struct; a model has named fields; write `struct {name} {{}}`"),
        },
        Data::Enum(_) => format!("`{name}` is an enum; a model is a struct with named fields, put the enum in a field"),
        Data::Union(_) => format!("`{name}` is a union; a model is a struct with named fields, write `struct`"),
    };
    cx.error(name, fault);
    None
}

fn parse_options(cx: &Ctxt, attributes: &[Attribute]) -> ModelOptions {
    let mut krate = Cell::new(cx, "crate");
    let mut sequential = Cell::new(cx, "sequential");
    let mut config = Cell::new(cx, "config");
    let mut vb = Cell::new(cx, "vb");
    let mut no_module = Cell::new(cx, "no_module");
    let mut stateful = Cell::new(cx, "stateful");
    let mut unchecked = Cell::new(cx, "unchecked");
    let mut taps = Cell::new(cx, "taps");
    let mut sites = Cell::new(cx, "sites");
    let mut rename = Cell::new(cx, "rename");
    for attr in attributes {
        if let Some(name) = FIELD_ATTRIBUTES.iter().find(|name| attr.path().is_ident(name)) {
            cx.error(
                attr.path(),
                format!("`#[{name}]` is an attribute of a field; move it to the field that it is about"),
            );
        }
        if !attr.path().is_ident("model") {
            continue;
        }
        attrs::each_key(cx, attr, Place::Struct, |key, input| {
            match key.to_string().as_str() {
                "crate" => {
                    require_value(key, input)?;
                    krate.set(key, input.call(syn::Path::parse_mod_style)?);
                }
                "sequential" => sequential.set(key, parse_sequential(key, input)?),
                "config" => config.set(key, attrs::value(key, input)?),
                "vb" => vb.set(key, attrs::value(key, input)?),
                "no_module" => no_module.set(key, ()),
                "stateful" => stateful.set(key, ()),
                "unchecked" => unchecked.set(key, key.span()),
                "taps" => taps.set(key, attrs::value(key, input)?),
                "sites" => sites.set(key, attrs::value(key, input)?),
                _ => rename.set(key, parse_renames(cx, key, input)?),
            }
            Ok(())
        });
    }
    let sequential = sequential.get();
    let unchecked = unchecked.get();
    if let (Some(span), None) = (unchecked, &sequential) {
        cx.error_at(span, "`unchecked` is about the sizes in a `sequential` model; remove it");
    }
    ModelOptions {
        krate: krate.get().unwrap_or_else(|| syn::parse_quote!(::taper)),
        sequential,
        config: config.get(),
        vb: vb.get(),
        no_module: no_module.is_set(),
        stateful: stateful.is_set(),
        unchecked: unchecked.is_some(),
        taps: taps.get(),
        sites: sites.get(),
        rename: rename.get().unwrap_or_default(),
    }
}

/// The `=` of a key whose value is not parsed by `Parse`.
fn require_value(key: &Ident, input: ParseStream) -> syn::Result<()> {
    if input.peek(Token![=]) && !input.peek2(Token![,]) {
        input.parse::<Token![=]>()?;
        if !input.is_empty() {
            return Ok(());
        }
    }
    Err(syn::Error::new(key.span(), "`crate` has no value; write `crate = path`"))
}

fn parse_sequential(key: &Ident, input: ParseStream) -> syn::Result<Sequential> {
    let mut train = false;
    if input.peek(syn::token::Paren) {
        let content;
        let paren = syn::parenthesized!(content in input);
        let word = content.call(Ident::parse_any);
        train = matches!(&word, Ok(word) if word == "train") && content.is_empty();
        if !train {
            return Err(syn::Error::new(
                paren.span.join(),
                "`sequential` takes nothing or `train`; write `sequential` or `sequential(train)`",
            ));
        }
    }
    Ok(Sequential { span: key.span(), train })
}

fn parse_renames(cx: &Ctxt, key: &Ident, input: ParseStream) -> syn::Result<Renames> {
    if !input.peek(syn::token::Paren) {
        return Err(syn::Error::new(key.span(), "`rename` has no names; write `rename(capture = \"…\")`"));
    }
    let content;
    syn::parenthesized!(content in input);
    let mut cells = RENAMES.iter().map(|name| Cell::new(cx, name)).collect::<Vec<_>>();
    while !content.is_empty() {
        let function = content.call(Ident::parse_any)?;
        let name = function.to_string();
        let Some(at) = RENAMES.iter().position(|known| *known == name) else {
            let list = format!("; these are {}", attrs::quoted(RENAMES.iter().copied()));
            let hint = suggest::hint(&name, RENAMES.iter().copied(), &list);
            return Err(syn::Error::new(function.span(), format!("`{name}` is not a generated function{hint}")));
        };
        cells[at].set(&function, parse_new_name(&function, &content)?);
        if !content.is_empty() {
            content.parse::<Token![,]>()?;
        }
    }
    let mut names = cells.into_iter().map(Cell::get);
    let mut next = || names.next().flatten();
    Ok(Renames {
        load: next(),
        forward_with_taps: next(),
        capture: next(),
        capture_attached: next(),
        run: next(),
        sites: next(),
    })
}

/// `= "name"`.
fn parse_new_name(function: &Ident, input: ParseStream) -> syn::Result<Ident> {
    if !input.peek(Token![=]) || !input.peek2(LitStr) {
        let message = format!("`{function}` has no new name; write `{function} = \"…\"`, with the name as a string");
        return Err(syn::Error::new(function.span(), message));
    }
    input.parse::<Token![=]>()?;
    let name: LitStr = input.parse()?;
    name.parse::<Ident>().map_err(|_| {
        let message = format!("`{}` is not a name of a function; write an identifier", name.value());
        syn::Error::new(name.span(), message)
    })
}

fn parse_field(cx: &Ctxt, field: &syn::Field) -> Option<Field> {
    if let Err(error) = field.modifiers.require_empty() {
        cx.syn_error(error);
    }
    if let Some((equals, value)) = &field.default {
        let tokens = equals.to_token_stream().into_iter().chain(value.to_token_stream());
        let tokens: proc_macro2::TokenStream = tokens.collect();
        cx.error(tokens, "a model's field has no default value; write `#[load(value = …)]`");
    }
    let mut parsed = Field {
        ident: field.ident.clone()?,
        ty: types::ungroup(&field.ty).clone(),
        leaf: None,
        untapped: false,
        partial: false,
        repeated: false,
        load: None,
        prefix: None,
        then: Vec::new(),
    };
    parse_field_keys(cx, &field.attrs, &mut parsed);
    let mut load = Cell::new(cx, "#[load]");
    let mut prefix = Cell::new(cx, "#[prefix]");
    let mut then = Cell::new(cx, "#[then]");
    for attr in &field.attrs {
        if attr.path().is_ident("load") {
            load.set(attr.path(), loader::parse(cx, attr));
        } else if attr.path().is_ident("prefix") {
            prefix.set(attr.path(), parse_prefix(cx, attr, &parsed.ident));
        } else if attr.path().is_ident("then") {
            then.set(attr.path(), parse_steps(cx, attr));
        } else if attr.path().is_ident("tap") {
            let message =
                "`#[tap]` stands on a `let` or a parameter of `forward`; a field is tapped where it is called";
            cx.error(attr.path(), message);
        } else if attr.path().is_ident("untapped") {
            cx.error(attr.path(), "`#[untapped]` stands on a statement; on a field, write `#[model(untapped)]`");
        }
    }
    parsed.load = load.get();
    parsed.prefix = prefix.get().flatten();
    parsed.then = then.get().unwrap_or_default();
    Some(parsed)
}

fn parse_field_keys(cx: &Ctxt, attributes: &[Attribute], field: &mut Field) {
    let mut leaf = Cell::new(cx, "leaf");
    let mut untapped = Cell::new(cx, "untapped");
    let mut partial = Cell::new(cx, "partial");
    let mut repeated = Cell::new(cx, "repeated");
    for attr in attributes.iter().filter(|attr| attr.path().is_ident("model")) {
        attrs::each_key(cx, attr, Place::Field, |key, input| {
            match key.to_string().as_str() {
                "leaf" => {
                    let value = if input.peek(Token![=]) { Some(attrs::value(key, input)?) } else { None };
                    leaf.set(key, Leaf { span: key.span(), value });
                }
                "untapped" => untapped.set(key, ()),
                "partial" => partial.set(key, ()),
                _ => repeated.set(key, ()),
            }
            Ok(())
        });
    }
    field.leaf = leaf.get();
    field.untapped = untapped.is_set();
    field.partial = partial.is_set();
    field.repeated = repeated.is_set();
}

fn parse_prefix(cx: &Ctxt, attr: &Attribute, field: &Ident) -> Option<LitStr> {
    let prefix = attr.meta.require_list().and_then(|list| list.parse_args::<LitStr>());
    match prefix {
        Ok(prefix) => Some(prefix),
        Err(_) => {
            let message =
                format!("`#[prefix]` takes one string in parentheses; write `#[prefix(\"{}\")]`", field.unraw());
            cx.error(&attr.meta, message);
            None
        }
    }
}

/// `name = step, …`, each with docs.
fn parse_steps(cx: &Ctxt, attr: &Attribute) -> Vec<Step> {
    const WRITTEN: &str = "write `#[then(act1 = Tensor::relu)]`";
    let syn::Meta::List(list) = &attr.meta else {
        cx.error(&attr.meta, format!("`#[then]` takes its steps in parentheses; {WRITTEN}"));
        return Vec::new();
    };
    let steps = |input: ParseStream| Punctuated::<Step, Token![,]>::parse_terminated_with(input, parse_step);
    match list.parse_args_with(steps) {
        Ok(steps) => {
            if steps.is_empty() {
                cx.error(&attr.meta, format!("`#[then]` has no steps; {WRITTEN}"));
            }
            steps.into_iter().collect()
        }
        Err(error) => {
            cx.syn_error(error);
            Vec::new()
        }
    }
}

fn parse_step(input: ParseStream) -> syn::Result<Step> {
    let (docs, other): (Vec<_>, Vec<_>) =
        input.call(Attribute::parse_outer)?.into_iter().partition(|attr| attr.path().is_ident("doc"));
    if let Some(attr) = other.first() {
        return Err(syn::Error::new_spanned(attr, "a step takes doc comments only; remove the attribute"));
    }
    if !input.peek(Ident::peek_any) || !input.peek2(Token![=]) {
        return Err(syn::Error::new(
            input.span(),
            "a step has a name, which its tap bears; write `act1 = Tensor::relu`",
        ));
    }
    let name: Ident = input.parse()?;
    input.parse::<Token![=]>()?;
    Ok(Step { docs, name, step: input.parse()? })
}
