//! One architecture saved several times in one process, whose names go on being counted, and what is nearly it.

use std::collections::HashMap;
use std::path::PathBuf;

use candle_core::{Device, Tensor};
use taper_saved::saved_model;

use crate::common::{arrays, difference};

/// The line of the next but one.
const BRANCHES: u32 = line!() + 1;
saved_model! { pub(crate) Branches = "../tests/data/saved_twice/branches/first" }
saved_model! { Exported = "../tests/data/saved_twice/pair_export/first" }
saved_model! { Pair = "../tests/data/saved_twice/pair_tfsave/first" }
saved_model! { Recurrent = "../tests/data/saved_twice/recurrent/first" }
saved_model! { TwoInputs = "../tests/data/saved_twice/two_inputs/first" }
saved_model! { Graph = "../tests/data/saved_twice/graph/first" }

fn folder(model: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data/saved_twice").join(model)
}

/// What Keras computes, by the folder and the layer.
fn values(model: &str) -> HashMap<String, Tensor> {
    arrays(folder(model).join("values.npz"))
}

fn same(value: &Tensor, expected: &Tensor) {
    let difference = difference(value, expected);
    assert!(difference <= 1e-5, "{difference}");
}

/// The error of a folder that is not the model's.
fn refused<M>(load: impl Fn(PathBuf, &Device) -> candle_core::Result<M>, model: &str, name: &str) -> String {
    match load(folder(model).join(name), &Device::Cpu) {
        Err(error) => error.to_string(),
        Ok(_) => panic!("`{model}/{name}` was taken for `{model}/first`"),
    }
}

#[test]
fn layers_of_equal_shape_are_told_apart() {
    let expected = values("branches");
    for name in ["first", "again", "trained"] {
        let model = Branches::load_from(folder("branches").join(name), &Device::Cpu).unwrap();
        let at = |key: &str| &expected[&format!("{name}/{key}")];
        let (y, taps) = model.forward_with_taps(at("x")).unwrap();
        let net = &taps.functional;
        same(&net.dense.relu, at("left"));
        same(&net.dense_1.relu, at("right"));
        // Made in the other order.
        same(&net.dense_3.bias_add, at("third"));
        same(&net.dense_2.bias_add, at("fourth"));
        same(&y, at("output"));
        assert!(difference(at("left"), at("right")) > 1e-2);
        // What is captured alone, and changed.
        same(&model.capture(at("x"), |t| t.functional.dense_1.relu).unwrap(), at("right"));
        let changed = model
            .run()
            .replace(|t| t.functional.dense_1.relu, at("left"))
            .capture(at("x"), |t| t.functional.subtract.sub);
        assert_eq!(difference(&changed.unwrap(), &at("left").zeros_like().unwrap()), 0.);
    }
}

#[test]
fn what_differs_in_one_thing_is_refused_and_the_thing_is_named() {
    for (name, why) in [
        ("activation", "`functional_6/dense_12/Tanh` (Tanh) stands where `functional/dense/Relu` (Relu) was"),
        ("size", "the weight `dense_16/kernel`, which was `dense/kernel`, is float32 [48, 6], and was float32 [48, 5]"),
        (
            "operands",
            "the weight `dense_21/kernel` is used where `dense/kernel` was, and need not be the same layer's: other names, or \
             numbers in another order",
        ),
        ("operation", "`functional_9/add/Add` (AddV2) stands where `functional/subtract/Sub` (Sub) was"),
        (
            "constant",
            "the constant `functional_10/Const`, which was `functional/Const`, is float32 [] 0.25, and was float32 [] 0.5",
        ),
        (
            "dilation",
            "`functional_11/conv2d_8/convolution/BatchToSpaceND` (BatchToSpaceND) stands where `functional/conv2d/convolution` \
             (Conv2D) was",
        ),
        (
            "slope",
            "`alpha` of `functional_12/leaky_re_lu_9/LeakyRelu`, which was `functional/leaky_re_lu/LeakyRelu`, is 0.3, and was \
             what it is by default",
        ),
        ("order", "`functional_13/Mul` (Mul) stands where `functional/leaky_re_lu/LeakyRelu` (LeakyRelu) was"),
        ("bias", "`functional_14/dense_46/MatMul` (MatMul) stands where `functional/dense_2/BiasAdd` (BiasAdd) was"),
    ] {
        let error = refused(Branches::load_from, "branches", name);
        let expected = format!(
            "branches/{name}` does not have the structure that `Branches` was compiled from: {why}; load a folder"
        );
        assert!(error.contains(&expected), "{name}: {error}");
    }
    // What to do: where the folder is named.
    let error = refused(Branches::load_from, "branches", "bias");
    let remedy = format!("is named in `saved_model!` at {}:{}, and was `", file!(), BRANCHES);
    assert!(error.contains(&remedy), "{error}");
}

#[test]
fn layers_whose_weights_have_one_name_are_told_apart_by_who_has_them() {
    type Load<M> = fn(PathBuf, &Device) -> candle_core::Result<M>;
    let expected = values("pair_export");
    for name in ["first", "again"] {
        let model = Exported::load_from(folder("pair_export").join(name), &Device::Cpu).unwrap();
        let at = |key: &str| &expected[&format!("{name}/{key}")];
        let (y, taps) = model.forward_with_taps(at("x")).unwrap();
        same(&taps.pair.dense.bias_add, at("left"));
        same(&taps.pair.dense_1.bias_add, at("right"));
        same(&y, at("output"));
    }
    let load: Load<Exported> = Exported::load_from;
    let error = refused(load, "pair_export", "swapped");
    let why = "the weight `pair_2/kernel` (`variables/2` of what was saved) is used where the weight `pair/kernel` (`variables/0` \
               of what was saved) was";
    assert!(error.contains(why), "{error}");
    let expected = values("pair_tfsave");
    for name in ["first", "again", "trained"] {
        let model = Pair::load_from(folder("pair_tfsave").join(name), &Device::Cpu).unwrap();
        let at = |key: &str| &expected[&format!("{name}/{key}")];
        let (y, taps) = model.forward_with_taps(at("x")).unwrap();
        same(&taps.pair.dense.bias_add, at("left"));
        same(&taps.pair.dense_1.bias_add, at("right"));
        same(&y, at("output"));
    }
    let load: Load<Pair> = Pair::load_from;
    let error = refused(load, "pair_tfsave", "swapped");
    let why = "the weight `pair_2/kernel` (`right/_kernel` of what was saved) is used where the weight `pair/kernel` \
               (`left/_kernel` of what was saved) was";
    assert!(error.contains(why), "{error}");
}

#[test]
fn loops_are_compared_with_what_they_do() {
    let expected = values("recurrent");
    for name in ["first", "again"] {
        let model = Recurrent::load_from(folder("recurrent").join(name), &Device::Cpu).unwrap();
        let at = |key: &str| &expected[&format!("{name}/{key}")];
        same(&model.forward(at("x")).unwrap(), at("output"));
    }
    for (name, why) in [
        (
            "activation",
            "`functional_2/simple_rnn_2/while/body/simple_rnn_cell/Relu` (Relu) stands where \
             `functional/simple_rnn/while/body/simple_rnn_cell/Tanh` (Tanh) was",
        ),
        (
            "direction",
            "`functional_3/simple_rnn_3/ReverseV2` (ReverseV2) stands where `functional/simple_rnn/transpose` (Transpose) was",
        ),
    ] {
        let error = refused(Recurrent::load_from, "recurrent", name);
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn arguments_go_where_they_went_when_their_names_are_counted_on() {
    let expected = values("two_inputs");
    for name in ["first", "again"] {
        let model = TwoInputs::load_from(folder("two_inputs").join(name), &Device::Cpu).unwrap();
        let at = |key: &str| &expected[&format!("{name}/{key}")];
        same(&model.forward(at("x"), at("y")).unwrap(), at("output"));
    }
    let error = refused(TwoInputs::load_from, "two_inputs", "operands");
    assert!(error.contains("the input `keras_tensor_1005` stands where the input `keras_tensor` was"), "{error}");
    // An argument is called as the type calls it.
    let model = TwoInputs::load_from(folder("two_inputs/again"), &Device::Cpu).unwrap();
    let (x, y) = (&expected["again/x"], &expected["again/y"]);
    let error = model.forward(x, &y.narrow(1, 0, 2).unwrap()).unwrap_err().to_string();
    assert!(error.contains("the input `keras_tensor_1` is of shape [2, 2]"), "{error}");
}

#[test]
fn graphs_without_objects_are_known_by_the_names_of_their_weights() {
    let expected = values("graph");
    for name in ["first", "again"] {
        let model = Graph::load_from(folder("graph").join(name), &Device::Cpu).unwrap();
        let at = |key: &str| &expected[&format!("{name}/{key}")];
        same(&model.forward(at("x")).unwrap(), at("output"));
    }
    let error = refused(Graph::load_from, "graph", "size");
    let why = "the weight `dense_4/kernel`, which was `dense/kernel`, is float32 [3, 4], and was float32 [3, 3]";
    assert!(error.contains(why), "{error}");
}
