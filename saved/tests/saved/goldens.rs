//! Every tensor of every model against what TensorFlow computes.

use std::collections::HashMap;
use std::path::Path;

use crate::common::{arrays, difference, fed, folder, inputs, json};
use candle_core::Tensor;
use taper_saved::open;

const CLOSE: f64 = 1e-5;

/// Weights and identities that TensorFlow adds when it puts functions in place of their calls.
fn is_added(name: &str) -> bool {
    let weight = name.strip_prefix("unknown").and_then(|rest| rest.strip_suffix(":0"));
    let is_number = |rest: &str| rest.strip_prefix('_').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    name.starts_with("Func/") || weight.is_some_and(|rest| rest.is_empty() || is_number(rest))
}

/// Compares every tensor, and returns how many there were.
fn check(directory: &Path, kind: &str) -> usize {
    let model = open(directory.join(kind)).unwrap();
    let expected = json(directory.join(format!("expected_{kind}.json")));
    let values = arrays(directory.join(format!("expected_{kind}.npz")));
    let inputs = inputs(&model, directory, &expected);
    let (_, taps) = model.forward_with_taps(fed(&inputs)).unwrap();
    let all: HashMap<&str, &Tensor> = taps.iter().collect();
    let mut compared = 0;
    for tensor in expected["tensors"].as_array().unwrap() {
        let (name, key) = (tensor["name"].as_str().unwrap(), tensor["key"].as_str());
        let Some(key) = key.filter(|_| !is_added(name)) else { continue };
        let own = name.strip_suffix(":0").unwrap_or(name);
        let Some(value) = all.get(own) else { panic!("{kind}: there is no `{name}`") };
        let difference = difference(value, &values[key]);
        assert!(difference <= CLOSE, "{kind}: `{name}` differs by {difference}");
        compared += 1;
    }
    compared
}

#[test]
fn every_tensor_is_tensorflows() {
    for (name, tensors) in [("mlp", 10), ("cnn", 30), ("custom", 13), ("branchy", 60)] {
        let directory = folder().join(name);
        for kind in ["export", "tfsave"] {
            let compared = check(&directory, kind);
            assert!(compared >= tensors, "{name}/{kind}: {compared}");
        }
    }
}

#[test]
fn every_keras_layer_is_found_by_its_name() {
    for name in ["mlp", "cnn", "custom", "branchy"] {
        let directory = folder().join(name);
        let layers = json(directory.join("expected_keras_layers.json"));
        let values = arrays(directory.join("expected_keras_layers.npz"));
        for kind in ["export", "tfsave"] {
            let model = open(directory.join(kind)).unwrap();
            let expected = json(directory.join(format!("expected_{kind}.json")));
            let inputs = inputs(&model, &directory, &expected);
            for key in layers.as_array().unwrap() {
                let key = key.as_str().unwrap();
                let [layer, node, _] = key.split('/').collect::<Vec<_>>()[..] else { panic!("{key}") };
                let call = node.trim_start_matches("node").parse().unwrap();
                let outputs = model.call(layer, call).unwrap_or_else(|error| panic!("{name}/{kind}: {error}"));
                let names: Vec<_> = outputs.iter().map(|tensor| tensor.name()).collect();
                let captured = model.capture(fed(&inputs), &names).unwrap();
                let found = captured.iter().any(|(_, value)| difference(value, &values[key]) <= CLOSE);
                assert!(found, "{name}/{kind}: `{key}` is none of {names:?}");
            }
        }
    }
}

#[test]
fn outputs_have_the_names_of_the_signature() {
    for name in ["mlp", "cnn", "custom", "branchy"] {
        let directory = folder().join(name);
        let expected = arrays(directory.join("outputs.npz"));
        let model = open(directory.join("export")).unwrap();
        let inputs = inputs(&model, &directory, &json(directory.join("expected_export.json")));
        let outputs = model.forward(fed(&inputs)).unwrap();
        assert_eq!(outputs.iter().len(), expected.len());
        for (key, value) in &expected {
            let found = outputs.get(key).unwrap_or_else(|| panic!("{name}: no output `{key}`"));
            assert!(difference(found, value) <= CLOSE, "{name}: `{key}`");
        }
    }
}
