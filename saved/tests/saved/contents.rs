//! What is known of a model without running it, and how a run tells its progress.

use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Tensor};
use taper_saved::{open, signatures};

use crate::common::{difference, folder};

#[test]
fn signatures_are_listed_without_weights() {
    let path = folder().join("signatures/tfsave");
    let all = signatures(&path).unwrap();
    let names: Vec<_> = all.iter().map(|signature| signature.name().to_owned()).collect();
    assert_eq!(names, open(&path).unwrap().signatures());
    let classify = all.iter().find(|signature| signature.name() == "classify").unwrap();
    let slots = |slots: &[taper_saved::Argument]| {
        let slot = |slot: &taper_saved::Argument| format!("{} {} {:?}", slot.name(), slot.ty(), slot.shape());
        slots.iter().map(slot).collect::<Vec<_>>()
    };
    assert_eq!(slots(classify.inputs()), ["embedding float32 Some([None, Some(6)])", "temperature float32 Some([])"]);
    assert_eq!(slots(classify.outputs())[0], "best int64 Some([None])");
    let nowhere = signatures(folder().join("no_such_model")).unwrap_err().to_string();
    assert!(nowhere.contains("no_such_model/saved_model.pb"), "{nowhere}");
}

#[test]
fn a_pattern_may_mean_what_cannot_be_computed() {
    let model = open(folder().join("rare/tfsave")).unwrap();
    let names = |found: Vec<&taper_saved::TensorInfo>| found.len();
    let (all, usable) = (model.find_any("*").unwrap(), model.find("*").unwrap());
    assert!(all.iter().any(|tensor| tensor.unsupported().is_some() && !tensor.is_capturable()));
    assert!(usable.iter().all(|tensor| tensor.is_capturable()));
    assert!(names(all) > names(usable));
    assert!(model.find("rfft").is_err());
    assert_eq!(model.find_any("rfft").unwrap()[0].op(), "RFFT");
    assert!(model.find_any("rftf").unwrap_err().to_string().contains("did you mean `rfft`"));
    let (node, op, why) = model.unsupported().find(|(_, op, _)| *op == "RFFT").unwrap();
    assert_eq!((node, op), ("StatefulPartitionedCall/rfft", "RFFT"));
    assert!(why.contains("not supported"));
    assert_eq!(open(folder().join("mlp/export")).unwrap().unsupported().count(), 0);
    assert!(model.tensorflow().unwrap().starts_with("2."));
}

/// `d1/kernel` is a weight's whole name in some files, and the end of the names of what reads it.
#[test]
fn a_pattern_of_a_layer_does_not_mean_its_weights_alone() {
    let model = open(folder().join("branchy/export")).unwrap();
    let ops = |found: Vec<&taper_saved::TensorInfo>| -> Vec<String> {
        found.iter().map(|tensor| tensor.op().to_owned()).collect()
    };
    let all = ops(model.find_any("score/*").unwrap());
    assert!(all.contains(&"VarHandleOp".to_owned()) && all.contains(&"MatMul".to_owned()), "{all:?}");
    let usable = ops(model.find("score/*").unwrap());
    assert!(usable.contains(&"MatMul".to_owned()) && !usable.contains(&"VarHandleOp".to_owned()), "{usable:?}");
}

#[test]
fn outputs_and_tensors_come_of_one_run_that_tells_its_progress() {
    let model = open(folder().join("custom/export")).unwrap();
    let x = Tensor::ones((3, 8), DType::F32, &Device::Cpu).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let run = {
        let told = Arc::clone(&told);
        model.run().on_progress(move |done, all| told.lock().unwrap().push((done, all)))
    };
    let (outputs, captured) = run.forward_and_capture([("x", &x)], &["two/Tanh", "d1"]).unwrap();
    let told = std::mem::take(&mut *told.lock().unwrap());
    let all = told[0].1;
    assert_eq!(told, (0..=all).map(|done| (done, all)).collect::<Vec<_>>());
    let plain = model.forward([("x", &x)]).unwrap();
    for (name, output) in plain.iter() {
        assert_eq!(difference(&outputs[name], output), 0.);
    }
    let alone = model.capture([("x", &x)], &["two/Tanh", "d1"]).unwrap();
    assert_eq!(captured.len(), 2);
    for ((name, tensor), (other, alone)) in captured.iter().zip(alone.iter()) {
        assert_eq!((name, difference(tensor, alone)), (other, 0.));
    }
    // What is not needed does not count.
    let few = Arc::new(Mutex::new(0));
    let seen = Arc::clone(&few);
    let run = model.run().on_progress(move |_, all| *seen.lock().unwrap() = all);
    run.capture([("x", &x)], &["d1/MatMul"]).unwrap();
    assert!(*few.lock().unwrap() < all);
}
