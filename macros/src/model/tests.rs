//! Each rule with the mistake that it is about: one mistake, one error, with this text, at this token.

use syn::DeriveInput;

use super::ir::{Load, Model};
use crate::ctxt::Ctxt;

fn parsed(input: &str) -> (Option<Model>, Vec<String>) {
    let input: DeriveInput = syn::parse_str(input).expect("test input");
    let cx = Ctxt::new();
    let model = super::parse::parse(&cx, &input);
    if let Some(model) = &model {
        super::check::check(&cx, model);
    }
    let errors = cx.check().err().into_iter().flatten();
    (model, errors.map(|error| format!("{:?}: {error}", error.span().source_text().unwrap_or_default())).collect())
}

/// The only error of `input`, which begins with the text that it underlines.
#[track_caller]
fn error(input: &str, expected: &str) {
    let (_, errors) = parsed(input);
    assert_eq!(errors.len(), 1, "{errors:#?}");
    assert_eq!(errors[0], expected);
}

fn good(input: &str) -> Model {
    let (model, errors) = parsed(input);
    assert!(errors.is_empty(), "{errors:#?}");
    model.expect("a model")
}

#[test]
fn only_structs_with_named_fields() {
    error("enum A { B }", r#""A": `A` is an enum; a model is a struct with named fields, put the enum in a field"#);
    error("union A { b: u8 }", r#""A": `A` is a union; a model is a struct with named fields, write `struct`"#);
    error("struct A(u8);", r#""A": `A` is a tuple struct; a model has named fields, give each field a name"#);
    error("struct A;", r#""A": `A` is a unit struct; a model has named fields; write `struct A {}`"#);
    assert!(good("struct A {}").fields.is_empty());
}

#[test]
fn all_keys_are_read() {
    let model = good(
        "#[model(crate = a::b, sequential(train), config = Config, vb = Vb, no_module, stateful)]
         #[model(unchecked, taps = T, sites = S, rename(capture = \"peek\", sites = \"addresses\"))]
         struct A {
             #[model(leaf = (Tensor, Tensor), partial)] #[prefix(\"x.y\")] #[load(f(1))] r#type: B,
             #[model(leaf)] #[then(/// docs
                 act = Tensor::relu, pool = |x| x.max_pool2d((2, 2)),)] b: B,
             #[model(untapped)] c: B,
             #[model(repeated)] d: B,
         }",
    );
    let options = &model.options;
    assert!(options.no_module && options.stateful && options.unchecked && options.config.is_some());
    assert!(options.sequential.as_ref().is_some_and(|sequential| sequential.train));
    assert_eq!(options.rename.capture.as_ref().unwrap(), "peek");
    assert_eq!(options.rename.sites.as_ref().unwrap(), "addresses");
    assert!(options.rename.load.is_none());
    assert_eq!(model.fields[0].name(), "type");
    assert!(model.fields[0].leaf.as_ref().is_some_and(|leaf| leaf.value.is_some()));
    assert_eq!(model.fields[1].then.len(), 2);
    assert_eq!(model.fields[1].then[0].docs.len(), 1);
}

#[test]
fn unknown_and_misplaced_keys() {
    error(
        "#[model(sequental)] struct A { a: B }",
        r#""sequental": `sequental` is not a key of `#[model]`; did you mean `sequential`?"#,
    );
    error(
        "struct A { #[model(zzz)] a: B }",
        r#""zzz": `zzz` is not a key of `#[model]`; the keys here are `leaf`, `untapped`, `partial` and `repeated`"#,
    );
    error(
        "#[model(leaf)] struct A { a: B }",
        r#""leaf": `leaf` is a key of a field; write `#[model(leaf)]` or `#[model(leaf = Type)]` above a field"#,
    );
    error(
        "struct A { #[model(config = C)] a: B }",
        r#""config": `config` is a key of the struct; write `#[model(config = Type)]` above the struct"#,
    );
    error(
        "#[load(f())] struct A { a: B }",
        r#""load": `#[load]` is an attribute of a field; move it to the field that it is about"#,
    );
    error("#[model] struct A { a: B }", r#""model": `#[model]` takes its keys in parentheses; write `#[model(key)]`"#);
}

#[test]
fn values_of_keys() {
    error("#[model(config)] struct A { a: B }", r#""config": `config` has no value; write `config = Type`"#);
    error("#[model(config = , vb = V)] struct A { a: B }", r#""config": `config` has no value; write `config = Type`"#);
    error("#[model(crate)] struct A { a: B }", r#""crate": `crate` has no value; write `crate = path`"#);
    error(
        "#[model(stateful = true)] struct A { a: B }",
        r#""=": `stateful` is written `stateful`; remove what follows"#,
    );
    error(
        "#[model(sequential(trian))] struct A { a: B }",
        r#""(trian)": `sequential` takes nothing or `train`; write `sequential` or `sequential(train)`"#,
    );
    error(
        "#[model(sequential(train, x))] struct A { a: B }",
        r#""(train, x)": `sequential` takes nothing or `train`; write `sequential` or `sequential(train)`"#,
    );
    error("#[model(config = (A B))] struct A { a: B }", r#""B": unexpected token, expected `)`"#);
    error(
        "#[model(rename(peek = \"x\"))] struct A { a: B }",
        r#""peek": `peek` is not a generated function; these are `load`, `forward_with_taps`, `capture`, `capture_attached`, `run` and `sites`"#,
    );
    error(
        "#[model(rename(run = go))] struct A { a: B }",
        r#""run": `run` has no new name; write `run = "…"`, with the name as a string"#,
    );
    error(
        "#[model(rename(run = \"a b\"))] struct A { a: B }",
        r#""\"a b\"": `a b` is not a name of a function; write an identifier"#,
    );
    error(
        "#[model(rename(run = \"capture\"))] struct A { a: B }",
        r#""\"capture\"": `capture` is the name of another function of the model; choose another name"#,
    );
    error(
        "#[model(rename(load = \"open\"))] struct A { a: B }",
        r#""\"open\"": `load` is not generated for this model; remove the new name"#,
    );
}

#[test]
fn duplicates() {
    error(
        "#[model(stateful)] #[model(stateful)] struct A { a: B }",
        r#""stateful": `stateful` is given twice; keep one"#,
    );
    error("struct A { #[load(f())] #[load(g())] a: B }", r#""load": `#[load]` is given twice; keep one"#);
    error("#[model(rename(run = \"a\", run = \"b\"))] struct A { a: B }", r#""run": `run` is given twice; keep one"#);
}

#[test]
fn every_mistake_is_reported() {
    let (model, errors) = parsed("#[model(a, config, stateful)] struct A { #[load(linear)] a: B, #[prefix] b: C }");
    assert_eq!(errors.len(), 4, "{errors:#?}");
    assert!(model.is_some_and(|model| model.options.stateful && model.fields[0].load.is_some()));
    error(
        "struct A { #[load(linear)] #[prefix(\"x\")] a: B }",
        r#""linear": `linear` is not called; write `linear(…)` with its arguments, without the builder"#,
    );
}

#[test]
fn loaders() {
    error("struct A { #[load] a: B }", r#""load": `#[load]` takes a loader in parentheses; write `#[load(ctor(…))]`"#);
    error(
        "struct A { #[load(linear)] a: B }",
        r#""linear": `linear` is not called; write `linear(…)` with its arguments, without the builder"#,
    );
    error(
        "struct A { #[load(linear(1)?)] a: B }",
        r#""linear(1)?": the loader hands on errors itself; remove the `?`"#,
    );
    error(
        "struct A { #[load(x.y())] a: B }",
        r#""x.y()": this is not a loader; write a call of a constructor without its builder, or `expr = …`"#,
    );
    error(
        "struct A { #[load(each())] a: B }",
        r#""each()": `each` does not take 0 arguments; write `each(n)` or `each(n, |i| ctor(…))`"#,
    );
    error(
        "struct A { #[load(maybe(a, f(), 3))] a: B }",
        r#""maybe(a, f(), 3)": `maybe` does not take 3 arguments; write `maybe(condition)` or `maybe(condition, ctor(…))`"#,
    );
    error(
        "struct A { #[load(each(3, f()))] a: B }",
        r#""f()": the second argument of `each` is a closure of the index; write `each(n, |i| ctor(…))`"#,
    );
    error(
        "struct A { #[load(each(3, |a, b| f()))] a: B }",
        r#""|a, b| f()": the closure of `each` is plain and takes the index alone; write `each(n, |i| ctor(…))`"#,
    );
    error(
        "struct A { #[load(each(3, |i| f))] a: B }",
        r#""f": `f` is not called; write `f(…)` with its arguments, without the builder"#,
    );
    error(
        "struct A { #[load(vlaue = 3)] a: B }",
        r#""vlaue": `vlaue` is not a key of `#[load]`; did you mean `value`?"#,
    );
    error(
        "struct A { #[load(each = 3)] a: B }",
        r#""each": `each` is written as a call; write `each(n)` or `each(n, |i| ctor(…))`"#,
    );
    error("struct A { #[load(value(3))] a: B }", r#""value(3)": `value` is not called; write `value = …`"#);
    error(
        "struct A { #[load(linear(cfg.n, 3))] a: B }",
        r#""cfg": `cfg` is not known: the model has no configuration; add `#[model(config = Type)]` to the struct"#,
    );
    let model = good("struct A { #[load(each(n, |i| maybe(i > 2, f(i))))] a: B, #[load(m::each(3))] b: B }");
    assert!(
        matches!(&model.fields[0].load, Some(Load::Each { element: Some((_, inner)), .. }) if matches!(**inner, Load::Maybe { .. }))
    );
    assert!(matches!(&model.fields[1].load, Some(Load::Ctor(_))));
}

#[test]
fn prefixes() {
    error(
        "struct A { #[load(f())] #[prefix(x)] r#a: B }",
        r#""prefix(x)": `#[prefix]` takes one string in parentheses; write `#[prefix("a")]`"#,
    );
    error(
        "struct A { #[load(value = 3)] #[prefix(\"x\")] a: B }",
        r#""\"x\"": `#[prefix]` has no effect beside `value`; remove it"#,
    );
    error(
        "struct A { #[prefix(\"x\")] a: B }",
        r#""\"x\"": `#[prefix]` has no effect in a model without a loader; add `#[load(…)]` to the field"#,
    );
    error(
        "struct A { #[load(tensor(3))] #[prefix(\"\")] a: B }",
        r#""\"\"": a raw parameter has a name in the file; write it as the prefix"#,
    );
}

#[test]
fn rules_between_keys() {
    error(
        "struct A { #[model(partial, repeated)] a: B }",
        r#""a": `a` is both `partial` and `repeated`; keep `repeated`, whose list may be empty"#,
    );
    error(
        "struct A { #[model(leaf, untapped)] a: B }",
        r#""leaf": `a` is both `leaf` and `untapped`; keep the one that you mean"#,
    );
    error(
        "#[model(unchecked)] struct A { a: B }",
        r#""unchecked": `unchecked` is about the sizes in a `sequential` model; remove it"#,
    );
    error("#[model(taps = A)] struct A { a: B }", r#""A": `A` is the name of the model; choose another name"#);
    error(
        "#[model(taps = T, sites = T)] struct A { a: B }",
        r#""T": `T` is the name of the taps; choose another name for the sites"#,
    );
    error(
        "struct A { output: B }",
        r#""output": the name `output` is taken by the model's own output; rename the field, and add `#[prefix("output")]` if the checkpoint calls it so"#,
    );
}

#[test]
fn chains() {
    error(
        "struct A { #[then(act = f)] a: B }",
        r#""act": `#[then]` is for a `sequential` model; add `#[model(sequential)]`, or write the step in `forward`"#,
    );
    error(
        "#[model(sequential)] struct A {}",
        r#""sequential": `A` has no layers to call; add one, or remove `sequential`"#,
    );
    error(
        "#[model(sequential)] struct A { a: B, #[load(tensor(3))] s: T }",
        r#""s": `s` is a raw parameter, which a `sequential` model cannot apply; write a `forward`"#,
    );
    error(
        "#[model(sequential)] struct A { #[then(b = f)] a: B, b: B }",
        r#""b": the name `b` is taken by a field; rename the step"#,
    );
    error(
        "#[model(sequential)] struct A { #[then(c = f, c = f)] a: B }",
        r#""c": the name `c` is taken by another step; rename the step"#,
    );
    error(
        "#[model(sequential)] struct A { #[then(output = f)] a: B }",
        r#""output": the name `output` is taken by the model's own output; rename the step"#,
    );
    error(
        "#[model(sequential)] struct A { #[then(input = f)] a: B }",
        r#""input": the name `input` is taken by the chain's own input; rename the step"#,
    );
    error(
        "#[model(sequential)] struct A { #[then(f)] a: B }",
        r#""f": a step has a name, which its tap bears; write `act1 = Tensor::relu`"#,
    );
    error(
        "#[model(sequential)] struct A { #[then] a: B }",
        r#""then": `#[then]` takes its steps in parentheses; write `#[then(act1 = Tensor::relu)]`"#,
    );
}
