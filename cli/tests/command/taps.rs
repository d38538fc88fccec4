//! `taper taps`.

use crate::common::{saved, taper};

#[test]
fn every_tensor_is_listed() {
    let ran = taper(&["taps", &saved("custom/export")]);
    assert!(ran.err.starts_with("17 tensors; 4 weights are not listed"), "{}", ran.err);
    let out = ran.well();
    assert_eq!(out.lines().count(), 17);
    assert!(out.contains(" #6  float32  [?, 16]  MatMul          custom/two/d1/MatMul\n"), "{out}");
    let whole = taper(&["taps", &saved("custom/export"), "--full-names"]).well();
    assert!(whole.contains("MatMul          StatefulPartitionedCall/custom_1/two_1/d1_1/MatMul\n"), "{whole}");
}

#[test]
fn some_are_chosen() {
    let list = |pattern: &str| {
        let taps = taper(&["taps", &saved("custom/export"), pattern, "--json"]).json();
        let paths = taps.as_array().unwrap().iter().map(|tap| tap["path"].as_str().unwrap().to_owned());
        paths.collect::<Vec<_>>()
    };
    assert_eq!(list("d?/MatMul"), ["custom/two/d1/MatMul", "custom/two/d2/MatMul"]);
    assert_eq!(list("custom/two/d2"), ["custom/two/d2/BiasAdd"]);
    assert_eq!(list("two/Tanh"), ["custom/two/Tanh"]);
    assert_eq!(list("#6"), ["custom/two/d1/MatMul"]);
    let error = taper(&["taps", &saved("custom/export"), "two/Tan"]).failed(4);
    assert!(error.contains("did you mean `two/Tanh`"), "{error}");
    let error = taper(&["taps", &saved("custom/export"), "nothing/*"]).failed(4);
    assert!(error.contains("no tensor matches `nothing/*`") && error.contains("`custom/two/d1`"), "{error}");
    let error = taper(&["taps", &saved("custom/export"), "two/Tahn*"]).failed(4);
    assert!(error.contains("did you mean `two/Tanh`?"), "{error}");
}

#[test]
fn a_layer_that_is_called_twice_has_tensors_with_names_of_their_own() {
    let taps = taper(&["taps", &saved("branchy/export"), "--json"]).json();
    let mut paths: Vec<_> =
        taps.as_array().unwrap().iter().map(|tap| tap["path"].as_str().unwrap().to_owned()).collect();
    let all = paths.len();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), all);
    // Each of them means its own tensor.
    for tap in taps.as_array().unwrap() {
        let found = taper(&["taps", &saved("branchy/export"), tap["path"].as_str().unwrap(), "--json"]).json();
        assert_eq!((found.as_array().unwrap().len(), &found[0]), (1, tap));
    }
}

#[test]
fn what_cannot_be_computed_is_marked() {
    let ran = taper(&["taps", &saved("rare/tfsave")]);
    assert!(ran.err.contains("`StatefulPartitionedCall/rfft` (RFFT): the operation is not supported"), "{}", ran.err);
    let out = ran.well();
    assert!(out.lines().any(|line| line.starts_with("! ") && line.ends_with("  rfft")), "{out}");
    assert!(out.lines().any(|line| line.starts_with("  ") && line.ends_with("  Softmax")), "{out}");
    let taps = taper(&["taps", &saved("rare/tfsave"), "rfft", "--json"]).json();
    assert_eq!(
        (&taps[0]["capturable"], &taps[0]["dtype"], &taps[0]["op"]),
        (&false.into(), &"complex64".into(), &"RFFT".into())
    );
    assert!(taps[0]["unsupported"].as_str().unwrap().contains("RFFT"));
}
