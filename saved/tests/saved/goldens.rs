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
const UNSUPPORTED: &[(&str, &[&str])] = &[];

/// What TensorFlow 1 puts around its branches, which become functions: the values stand there without it.
fn is_switch(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    ["Switch", "switch_t", "switch_f", "pred_id"].iter().any(|own| last.starts_with(own))
}

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
            Err(error) if is_switch(name) && error.to_string().contains("there is no tensor") => {}
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

/// What a tensor in a branch or loop is called, by the path of the function and its name there.
fn name_in(path: &Value, own: &str) -> String {
    let (mut name, mut node) = (String::new(), String::new());
    let inside = |own: &str, node: &str| {
        // Names in the function begin with that of the node, without what it has in front where it stands itself.
        let ends = std::iter::once(0).chain(node.match_indices('/').map(|(at, _)| at + 1));
        let rest = ends.filter_map(|at| own.strip_prefix(&format!("{}/", &node[at..]))).next();
        rest.unwrap_or(own).to_owned()
    };
    for (depth, step) in path.as_array().unwrap().iter().enumerate() {
        let own = step["node"].as_str().unwrap();
        name += &if depth == 0 { own.to_owned() } else { format!("/{}", inside(own, &node)) };
        node = own.to_owned();
        name += &match step["part"].as_str().unwrap() {
            "branch" => format!("/branch_{}", step["index"]),
            part @ ("cond" | "body") => format!("/{part}.{}", step["step"]),
            part => format!("/{part}"),
        };
    }
    format!("{name}/{}", inside(own.strip_suffix(":0").unwrap_or(own), &node))
}

/// Compares every tensor of every function that branches and loops called, in every step; returns how many there were, and
/// that there are no more of them.
fn check_bodies(directory: &Path, expected: &Expected) -> usize {
    let bodies = expected.table["bodies"].as_array().map_or(&[][..], Vec::as_slice);
    if bodies.is_empty() {
        return 0;
    }
    let model = match expected.table["signature"].as_str() {
        Some(signature) => open_signature(&expected.model, signature).unwrap(),
        None => open(&expected.model).unwrap(),
    };
    let values = arrays(&expected.values);
    let inputs = inputs(&model, directory, &expected.table);
    let mut keys = std::collections::BTreeMap::new();
    for body in bodies {
        for tensor in body["tensors"].as_array().unwrap() {
            if let Some(key) = tensor["key"].as_str() {
                let name = name_in(&body["path"], tensor["name"].as_str().unwrap());
                assert!(keys.insert(name, key).is_none(), "two are called `{}`", tensor["name"]);
            }
        }
    }
    let names: Vec<&str> = keys.keys().map(String::as_str).collect();
    let captured = model.capture(fed(&inputs), &names).unwrap();
    assert_eq!(captured.len(), keys.len());
    // All taps have the same, and of what stands in branches and loops nothing else.
    let (_, taps) = model.forward_with_taps(fed(&inputs)).unwrap();
    for ((name, key), (found, value)) in keys.iter().zip(captured.iter()) {
        assert_eq!(name, found);
        let difference = difference(value, &values[*key]);
        assert!(difference <= CLOSE, "{}: `{name}` differs by {difference}", expected.values.display());
        assert_eq!(crate::common::difference(value, taps.get(name).unwrap()), 0., "{name}");
    }
    let plain: BTreeSet<&str> =
        model.tensors().iter().filter(|t| !t.is_repeated() && !t.is_conditional()).map(|t| t.name()).collect();
    let inside = taps.iter().filter(|(name, _)| !plain.contains(name));
    let more: Vec<_> = inside.map(|(name, _)| name).filter(|name| !keys.contains_key(*name)).collect();
    assert!(more.is_empty(), "{}: {more:?}", expected.values.display());
    keys.len()
}

#[test]
fn every_tensor_of_every_step_is_tensorflows() {
    let mut compared = 0;
    for directory in std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()) {
        if directory.is_dir() {
            compared += expected(&directory).iter().map(|expected| check_bodies(&directory, expected)).sum::<usize>();
        }
    }
    // Those of the READMEs beside the models, lists of tensors left out.
    assert!(compared >= 2_866, "{compared}");
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
            let call: usize = node.trim_start_matches("node").parse().unwrap();
            // A loop calls its layers at one place, and Keras counts every step as a call.
            let places = model.layer(layer).map_or(0, taper_saved::Layer::calls);
            let place = call.min(places.saturating_sub(1));
            let found = model.call(layer, place).and_then(|outputs| {
                let names: Vec<_> = outputs.iter().map(|tensor| tensor.name()).collect();
                let in_loop = outputs.iter().any(|tensor| tensor.is_repeated());
                Ok((model.capture(fed(&inputs), &names)?, in_loop.then(|| format!(".{}/", call - place))))
            });
            let same = |(captured, step): (Captured, Option<String>)| {
                let of_step = |name: &str| step.as_ref().is_none_or(|step| name.contains(&format!("body{step}")));
                captured.iter().any(|(name, value)| of_step(name) && difference(value, &values[key]) <= CLOSE)
            };
            // Keras calls a cell before the loop, too, and drops of what it gives most: it is there by its name.
            let dropped = || match (place, places) {
                (0, 2) => model.capture(fed(&inputs), &[&format!("{layer}/*")]).map(|all| (all, None)),
                _ => Err(candle_core::Error::Msg("it is called otherwise".to_owned())),
            };
            if !found.is_ok_and(same) && !dropped().is_ok_and(same) {
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
