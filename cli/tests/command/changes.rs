//! `taper run --zero` and `--replace`, against what TensorFlow gives when the same tensors are fed.

use candle_core::Tensor;

use crate::common::{Folder, difference, saved, taper, tensors};

#[test]
fn changed_runs_are_tensorflows() {
    let folder = Folder::new("changed");
    let (to, values) = (folder.at("out.safetensors"), folder.at("values.npz"));
    let mut compared = 0;
    for (model, kind) in [("custom", "export"), ("branchy", "export"), ("transformer", "export"), ("within", "export")]
    {
        let at = |file: &str| saved(&format!("{model}/{file}"));
        let runs: serde_json::Value = serde_json::from_slice(&std::fs::read(at("changed.json")).unwrap()).unwrap();
        std::fs::copy(at("changed.npz"), &values).unwrap();
        let expected: std::collections::HashMap<String, Tensor> =
            Tensor::read_npz(&values).unwrap().into_iter().collect();
        for run in runs.as_array().unwrap() {
            let mut arguments = vec!["run".to_owned(), at(kind), "-i".to_owned(), at("inputs.npz")];
            arguments.extend(["-o", &to, "--json"].map(str::to_owned));
            let zero = run["zero"].as_array().unwrap().iter().map(|name| format!("--zero={}", name.as_str().unwrap()));
            arguments.extend(zero);
            let replace = run["replace"].as_object().unwrap().iter();
            arguments.extend(replace.map(|(name, key)| format!("--replace={name}={values}:{}", key.as_str().unwrap())));
            let report = taper(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).json();
            let count = run["zero"].as_array().unwrap().len() + run["replace"].as_object().unwrap().len();
            assert_eq!(report["changes"].as_array().unwrap().len(), count, "{report}");
            let given = tensors(&to);
            for (name, key) in run["outputs"].as_object().unwrap() {
                let d = difference(&given[name], &expected[key.as_str().unwrap()]);
                assert!(d <= 1e-5, "{model} {arguments:?} `{name}`: {d}");
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 17);
}

fn run(arguments: &[&str]) -> crate::common::Ran {
    let (model, inputs) = (saved("custom/export"), saved("custom/inputs.npz"));
    taper(&[&["run", &model, "-i", &inputs], arguments].concat())
}

#[test]
fn what_is_changed_is_shown() {
    let out = run(&["--zero", "two/*"]).well();
    assert!(out.starts_with("changed\n  custom/two/mul  zero\n  custom/two/Tanh  zero\noutputs\n"), "{out}");
    let out = run(&["--replace", "d1/Relu=random:3:3,16", "-t", "d1"]).well();
    assert!(out.starts_with("changed\n  custom/two/d1/Relu  replaced by random:3:3,16\n"), "{out}");
    // What is tapped is what flows on.
    let report = run(&["--zero", "d1", "-t", "d1", "-t", "two/Tanh", "--json"]).json();
    let all = report["tensors"].as_array().unwrap();
    let taps: Vec<_> = all.iter().filter(|tensor| tensor["role"] == "tap").collect();
    assert!(taps.len() == 2 && taps.iter().all(|tap| tap["min"] == 0. && tap["max"] == 0.), "{report}");
    let changes = report["changes"].to_string();
    assert_eq!(changes, r#"[{"change":"zero","name":"d1","source":null,"tensors":["custom/two/d1/Relu"]}]"#);
    assert_eq!(run(&["--json"]).json()["changes"].to_string(), "[]");
}

/// What one run saved is put in place of what another computes, in one step of a loop.
#[test]
fn a_saved_tensor_replaces_another_runs() {
    let folder = Folder::new("patch");
    let (clean, patched, other) =
        (folder.at("clean.safetensors"), folder.at("patched.safetensors"), folder.at("other.safetensors"));
    let model = saved("lstm/export");
    let inputs = saved("lstm/inputs.npz");
    let name = "net/lstm/while/body.2/lstm_cell/mul_2";
    let run = |input: &str, more: &[&str]| taper(&[&["run", &model, "-i", input], more].concat());
    run(&inputs, &["-t", name, "-o", &clean]).well();
    run("random:5:2,3,5", &["-o", &other]).well();
    let replace = format!("{name}={clean}");
    let out = run("random:5:2,3,5", &["--replace", &replace, "-t", name, "-o", &patched]).well();
    assert!(out.contains(&format!("  {name}  replaced by {clean}\n")), "{out}");
    let (clean, patched, other) = (tensors(&clean), tensors(&patched), tensors(&other));
    assert_eq!(difference(&patched[name], &clean[name]), 0.);
    // The last step is the other input's, and those before are its own.
    let step = |all: &std::collections::HashMap<String, Tensor>, at| all["output_0"].narrow(1, at, 1).unwrap();
    assert_eq!(difference(&step(&patched, 2), &step(&clean, 2)), 0.);
    assert_eq!(difference(&step(&patched, 1), &step(&other, 1)), 0.);
    assert!(difference(&step(&patched, 2), &step(&other, 2)) > 1e-3);
}

#[test]
fn a_change_that_cannot_be_made_is_an_error() {
    let folder = Folder::new("misfits");
    let ints = folder.at("ints.npy");
    crate::common::npy(&ints, "<i8", false, "3, 16", &[0; 384]);
    for (arguments, code, what) in [
        (["--zero", "two/Tahn"], 4, "did you mean `two/Tanh`"),
        (["--zero", "d1/kernel"], 4, "is a weight"),
        (["--replace", "two/Tanh"], 2, "give `--replace NAME=FILE`"),
        (["--replace", "=x.npy"], 2, "give `--replace NAME=FILE`"),
        (["--replace", "two/Tanh=x.csv"], 2, "`.npy`, `.npz`, `.safetensors`"),
        (["--replace", "two/Tanh=nowhere.npy"], 3, "cannot read `nowhere.npy`"),
        (["--replace", "two=random:0:3,16"], 4, "`two` is 2 tensors, `custom/two/d1/Relu`, `custom/two/d2/BiasAdd`"),
        (["--replace", "two/Tanh=random:0:3,15"], 2, "is of shape [3, 15], and it is [?, 16]"),
        (["--replace", "two/Tanh=random:0:2,16"], 2, "is of shape [2, 16], and it is [3, 16] in this run"),
        (
            ["--replace", &format!("two/Tanh={ints}")],
            2,
            "what replaces `two/Tanh` is int64, and the model takes float32",
        ),
    ] {
        let error = run(&arguments).failed(code);
        assert!(error.contains(what), "{arguments:?}: {error}");
    }
    let lstm = saved("lstm/export");
    let off = |more: &[&str]| taper(&[&["run", &lstm, "-i", "random:0"], more].concat());
    let error = off(&["--zero", "while/body.7/lstm_cell"]).failed(1);
    assert!(error.contains("did not reach it in visit 7") && !error.contains("if_reached"), "{error}");
    let error = off(&["--zero", "while/body.-1/lstm_cell"]).failed(2);
    assert!(error.contains("count from the first"), "{error}");
    let error = off(&["--zero", "head", "-t", "lstm", "--only-taps"]).failed(1);
    assert!(error.contains("what is asked for does not depend on it"), "{error}");
    let error = off(&["--zero", "**/body.9/**"]).failed(1);
    assert!(error.contains("`--zero **/body.9/**` has changed nothing"), "{error}");
    let rare = saved("rare/tfsave");
    let error =
        taper(&["run", &rare, "-i", &saved("rare/inputs.npz"), "--zero", "rfft", "-t", "Softmax", "--only-taps"]);
    assert!(error.failed(5).contains("(RFFT)"));
}
