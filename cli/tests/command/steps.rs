//! Tensors in loops and branches: step by step, and what the run does not come by.

use candle_core::Tensor;

use crate::common::{Folder, difference, saved, taper, tensors};

fn run(model: &str, kind: &str, taps: &[&str], to: &str) -> crate::common::Ran {
    let (model, npz) = (saved(&format!("{model}/{kind}")), saved(&format!("{model}/inputs.npz")));
    let contents = taper(&["inspect", &model, "--json"]).json();
    let signatures = contents["signatures"].as_array().unwrap();
    let signature = signatures.iter().find(|signature| signature["name"] == "serving_default").unwrap();
    let inputs = signature["inputs"].as_array().unwrap().iter().map(|input| {
        let name = input["name"].as_str().unwrap();
        format!("--input={name}={npz}:{name}")
    });
    let inputs: Vec<String> = inputs.chain(taps.iter().map(|tap| format!("--tap={tap}"))).collect();
    let mut arguments = vec!["run", &model, "--save", to];
    arguments.extend(inputs.iter().map(String::as_str));
    taper(&arguments)
}

#[test]
fn a_tensor_in_a_loop_is_saved_step_by_step() {
    let folder = Folder::new("steps");
    let to = folder.at("out.safetensors");
    run("lstm", "export", &["while/body/lstm_cell/mul_2", "while/body.1/*/Tanh", "while/body.1/lstm_cell/mul_2"], &to)
        .well();
    let found = tensors(&to);
    let path = |step: usize, name: &str| format!("net/lstm/while/body.{step}/lstm_cell/{name}");
    let states: Vec<&Tensor> = (0..3).map(|step| &found[&path(step, "mul_2")]).collect();
    assert!(found.contains_key(&path(1, "Tanh")) && !found.contains_key(&path(0, "Tanh")));
    assert_eq!(found.len(), 5, "{:?}", found.keys());
    // The layer gives the states of all steps: `[batch, step, channel]`.
    run("lstm", "export", &["lstm"], &to).well();
    let found = tensors(&to);
    let layer = found.values().find(|value| value.dims() == [2, 3, 4]).unwrap();
    assert!(difference(&Tensor::stack(&states, 1).unwrap(), layer) < 1e-6);
    run("lstm", "export", &["while/body.1/lstm_cell/Tahn"], &to).failed(4);
    // A layer, in one step.
    run("lstm", "export", &["while/body.1/lstm_cell"], &to).well();
    let found = tensors(&to);
    let mut names: Vec<_> = found.keys().filter(|name| name.contains("lstm_cell")).cloned().collect();
    names.sort();
    assert_eq!(names, [path(1, "add_1"), path(1, "mul_2")]);
    assert_eq!(difference(&found[&path(1, "mul_2")], states[1]), 0.);
    assert!(run("lstm", "export", &["while/body.5/lstm_cell"], &to).failed(1).contains("no step 5"));
}

#[test]
fn what_the_run_does_not_come_by_is_left_out_and_said() {
    let folder = Folder::new("branches");
    let to = folder.at("out.safetensors");
    let ran = run("conditions", "tfsave", &["cond/then_branch/Tanh", "cond/else_branch/Relu", "cond_1/**"], &to);
    assert!(
        ran.err.contains("which did not take the branch `StatefulPartitionedCall/cond/then_branch`"),
        "{}",
        ran.err
    );
    ran.well();
    let found = tensors(&to);
    let inside = |part: &str| found.keys().filter(|name| name.contains(part)).count();
    assert_eq!(
        (inside("cond/else_branch/Relu"), inside("cond/then_branch/"), inside("cond_1/else_branch/")),
        (1, 0, 0)
    );
    assert!(inside("cond_1/then_branch/") > 0);
}
