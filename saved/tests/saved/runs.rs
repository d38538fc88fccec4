//! Names, and runs that are changed: what taper does with any model, done with one out of a file.

use crate::common::{difference, folder, json};
use candle_core::{Device, Tensor};
use taper::Model;
use taper_saved::{SavedModel, Taps, open, open_signature};

fn custom() -> SavedModel {
    open(folder().join("custom/export")).unwrap()
}

fn x() -> Tensor {
    let values: Vec<f32> = (0..24).map(|i| (i as f32 * 0.7).sin()).collect();
    Tensor::from_vec(values, (3, 8), &Device::Cpu).unwrap()
}

fn one(model: &SavedModel, name: &str) -> Tensor {
    model.capture([("x", &x())], &[name]).unwrap().single().unwrap().clone()
}

const TANH: &str = "StatefulPartitionedCall/custom_1/two_1/Tanh";

#[test]
fn a_tensor_has_several_names() {
    let model = custom();
    let place = model.tensors().iter().position(|tensor| tensor.name() == TANH).unwrap();
    let from_end = place as isize - model.tensors().len() as isize;
    let value = one(&model, TANH);
    for name in [
        &format!("{TANH}:0"),
        "two/Tanh",
        "two_1/Tanh",
        "Tanh",
        "**/Tanh",
        "two/T*",
        &format!("#{place}"),
        &format!("#{from_end}"),
    ] {
        assert_eq!(difference(&one(&model, name), &value), 0., "{name}");
    }
    // The owner is `d1`, and others take what comes out of its activation.
    assert_eq!(difference(&one(&model, "two/d1"), &one(&model, "d1/Relu")), 0.);
    let layer: Vec<_> = model.find("two").unwrap().iter().map(|tensor| tensor.short_name()).collect();
    assert_eq!(layer, ["custom/two/d1/Relu", "custom/two/d2/BiasAdd"]);
}

#[test]
fn names_that_mean_nothing_or_too_much_are_errors() {
    let model = custom();
    let error = |name: &str| model.find(name).unwrap_err().to_string();
    assert!(error("two/Tahn").contains("did you mean `two/Tanh` (`custom/two/Tanh`)"), "{}", error("two/Tahn"));
    assert!(error("custom/two/Tahn").contains("did you mean `custom/two/Tanh`, "), "{}", error("custom/two/Tahn"));
    let several = error("BiasAdd");
    assert!(several.contains("2 tensors") && several.contains("two_1/d1_1/BiasAdd"), "{several}");
    let nothing = error("**/Nothing");
    assert!(nothing.contains("no tensor matches") && nothing.contains("the layers are `custom`, "), "{nothing}");
    // Patterns near one that matches nothing, which match something.
    for (pattern, near) in [
        ("two/Tahn*", "`two/Tanh`"),
        ("tow/*", "`two/*`"),
        ("cusom/**", "`custom/**`"),
        ("d?/Relu6", "`d?/Relu`"),
        ("custom/Relu*", "`custom/**/Relu*`"),
        ("*/d3", "`*/d1`, `*/d2`"),
    ] {
        let error = error(pattern);
        assert!(error.contains(&format!("did you mean {near}?")), "{error}");
    }
    // Of layers, where it matches no tensor.
    let names = |name: &str| -> Vec<_> { model.find(name).unwrap().iter().map(|found| found.short_name()).collect() };
    assert_eq!(names("custom/t?o/d1*"), ["custom/two/d1/Relu"]);
    assert_eq!(names("two/d?"), ["custom/two/d1/Relu", "custom/two/d2/BiasAdd"]);
    assert!(error("#9999").contains("there is no tensor #9999"));
    assert!(model.call("d1", 1).unwrap_err().to_string().contains("called 1 times"));
}

#[test]
fn inputs_are_checked() {
    let model = custom();
    let error = |given: &[(&str, &Tensor)]| model.forward(given.iter().copied()).unwrap_err().to_string();
    assert!(error(&[]).contains("`x` is missing"));
    let (good, wide) = (x(), Tensor::zeros((3, 9), candle_core::DType::F32, &Device::Cpu).unwrap());
    assert!(error(&[("y", &good)]).contains("there is no input `y`; the inputs are `x` (float32 [?, 8])"));
    assert!(error(&[("x", &wide)]).contains("is of shape [3, 9], and the model takes [?, 8]"));
    assert!(error(&[("x", &good), ("x", &good)]).contains("given twice"));
    let ints = good.to_dtype(candle_core::DType::I64).unwrap();
    assert!(error(&[("x", &ints)]).contains("to_dtype(DType::F32)"));
    let other = open(folder().join("mlp/export")).unwrap();
    let foreign = model.inputs([("x", &good)]).unwrap();
    let error = Model::run(&other).on((&foreign,)).forward().unwrap_err().to_string();
    assert!(error.contains("made for another model"), "{error}");
}

#[test]
fn signatures_are_chosen_by_name() {
    let directory = folder().join("custom/export");
    assert_eq!(custom().signatures(), ["serve", "serving_default"]);
    assert_eq!(open_signature(&directory, "serve").unwrap().signature(), "serve");
    let error = open_signature(&directory, "train").unwrap_err().to_string();
    assert!(error.contains("there is no signature `train`; there are `serve`, `serving_default`"), "{error}");
}

#[test]
fn the_summary_has_layers_with_weights_and_custom_ones() {
    let summary = custom().summary().to_string();
    for part in ["in  x: float32 [?, 8]", "two ", "d1 ", "144", "68", "212 parameters in 4 weights"] {
        assert!(summary.contains(part), "`{part}` is missing:\n{summary}");
    }
    let names: Vec<_> = open(folder().join("mlp/export")).unwrap().layers().map(|l| l.name().to_owned()).collect();
    assert_eq!(names, ["mlp", "mlp/dense", "mlp/dense_1"]);
}

/// Keras calls the weights of layers that are built within the call of another by the name of that one; and what a loop and
/// its lists need stands in scopes, as layers do.
#[test]
fn the_layers_that_show_are_those_of_keras() {
    for name in ["subclassed", "within", "lstm", "gru", "own_cell", "bidirectional", "masked_lstm", "norms"] {
        let model = open(folder().join(name).join("export")).unwrap();
        let mut shown: Vec<_> = model.layers().map(|layer| layer.name().to_owned()).collect();
        let calls = json(folder().join(name).join("expected_keras_layers.json"));
        let layer = |call: &serde_json::Value| call.as_str().unwrap().rsplitn(3, '/').nth(2).unwrap().to_owned();
        let layers = calls.as_array().unwrap().iter().map(layer);
        let mut owned: Vec<_> = layers.filter(|layer| layer != "dropout").collect();
        owned.iter_mut().for_each(|layer| layer.insert_str(0, "net/"));
        owned.push("net".to_owned());
        for names in [&mut shown, &mut owned] {
            names.sort();
            names.dedup();
        }
        assert_eq!(shown, owned, "{name}");
    }
}

/// Keras 2's fused recurrent layers read the weights of their cells, and leave no scope of a cell.
#[test]
fn layers_show_whose_cells_leave_nothing() {
    let model = open(folder().join("keras2_bidirectional/keras2")).unwrap();
    let shown: Vec<_> = model.layers().map(|layer| (layer.name().to_owned(), layer.parameters())).collect();
    let expected = [("net", 180), ("net/both", 180), ("net/both/forward_gru", 90), ("net/both/backward_gru", 90)];
    assert_eq!(shown, expected.map(|(name, parameters)| (name.to_owned(), parameters)));
}

/// Operations are numbered, too, and keep their numbers: `Gelu_1/mul` is not the `mul` of `Gelu`.
#[test]
fn every_tensor_has_a_name_by_layers_that_is_its_own() {
    for name in ["within", "lstm", "gru", "bidirectional", "activations", "norms", "bottleneck", "transformer"] {
        let model = open(folder().join(name).join("export")).unwrap();
        // What the signature gives is called alike inside and outside of its function.
        for tensor in model.tensors().iter().filter(|tensor| !tensor.short_name().starts_with("Identity")) {
            let found = model.find_any(tensor.short_name()).unwrap();
            let names: Vec<_> = found.iter().map(|found| found.name()).collect();
            assert_eq!(names, [tensor.name()], "{name}: {}", tensor.short_name());
        }
    }
    let model = open(folder().join("within/export")).unwrap();
    let name = |short: &str| model.find(short).unwrap()[0].name().to_owned();
    assert_eq!(name("wrap/Gelu_1/mul_2"), "StatefulPartitionedCall/net_1/wrap_1/Gelu_1/mul_2");
    assert_eq!(name("wrap_1/Gelu/mul_2"), "StatefulPartitionedCall/net_1/wrap_1_2/Gelu/mul_2");
    assert_eq!(name("wrap/strided_slice_1/stack"), "StatefulPartitionedCall/net_1/wrap_1/strided_slice_1/stack");
}

/// What TensorFlow calls the scope of a layer is a name of it as a whole only: `net_1/wrap_1` is `wrap`.
#[test]
fn the_whole_scope_of_a_call_is_a_name_of_the_layer() {
    let model = open(folder().join("within/export")).unwrap();
    let names = |name: &str| -> Vec<_> { model.find(name).unwrap().iter().map(|found| found.short_name()).collect() };
    assert_eq!(names("net_1/wrap_1"), names("wrap"));
    assert_eq!(names("StatefulPartitionedCall/net_1/wrap_1_2/scaled_1"), names("wrap_1/scaled"));
    assert_eq!(names("net/wrap_1"), ["net/wrap_1/add_1"]);
    assert_ne!(names("wrap_1"), names("wrap"));
    assert!(model.find("wider_1").unwrap_err().to_string().contains("did you mean `wider`"));
}

#[test]
fn an_edit_flows_on() {
    let model = custom();
    let plain = model.forward([("x", &x())]).unwrap();
    let run = model.run().edit("two/Tanh", |t| t * 2.).unwrap();
    let edited = run.forward([("x", &x())]).unwrap();
    assert_eq!(difference(&edited["output_0"], &plain["output_0"]), 0.);
    // By hand: the layer after it is linear.
    let weight = one(&model, "d2/Cast/ReadVariableOp");
    let bias = one(&model, "d2/BiasAdd/ReadVariableOp");
    let by_hand = (one(&model, "Tanh") * 2.).unwrap().matmul(&weight).unwrap().broadcast_add(&bias).unwrap();
    assert!(difference(&edited["output_1"], &by_hand) < 1e-6);
    assert!(difference(&edited["output_1"], &plain["output_1"]) > 1e-3);
    // A capture sees what flows on.
    let captured = run.capture([("x", &x())], &["two/Tanh"]).unwrap();
    assert_eq!(difference(&captured[0], &(one(&model, "Tanh") * 2.).unwrap()), 0.);
}

#[test]
fn what_is_replaced_needs_nothing_before_it() {
    let model = custom();
    let value = Tensor::ones((3, 16), candle_core::DType::F32, &Device::Cpu).unwrap();
    // What comes before would fail: an edit there gives an error that nobody sees.
    let run = model.run().replace("two/Tanh", &value).unwrap();
    let run = run.edit("two/mul", |_| Err(candle_core::Error::Msg("it is computed".to_owned()))).unwrap();
    let captured = run.capture([("x", &x())], &["d2/MatMul"]).unwrap();
    let by_hand = value.matmul(&one(&model, "d2/Cast/ReadVariableOp")).unwrap();
    assert!(difference(&captured[0], &by_hand) < 1e-6);
    let narrow = Tensor::ones((3, 15), candle_core::DType::F32, &Device::Cpu).unwrap();
    let error = model.run().replace("two/Tanh", &narrow).unwrap().forward([("x", &x())]).unwrap_err().to_string();
    assert!(error.contains("two_1/d2_1/MatMul` (MatMul) on [3, 15]"), "{error}");
}

#[test]
fn only_what_is_asked_for_is_computed() {
    let model = custom();
    let failing = |_: &Tensor| Err(candle_core::Error::Msg("it is computed".to_owned()));
    let run = model.run().edit("d1/BiasAdd", failing).unwrap();
    assert!(run.forward([("x", &x())]).unwrap_err().to_string().contains("it is computed"));
    // The weights of the other layer do not depend on it.
    run.capture([("x", &x())], &["d2/Cast/ReadVariableOp"]).unwrap();
    assert!(run.capture([("x", &x())], &["two/mul"]).is_err());
}

#[test]
fn a_replay_starts_where_it_differs() {
    let model = custom();
    let recording = model.run().record([("x", &x())]).unwrap();
    assert_eq!(difference(&recording.values(&["Tanh"]).unwrap()[0], &one(&model, "Tanh")), 0.);
    let replayed = recording.replay().edit("two/Tanh", |t| t.neg()).unwrap().forward().unwrap();
    let whole = model.run().edit("two/Tanh", |t| t.neg()).unwrap().forward([("x", &x())]).unwrap();
    assert_eq!(difference(&replayed["output_1"], &whole["output_1"]), 0.);
}

#[test]
fn gradients_are_those_of_finite_differences() {
    let model = custom();
    let loss = model.run().loss("d2/BiasAdd", |y| y.sqr()?.sum_all()).unwrap();
    let found = loss.gradients([("x", &x())], &["x", "two/mul"]).unwrap();
    let at = |x: &Tensor| -> f64 {
        let y = model.capture([("x", x)], &["d2/BiasAdd"]).unwrap()[0].clone();
        f64::from(y.sqr().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap())
    };
    let gradient = found.gradients[0].flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let values = x().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    for place in 0..values.len() {
        let moved = |by: f32| {
            let mut values = values.clone();
            values[place] += by;
            at(&Tensor::from_vec(values, (3, 8), &Device::Cpu).unwrap())
        };
        let slope = (moved(2e-3) - moved(-2e-3)) / 4e-3;
        assert!((slope - f64::from(gradient[place])).abs() < 2e-2 * (1. + slope.abs()), "{place}: {slope}");
    }
    // By hand, of `y = tanh(m)·w + b`: the slope of `Σy²` at `m` is `2y·wᵀ·(1 − tanh²)`.
    let (y, tanh) = (one(&model, "d2/BiasAdd"), one(&model, "two/Tanh"));
    let back = (y * 2.).unwrap().matmul(&one(&model, "d2/Cast/ReadVariableOp").t().unwrap()).unwrap();
    let by_hand = (back * (1. - tanh.sqr().unwrap()).unwrap()).unwrap();
    assert!(difference(&found.gradients[1], &by_hand) < 1e-5);
}

#[test]
fn taps_go_to_a_file_and_back() {
    let model = custom();
    let (_, taps) = model.forward_with_taps([("x", &x())]).unwrap();
    let path = std::env::temp_dir().join(format!("taper-saved-{}.safetensors", std::process::id()));
    taps.save(&path).unwrap();
    let back = Taps::load(&model, &path).unwrap();
    let other = Taps::load(&open(folder().join("mlp/export")).unwrap(), &path);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(taps.iter().len(), back.iter().len());
    assert_eq!(difference(taps.get(TANH).unwrap(), back.get(TANH).unwrap()), 0.);
    assert!(other.is_err());
}

/// What is generic over models takes this one.
#[test]
fn it_is_one_of_tapers_models() {
    let model = custom();
    let inputs = model.inputs([("x", &x())]).unwrap();
    let sites = Model::sites(&model);
    let value = Model::capture(&model, (&inputs,), |_| sites.find(TANH)).unwrap();
    assert_eq!(difference(&value, &one(&model, "Tanh")), 0.);
    let run = Model::run(&model).edit(|_| sites.find(TANH), |t| t.zeros_like());
    let changed = run.on((&inputs,)).capture(|_| sites.find(TANH)).unwrap();
    assert_eq!(changed.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap(), 0.);
}
