//! The rules between attributes and between fields, each with its why. What rustc reports better is left to rustc.

use std::collections::HashMap;

use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::Ident;
use syn::ext::IdentExt;

use crate::ctxt::Ctxt;
use crate::load::free_mention;
use crate::model::ir::{Field, Load, Model};

/// Does nothing after an error: what was understood in part only would break a rule that the user kept.
pub(crate) fn check(cx: &Ctxt, model: &Model) {
    if cx.has_errors() {
        return;
    }
    for field in &model.fields {
        check_output(cx, field);
        check_elements(cx, field);
        check_untapped(cx, field);
        check_prefix(cx, model, field);
        check_cfg(cx, model, field);
        check_then(cx, model, field);
    }
    check_renames(cx, model);
    check_type_names(cx, model);
    if model.options.sequential.is_some() {
        check_layers(cx, model);
        check_sequential_names(cx, model);
    }
}

/// Does the struct get a loader?
pub(crate) fn has_loader(model: &Model) -> bool {
    let options = &model.options;
    options.config.is_some() || options.vb.is_some() || model.fields.iter().any(|field| field.load.is_some())
}

/// Is the field one of the calls of a sequential model? Plain data and raw parameters have nothing to call.
pub(crate) fn is_layer(field: &Field) -> bool {
    !matches!(field.load, Some(Load::Value(_) | Load::Tensor { .. }))
}

/// Every model has a tap `output`, so a field of that name would be a second one.
fn check_output(cx: &Ctxt, field: &Field) {
    if field.name() == "output" {
        cx.error(
            &field.ident,
            "the name `output` is taken by the model's own output; rename the field, and add `#[prefix(\"output\")]` if \
             the checkpoint calls it so",
        );
    }
}

/// `partial` gives an element no value or one, `repeated` several: the values have one type.
fn check_elements(cx: &Ctxt, field: &Field) {
    if field.partial && field.repeated {
        let name = field.name();
        cx.error(
            &field.ident,
            format!("`{name}` is both `partial` and `repeated`; keep `repeated`, whose list may be empty"),
        );
    }
}

/// An untapped field has no tap whose type or number a key could tell.
fn check_untapped(cx: &Ctxt, field: &Field) {
    if !field.untapped {
        return;
    }
    let name = field.name();
    if let Some(leaf) = &field.leaf {
        cx.error_at(leaf.span, format!("`{name}` is both `leaf` and `untapped`; keep the one that you mean"));
    } else if field.partial || field.repeated {
        let key = if field.partial { "partial" } else { "repeated" };
        cx.error(&field.ident, format!("`{name}` is both `{key}` and `untapped`; remove `{key}`, it has no effect"));
    }
}

/// A prefix that nothing reads hides a misunderstanding.
fn check_prefix(cx: &Ctxt, model: &Model, field: &Field) {
    let Some(prefix) = &field.prefix else { return };
    match &field.load {
        Some(Load::Value(_)) => cx.error(prefix, "`#[prefix]` has no effect beside `value`; remove it"),
        Some(Load::Expr(_)) => {
            cx.error(prefix, "`#[prefix]` has no effect beside `expr`; write `vb.pp(\"…\")` in the expression");
        }
        Some(Load::Tensor { .. }) if prefix.value().is_empty() => {
            cx.error(prefix, "a raw parameter has a name in the file; write it as the prefix");
        }
        _ if !has_loader(model) => {
            cx.error(prefix, "`#[prefix]` has no effect in a model without a loader; add `#[load(…)]` to the field");
        }
        _ => {}
    }
}

/// Without a configuration, rustc would find the macro `cfg!` and say so.
fn check_cfg(cx: &Ctxt, model: &Model, field: &Field) {
    if model.options.config.is_some() {
        return;
    }
    let mention =
        field.load.as_ref().and_then(|load| expressions(load).into_iter().find_map(|e| free_mention(e, "cfg")));
    if let Some(span) = mention {
        cx.error_at(
            span,
            "`cfg` is not known: the model has no configuration; add `#[model(config = Type)]` to the struct",
        );
    }
}

/// What a loader evaluates.
fn expressions(load: &Load) -> Vec<TokenStream> {
    match load {
        Load::Ctor(call) => vec![call.to_token_stream()],
        Load::Each { count: outer, element } => {
            let inner = element.iter().flat_map(|(_, load)| expressions(load));
            std::iter::once(outer.to_token_stream()).chain(inner).collect()
        }
        Load::Maybe { cond: outer, inner } => {
            let inner = inner.iter().flat_map(|load| expressions(load));
            std::iter::once(outer.to_token_stream()).chain(inner).collect()
        }
        Load::Tensor { shape: e } | Load::Config(e) | Load::Value(e) | Load::Expr(e) => vec![e.to_token_stream()],
    }
}

/// Only a synthesized forward has a place for steps.
fn check_then(cx: &Ctxt, model: &Model, field: &Field) {
    let Some(first) = field.then.first() else { return };
    if model.options.sequential.is_none() {
        let message =
            "`#[then]` is for a `sequential` model; add `#[model(sequential)]`, or write the step in `forward`";
        cx.error(&first.name, message);
    } else if !is_layer(field) {
        let name = field.name();
        cx.error(&first.name, format!("`{name}` is not called, so nothing comes after it; move the step to a layer"));
    }
}

/// Two generated functions of one name would be rustc's error at the derive.
fn check_renames(cx: &Ctxt, model: &Model) {
    let rename = &model.options.rename;
    if let (Some(load), false) = (&rename.load, has_loader(model)) {
        cx.error(load, "`load` is not generated for this model; remove the new name");
    }
    let generated = [
        ("load", &rename.load),
        ("forward_with_taps", &rename.forward_with_taps),
        ("capture", &rename.capture),
        ("capture_attached", &rename.capture_attached),
        ("run", &rename.run),
        ("sites", &rename.sites),
    ];
    let mut taken: Vec<String> =
        generated.iter().filter(|(_, new)| new.is_none()).map(|(old, _)| (*old).to_owned()).collect();
    taken.push("forward".to_owned());
    for new in generated.into_iter().filter_map(|(_, new)| new.as_ref()) {
        let name = new.unraw().to_string();
        if taken.contains(&name) {
            cx.error(new, format!("`{name}` is the name of another function of the model; choose another name"));
        }
        taken.push(name);
    }
}

/// The two structs and the model are types of one module.
fn check_type_names(cx: &Ctxt, model: &Model) {
    let options = &model.options;
    for name in [&options.taps, &options.sites].into_iter().flatten() {
        if *name == model.ident {
            cx.error(name, format!("`{name}` is the name of the model; choose another name"));
        }
    }
    if let Some(sites) = options.sites.as_ref().filter(|sites| options.taps.as_ref() == Some(*sites)) {
        cx.error(sites, format!("`{sites}` is the name of the taps; choose another name for the sites"));
    }
}

/// A chain calls each of its fields, and has one.
fn check_layers(cx: &Ctxt, model: &Model) {
    for field in &model.fields {
        if matches!(field.load, Some(Load::Tensor { .. })) {
            let name = field.name();
            let message =
                format!("`{name}` is a raw parameter, which a `sequential` model cannot apply; write a `forward`");
            cx.error(&field.ident, message);
        }
    }
    let any = model.fields.iter().any(|field| !matches!(field.load, Some(Load::Value(_))));
    if let (Some(sequential), false) = (&model.options.sequential, any) {
        let name = &model.ident;
        cx.error_at(sequential.span, format!("`{name}` has no layers to call; add one, or remove `sequential`"));
    }
}

/// Fields, steps, the input and the output of a chain are taps of one struct.
fn check_sequential_names(cx: &Ctxt, model: &Model) {
    let mut taken: HashMap<String, &str> = HashMap::from([("input".to_owned(), "the chain's own input")]);
    for field in model.fields.iter().filter(|field| is_layer(field)) {
        // A field named `output` has its error already, and rustc reports two fields of one name.
        if field.name() == "input" {
            cx.error(
                &field.ident,
                "the name `input` is taken by the chain's own input; rename the field, and add `#[prefix(\"input\")]` \
                 if the checkpoint calls it so",
            );
        }
        taken.insert(field.name(), "a field");
    }
    taken.insert("output".to_owned(), "the model's own output");
    for step in model.fields.iter().flat_map(|field| &field.then) {
        let name = step.name.unraw().to_string();
        if let Some(owner) = taken.get(&name) {
            taken_error(cx, &step.name, owner);
        }
        taken.insert(name, "another step");
    }
}

fn taken_error(cx: &Ctxt, name: &Ident, owner: &str) {
    let message = format!("the name `{}` is taken by {owner}; rename the step", name.unraw());
    cx.error(name.to_token_stream(), message);
}
