//! Every tensor of every model against what TensorFlow computes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::common::{arrays, difference, fed, folder, inputs, json};
use serde_json::Value;
use taper_saved::{Captured, open, open_signature};

const CLOSE: f64 = 1e-5;

/// Weights and identities that TensorFlow adds when it puts functions in place of their calls.
fn is_added(name: &str) -> bool {
    let weight = name.strip_prefix("unknown").and_then(|rest| rest.strip_suffix(":0"));
    let is_number = |rest: &str| rest.strip_prefix('_').is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()));
    name.starts_with("Func/") || weight.is_some_and(|rest| rest.is_empty() || is_number(rest))
}

/// What can't be computed, by model: the operations that are to blame.
const UNSUPPORTED: &[(&str, &[&str])] = &[
    // Control flow as TensorFlow 1 writes it.
    ("tf1_switches", &["Exit", "Merge", "Switch"]),
];

/// A table of tensors: the folder of its model, its own name, what it says.
struct Expected {
    model: PathBuf,
    values: PathBuf,
    table: Value,
}

/// The tables of a model: `expected_KIND.json`, or `expected_KIND.SIGNATURE.json`.
fn expected(directory: &Path) -> Vec<Expected> {
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let kinds = files.filter_map(|file| Some(file.strip_prefix("expected_")?.strip_suffix(".json")?.to_owned()));
    let kinds = kinds.filter(|kind| kind != "keras_layers");
    kinds
        .map(|kind| Expected {
            model: directory.join(kind.split('.').next().unwrap()),
            values: directory.join(format!("expected_{kind}.npz")),
            table: json(directory.join(format!("expected_{kind}.json"))),
        })
        .collect()
}

/// Compares every tensor; returns how many there were, and the operations that are to blame for those that there were not.
fn check(directory: &Path, expected: &Expected) -> (usize, BTreeSet<String>) {
    let model = match expected.table["signature"].as_str() {
        Some(signature) => open_signature(&expected.model, signature).unwrap(),
        None => open(&expected.model).unwrap(),
    };
    let values = arrays(&expected.values);
    let inputs = inputs(&model, directory, &expected.table);
    let (mut blamed, mut compared) = (BTreeSet::new(), Vec::new());
    for tensor in expected.table["tensors"].as_array().unwrap() {
        let (name, key) = (tensor["name"].as_str().unwrap(), tensor["key"].as_str());
        let Some(key) = key.filter(|_| !is_added(name)) else { continue };
        match model.find(name).map(|found| found[0].name().to_owned()) {
            Ok(found) => compared.push((found, key)),
            Err(error) => {
                let error = error.to_string();
                let blame = error.split("(").nth(1).and_then(|rest| rest.split(')').next());
                assert!(error.contains("can't be computed"), "{}: {error}", expected.model.display());
                blamed.insert(blame.unwrap().to_owned());
            }
        }
    }
    let names: Vec<&str> = compared.iter().map(|(name, _)| name.as_str()).collect();
    let captured = model.capture(fed(&inputs), &names).unwrap();
    for ((name, value), (_, key)) in captured.iter().zip(&compared) {
        let difference = difference(value, &values[*key]);
        assert!(difference <= CLOSE, "{}: `{name}` differs by {difference}", expected.values.display());
    }
    (compared.len(), blamed)
}

#[test]
fn every_tensor_is_tensorflows() {
    let mut compared = 0;
    for directory in
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
    {
        let name = directory.file_name().unwrap().to_str().unwrap();
        // Its complex numbers are in no array that candle reads.
        if name == "rare" {
            continue;
        }
        let mut blamed = BTreeSet::new();
        for expected in expected(&directory) {
            let (count, to_blame) = check(&directory, &expected);
            compared += count;
            blamed.extend(to_blame);
        }
        let known = UNSUPPORTED.iter().find(|(model, _)| *model == name).map_or(&[][..], |(_, operations)| operations);
        assert_eq!(blamed, known.iter().map(|name| (*name).to_owned()).collect(), "{name}");
    }
    assert!(compared > 4500, "{compared}");
}

/// Layers that are not found, by model.
const MISSED: &[(&str, &[&str])] = &[
    // What loops call stands in their bodies, whose tensors have no sites.
    ("bidirectional", &["both/backward_lstm/lstm_cell", "both/forward_lstm/lstm_cell"]),
    ("gru", &["gru/gru_cell"]),
    ("lstm", &["lstm/lstm_cell"]),
    ("masked_lstm", &["lstm/lstm_cell"]),
    // What does nothing when a model is used leaves no node.
    ("convnext", &["block0_identity"]),
    ("efficient", &["drop"]),
    ("subclassed", &["dropout"]),
];

#[test]
fn every_keras_layer_is_found_by_its_name() {
    let mut calls = 0;
    for directory in std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()) {
        let layers = directory.join("expected_keras_layers.json");
        if !layers.exists() || !directory.join("export").exists() {
            continue;
        }
        let name = directory.file_name().unwrap().to_str().unwrap();
        let values = arrays(directory.join("expected_keras_layers.npz"));
        let mut missed = BTreeSet::new();
        let tables = expected(&directory);
        let table = tables.iter().find(|expected| expected.model.ends_with("export")).unwrap();
        let model = open(&table.model).unwrap();
        let inputs = inputs(&model, &directory, &table.table);
        for key in json(&layers).as_array().unwrap() {
            let key = key.as_str().unwrap();
            let mut parts = key.rsplitn(3, '/').skip(1);
            let (node, layer) = (parts.next().unwrap(), parts.next().unwrap());
            let call = node.trim_start_matches("node").parse().unwrap();
            let found = model.call(layer, call).and_then(|outputs| {
                let names: Vec<_> = outputs.iter().map(|tensor| tensor.name()).collect();
                model.capture(fed(&inputs), &names)
            });
            let same = |captured: Captured| captured.iter().any(|(_, value)| difference(value, &values[key]) <= CLOSE);
            if !found.is_ok_and(same) {
                missed.insert(layer.to_owned());
            }
            calls += 1;
        }
        let known = MISSED.iter().find(|(model, _)| *model == name).map_or(&[][..], |(_, layers)| layers);
        assert_eq!(missed, known.iter().map(|name| (*name).to_owned()).collect(), "{name}");
    }
    assert!(calls > 220, "{calls}");
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
