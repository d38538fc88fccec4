//! What `taper run` gives, against TensorFlow's values.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;

use candle_core::Tensor;

use crate::common::{Folder, command, difference, saved, taper, tensors};

const TOLERANCE: f64 = 1e-5;

/// Models whose outputs need operations that are not supported.
const UNSUPPORTED: [&str; 2] = ["rare", "tf1_switches"];

fn npz(path: &Path) -> HashMap<String, Tensor> {
    Tensor::read_npz(path).unwrap().into_iter().collect()
}

/// Whether an array is of a shape whose unknown sizes are null.
fn fits(array: &Tensor, shape: &serde_json::Value) -> bool {
    let sizes = shape.as_array().unwrap();
    let same = |(size, dim): (&serde_json::Value, &usize)| size.as_u64().is_none_or(|size| size == *dim as u64);
    sizes.len() == array.rank() && sizes.iter().zip(array.dims()).all(same)
}

/// Every kind and every signature of every model, with what goes in and comes out of each.
#[test]
fn the_outputs_of_every_model_are_tensorflows() {
    let folder = Folder::new("every-model");
    let to = folder.at("out.safetensors");
    let (mut compared, mut outputs_compared) = (0, 0);
    let mut models: Vec<_> = std::fs::read_dir(saved("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    models.sort();
    for model in models.iter().filter(|model| model.join("outputs.npz").exists()) {
        let name = model.file_name().unwrap().to_str().unwrap();
        let outputs = npz(&model.join("outputs.npz"));
        let given = npz(&model.join("inputs.npz"));
        for kind in
            ["export", "tfsave", "keras2", "tf1"].map(|kind| model.join(kind)).iter().filter(|kind| kind.exists())
        {
            let kind = kind.to_str().unwrap();
            let contents = taper(&["inspect", kind, "--json"]).json();
            for signature in contents["signatures"].as_array().unwrap() {
                let called = signature["name"].as_str().unwrap();
                let prefix = if called.starts_with("serv") { String::new() } else { format!("{called}/") };
                let mut arguments = vec!["run".to_owned(), kind.to_owned(), "--save".to_owned(), to.clone()];
                arguments.push(format!("--signature={called}"));
                for input in signature["inputs"].as_array().unwrap() {
                    let key = format!("{prefix}{}", input["name"].as_str().unwrap());
                    // What TensorFlow made up a name for is known by its shape.
                    let found = given.keys().find(|own| **own == key);
                    let found = found.or_else(|| given.keys().find(|own| fits(&given[*own], &input["shape"])));
                    let (input, npz) = (input["name"].as_str().unwrap(), model.join("inputs.npz"));
                    arguments.push(format!("--input={input}={}:{}", npz.display(), found.unwrap()));
                }
                let ran = taper(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
                if ran.code == 5 && UNSUPPORTED.contains(&name) {
                    continue;
                }
                ran.well();
                let saved = tensors(&to);
                let wanted: Vec<_> = signature["outputs"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|output| output["name"].as_str().unwrap())
                    .collect();
                assert_eq!(saved.len(), wanted.len(), "{name} {called}");
                for output in wanted {
                    let Some(expected) = outputs.get(&format!("{prefix}{output}")) else { continue };
                    let d = difference(&saved[output], expected);
                    assert!(d <= TOLERANCE, "{name} {called} {output}: {d}");
                    outputs_compared += 1;
                }
                compared += 1;
            }
        }
    }
    assert!(compared >= 78 && outputs_compared >= 407, "{compared} signatures, {outputs_compared} outputs");
}

/// Every tensor of a model by its whole name, and by its path.
#[test]
fn taps_are_tensorflows_values() {
    let folder = Folder::new("taps");
    for model in ["custom", "branchy", "transformer"] {
        let (full, short) = (folder.at("full.safetensors"), folder.at("short.safetensors"));
        let inputs = saved(&format!("{model}/inputs.npz"));
        let export = saved(&format!("{model}/export"));
        let run = |more: &[&str]| {
            let mut arguments = vec!["run", &export, "--input", &inputs, "--tap", "**"];
            arguments.extend(more);
            taper(&arguments).well()
        };
        run(&["--save", &full, "--full-names"]);
        run(&["--save", &short, "--only-taps"]);
        let given = tensors(&full);
        let expected: serde_json::Value =
            serde_json::from_slice(&std::fs::read(saved(&format!("{model}/expected_export.json"))).unwrap()).unwrap();
        let values = npz(Path::new(&saved(&format!("{model}/expected_export.npz"))));
        let mut compared = 0;
        for tensor in expected["tensors"].as_array().unwrap() {
            let name = tensor["name"].as_str().unwrap();
            let Some(given) = given.get(name.strip_suffix(":0").unwrap_or(name)) else { continue };
            let Some(key) = tensor["key"].as_str() else { continue };
            let d = difference(given, &values[key]);
            assert!(d <= TOLERANCE, "{model} {name}: {d}");
            compared += 1;
        }
        let listed = taper(&["taps", &export, "--json"]).json();
        let listed: Vec<_> = listed.as_array().unwrap().iter().filter(|tap| tap["capturable"] == true).collect();
        assert!(compared * 10 > listed.len() * 7 && compared > 10, "{model}: {compared} of {}", listed.len());
        // The paths are the names in the file, each a tensor's own.
        let by_path = tensors(&short);
        assert_eq!(by_path.len(), listed.len());
        for tap in listed {
            let (path, name) = (tap["path"].as_str().unwrap(), tap["name"].as_str().unwrap());
            assert_eq!(difference(&by_path[path], &given[name]), 0., "{path}");
        }
    }
}

#[test]
fn a_layer_and_a_place_are_taps() {
    let folder = Folder::new("layer");
    let to = folder.at("out.safetensors");
    let model = saved("custom/export");
    let inputs = format!("x={}", saved("custom/inputs.npz"));
    let out =
        taper(&["run", &model, "-i", &inputs, "-t", "d1", "-t", "#-1", "-t", "custom/two/d1/Relu", "-o", &to]).well();
    assert!(out.contains("\noutputs\n") || out.starts_with("outputs\n"), "{out}");
    assert!(out.contains("  custom/two/d1/Relu  float32 [3, 16]\n    min 0  mean "), "{out}");
    assert!(out.contains(&format!("saved 4 tensors to {to}\n")), "{out}");
    let mut names: Vec<_> = tensors(&to).into_keys().collect();
    names.sort();
    assert_eq!(names, ["Identity_1", "custom/two/d1/Relu", "output_0", "output_1"]);
}

/// A tensor in a loop has a value for every step, and one in a branch may have none.
#[test]
fn steps_of_loops_and_branches_are_taps() {
    let folder = Folder::new("steps");
    let to = folder.at("out.safetensors");
    let (model, inputs) = (saved("lstm/export"), saved("lstm/inputs.npz"));
    let run = |taps: &[&str]| {
        let mut arguments = vec!["run", &model, "-i", &inputs, "-o", &to, "--only-taps"];
        arguments.extend(taps.iter().flat_map(|tap| ["-t", tap]));
        taper(&arguments).well();
        tensors(&to)
    };
    let which = taper(&["run", &model, "-i", &inputs, "-t", "lstm_cell/BiasAdd"]).failed(4);
    assert!(which.contains("the name of 2 tensors") && which.contains("while/body/"), "{which}");
    let all = run(&["body/lstm_cell/BiasAdd", "lstm/*"]);
    let path = |step: usize| format!("net/lstm/while/body.{step}/lstm_cell/BiasAdd");
    assert!((0..3).all(|step| all[&path(step)].dims() == [2, 16]));
    assert!(difference(&all[&path(0)], &all[&path(1)]) > 0.);
    let one = run(&["while/body.-1/lstm_cell/BiasAdd"]);
    assert_eq!(one.keys().collect::<Vec<_>>(), [&path(2)]);
    assert_eq!(difference(&one[&path(2)], &all[&path(2)]), 0.);
    let beyond = taper(&["run", &model, "-i", &inputs, "-t", "body.7/lstm_cell/BiasAdd"]).failed(1);
    assert!(beyond.contains("no step 7"), "{beyond}");
    let listed = taper(&["taps", &model, "body.1/lstm_cell/BiasAdd", "--json"]).json();
    assert_eq!(listed[0]["path"], "net/lstm/while/body/lstm_cell/BiasAdd");
}

#[test]
fn only_taps_computes_what_they_need() {
    let folder = Folder::new("only");
    let to = folder.at("out.safetensors");
    let model = saved("rare/tfsave");
    let inputs = saved("rare/inputs.npz");
    let blocked = taper(&["run", &model, "-i", &inputs]).failed(5);
    assert!(blocked.contains("`determinant`") && blocked.contains("--only-taps"), "{blocked}");
    taper(&["run", &model, "-i", &inputs, "-t", "Softmax", "--only-taps", "-o", &to]).well();
    assert_eq!(tensors(&to).into_keys().collect::<Vec<_>>(), ["Softmax"]);
    let blocked = taper(&["run", &model, "-i", &inputs, "-t", "rfft", "--only-taps"]).failed(5);
    assert!(blocked.contains("`StatefulPartitionedCall/rfft` (RFFT)"), "{blocked}");
    // A pattern means what can be computed, and says that it does.
    let some = taper(&["run", &model, "-i", &inputs, "-t", "*", "--only-taps"]);
    assert!(some.err.contains("can't be computed and are left out"), "{}", some.err);
    some.well();
}

#[test]
fn the_report_for_machines_has_what_is_saved() {
    let report = taper(&["run", &saved("mlp/export"), "-i", &saved("mlp/inputs.npz"), "-t", "dense", "--json"]).json();
    let tensors = report["tensors"].as_array().unwrap();
    let named: Vec<_> = tensors
        .iter()
        .map(|t| (t["name"].as_str().unwrap(), t["role"].as_str().unwrap(), t["shape"].to_string()))
        .collect();
    assert_eq!(named, [("output_0", "output", "[4,10]".to_owned()), ("mlp/dense/Relu", "tap", "[4,64]".to_owned())]);
    // A softmax's rows sum to 1.
    assert!((tensors[0]["mean"].as_f64().unwrap() - 0.1).abs() < 1e-6);
    assert_eq!(tensors[1]["min"], 0.);
    assert_eq!((&tensors[1]["nan"], &report["saved"]), (&0.into(), &serde_json::Value::Null));
}

#[test]
fn what_is_not_finite_is_said() {
    let folder = Folder::new("nan");
    let x = folder.at("x.npy");
    let values: Vec<u8> = [f32::NAN; 8].iter().flat_map(|value| value.to_le_bytes()).collect();
    crate::common::npy(&x, "<f4", false, "1, 8", &values);
    let out = taper(&["run", &saved("custom/export"), "-i", &x, "-t", "d1/BiasAdd"]).well();
    assert!(out.contains("no value is finite"), "{out}");
    let report = taper(&["run", &saved("custom/export"), "-i", &x, "-t", "d1/BiasAdd", "--json"]).json();
    let mul = report["tensors"].as_array().unwrap().iter().find(|t| t["role"] == "tap").unwrap();
    assert_eq!(
        (&mul["nan"], &mul["mean"], &mul["first"][0]),
        (&16.into(), &serde_json::Value::Null, &serde_json::Value::Null)
    );
}

#[test]
fn one_thread_gives_the_same() {
    let run = |threads: &str| {
        let out = taper(&["run", &saved("cnn/export"), "-i", &saved("cnn/inputs.npz"), "--threads", threads, "--json"]);
        out.json()["tensors"].to_string()
    };
    assert_eq!(run("1"), run("2"));
    taper(&["run", &saved("cnn/export"), "-i", &saved("cnn/inputs.npz"), "--threads", "0"]).failed(2);
}

/// As `| head` does it.
#[test]
fn an_output_that_nobody_reads_is_no_error() {
    for arguments in [
        vec!["taps".to_owned(), saved("transformer/export")],
        vec!["inspect".to_owned(), saved("transformer/export"), "--json".to_owned()],
        vec!["run".to_owned(), saved("activations/export"), "-i".to_owned(), saved("activations/inputs.npz")],
    ] {
        let mut child = command(arguments.iter().map(String::as_str))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let err = String::from_utf8(ended.stderr).unwrap();
        assert!(!err.contains("panicked") && !err.contains("error"), "{arguments:?} {err}");
        assert_eq!(ended.status.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn nothing_is_coloured_that_no_terminal_shows() {
    let error = taper(&["taps", "no/such/model"]).failed(3);
    assert!(error.starts_with("error: ") && !error.contains('\u{1b}'), "{error:?}");
}
