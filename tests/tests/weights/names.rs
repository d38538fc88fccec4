//! Names: renamed, and found with a prefix or without it.

use std::collections::HashMap;

use super::*;

fn weights(names: &[&str]) -> Weights {
    let tensors: HashMap<_, _> =
        names.iter().enumerate().map(|(i, name)| ((*name).to_owned(), counting(&[i + 1]))).collect();
    Weights::from_tensors(tensors, DType::F32, &Device::Cpu)
}

#[test]
fn renamed_tensors_are_found_by_their_new_names_only() {
    let weights = weights(&["norm.beta", "norm.gamma"]);
    let weights = weights.renamed(|name| name.replace("gamma", "weight").replace("beta", "bias")).unwrap();
    assert_eq!(weights.names().collect::<Vec<_>>(), ["norm.bias", "norm.weight"]);
    weights.load(|vb| Ok((vb.get(1, "norm.bias")?, vb.get(2, "norm.weight")?))).unwrap();
    contains(&message(weights.load(|vb| vb.get(2, "norm.gamma"))), &["missing `norm.gamma`"]);
}

#[test]
fn two_tensors_of_one_new_name_are_an_error_that_names_both() {
    let text = message(weights(&["a.gamma", "a.weight", "b"]).renamed(|name| name.replace("gamma", "weight")));
    contains(&text, &["`a.gamma` and `a.weight`", "would both be named `a.weight`"]);
}

#[test]
fn a_prefix_may_be_there_or_not_on_either_side() {
    let load = |names: &[&str], asked: [&str; 2]| {
        let weights = weights(names).with_or_without("model");
        weights.load(|vb| Ok((vb.get(1, asked[0])?, vb.get(2, asked[1])?)))
    };
    for body in ["wte", "model.wte"] {
        for asked in ["wte", "model.wte"] {
            load(&[body, "lm_head"], [asked, "lm_head"]).unwrap();
        }
    }
    // What is missing is missing, and what is left is left, by the name that the file has for it.
    let text = message(load(&["model.wpe", "lm_head"], ["model.wte", "lm_head"]));
    contains(&text, &["missing `model.wte`", "unused `model.wpe`"]);
}

#[test]
fn an_exact_name_comes_before_an_optional_prefix() {
    let weights = weights(&["w", "model.w"]).with_or_without("model");
    weights.load(|vb| Ok((vb.get(1, "w")?, vb.get(2, "model.w")?))).unwrap();
}

#[test]
fn one_tensor_is_not_taken_for_two() {
    let text =
        message(weights(&["w"]).with_or_without("model").load(|vb| Ok((vb.get(1, "w")?, vb.get(1, "model.w")?))));
    contains(&text, &["1 asked for twice", "`w` would be both `w` and `model.w`"]);
}

#[test]
fn other_names_add_up() {
    let weights = weights(&["bert.norm.beta", "bert.norm.gamma"]).with_or_without("bert");
    let old = |new: &'static str, old: &'static str| {
        move |name: &str| name.strip_suffix(new).map(|name| format!("{name}{old}"))
    };
    let weights = weights.or_named(old(".weight", ".gamma")).or_named(old(".bias", ".beta"));
    assert!(weights.contains("norm.weight") && !weights.contains("norm.scale"));
    weights.load(|vb| Ok((vb.get(1, "norm.bias")?, vb.get(2, "norm.weight")?))).unwrap();
    let text = message(weights.load(|vb| Ok((vb.get(1, "norm.bias")?, vb.get(1, "norm.beta")?))));
    contains(&text, &["`bert.norm.beta` would be both `norm.bias` and `norm.beta`", "unused `bert.norm.gamma`"]);
}
