//! Fields of several kinds of models against the values that TensorFlow computes.

use std::collections::HashMap;

use candle_core::{Device, Tensor};
use taper_saved::saved_model;

use crate::common::{arrays, difference, folder, json};

saved_model! {
    /// Two outputs, and layers in a layer.
    pub(crate) Custom = "../tests/data/saved/custom/export"
}
saved_model! { Subclassed = "../tests/data/saved/subclassed/export" }
saved_model! { Transformer = "../tests/data/saved/transformer/export" }
saved_model! { pub(crate) Keras2 = "../tests/data/saved/keras2_functional/keras2" }
saved_model! { pub(super) Classify = "../tests/data/saved/signatures/tfsave", signature = "classify" }
saved_model! { Reference = "../tests/data/saved/tf1_reference/tf1" }
saved_model! { Features = "../tests/data/saved/tf1_reference/tf1", signature = "features" }
saved_model! { Lstm = "../tests/data/saved/lstm/export" }
saved_model! { Conditions = "../tests/data/saved/conditions/tfsave" }
saved_model! { Efficient = "../tests/data/saved/efficient/export" }

/// What TensorFlow computes, by the names of the tensors.
struct Expected {
    inputs: HashMap<String, Tensor>,
    tensors: HashMap<String, Tensor>,
}

impl Expected {
    fn of(model: &str, kind: &str) -> Self {
        let folder = folder().join(model);
        let table = json(folder.join(format!("expected_{kind}.json")));
        let values = arrays(folder.join(format!("expected_{kind}.npz")));
        let tensors = table["tensors"].as_array().unwrap().iter().filter_map(|tensor| {
            let name = tensor["name"].as_str()?.strip_suffix(":0")?;
            Some((name.to_owned(), values.get(tensor["key"].as_str()?)?.clone()))
        });
        Expected { inputs: arrays(folder.join("inputs.npz")), tensors: tensors.collect() }
    }

    fn check(&self, name: &str, value: &Tensor) {
        let expected = self.tensors.get(name).unwrap_or_else(|| panic!("TensorFlow has no `{name}`"));
        let difference = difference(value, expected);
        assert!(difference <= 1e-5, "`{name}` differs by {difference}");
    }
}

/// Every tensor with a site has a field, whose docs name it.
fn every_tensor<M: taper::Model>(model: &M, saved: &taper_saved::SavedModel) -> usize {
    let tensors = saved.tensors().iter().filter(|tensor| tensor.unsupported().is_none());
    assert!(tensors.count() >= taper::Model::sites(model).len() - 1);
    taper::Model::sites(model).len() - 1
}

#[test]
fn layers_in_layers() {
    let (model, expected) = (Custom::load(&Device::Cpu).unwrap(), Expected::of("custom", "export"));
    let x = &expected.inputs["x"];
    let (y, taps) = model.forward_with_taps(x).unwrap();
    let two = &taps.custom.two;
    let scope = "StatefulPartitionedCall/custom_1/two_1";
    expected.check(&format!("{scope}/d1_1/Cast/ReadVariableOp"), &two.d1.cast.read_variable_op);
    expected.check(&format!("{scope}/d1_1/MatMul"), &two.d1.mat_mul);
    expected.check(&format!("{scope}/d1_1/BiasAdd"), &two.d1.bias_add);
    expected.check(&format!("{scope}/d1_1/Relu"), &two.d1.relu);
    expected.check(&format!("{scope}/mul/y"), &two.mul_y);
    expected.check(&format!("{scope}/mul"), &two.mul);
    expected.check(&format!("{scope}/Tanh"), &two.tanh);
    expected.check(&format!("{scope}/d2_1/BiasAdd"), &two.d2.bias_add);
    expected.check("StatefulPartitionedCall/Identity", &taps.identity);
    expected.check("Identity_1", &taps.identity_1_2);
    assert_eq!(difference(&taps.x, x), 0.);
    // What others take of a layer.
    assert_eq!(difference(two.d1.output(), &two.d1.relu), 0.);
    let [hidden, last] = two.outputs();
    assert_eq!((difference(hidden, &y.output_0), difference(last, &two.d2.bias_add)), (0., 0.));
    // The outputs, by the names of the signature.
    let outputs = arrays(folder().join("custom/outputs.npz"));
    assert!(difference(&y.output_0, &outputs["output_0"]) <= 1e-5);
    assert!(difference(&y.output_1, &outputs["output_1"]) <= 1e-5);
    assert_eq!(difference(&taps.output.output_1, &y.output_1), 0.);
    assert_eq!(every_tensor(&model, model.saved()), 17);
}

#[test]
fn a_layer_that_is_called_twice_has_a_field_for_each_call() {
    let (model, expected) = (Subclassed::load(&Device::Cpu).unwrap(), Expected::of("subclassed", "export"));
    let (_, taps) = model.forward_with_taps(&expected.inputs["x"]).unwrap();
    let (first, second) = (&taps.net.block_a, &taps.net.block_a_2);
    assert!(difference(first.output(), second.output()) > 0.);
    expected.check("StatefulPartitionedCall/net_1/dense_7_1/MatMul", &taps.net.dense_7.mat_mul);
    expected.check("StatefulPartitionedCall/net_1/LeakyRelu", &taps.net.leaky_relu);
    let scope = "StatefulPartitionedCall/net_1/block_a_1/layer_normalization_1";
    expected.check(&format!("{scope}/moments/variance"), &first.layer_normalization.moments.variance);
    expected.check(&format!("{scope}/Reshape_1"), &first.layer_normalization.reshape_1);
}

#[test]
fn inputs_are_arguments_in_the_order_of_their_names() {
    let (model, expected) = (Transformer::load(&Device::Cpu).unwrap(), Expected::of("transformer", "export"));
    let (mask, tokens) = (&expected.inputs["mask"], &expected.inputs["tokens"]);
    let (y, taps) = model.forward_with_taps(mask, tokens).unwrap();
    let outputs = arrays(folder().join("transformer/outputs.npz"));
    assert!(difference(&y.hidden, &outputs["hidden"]) <= 1e-5);
    assert!(difference(&y.pooled, &outputs["pooled"]) <= 1e-5);
    let attention = &taps.encoder.attention_0;
    for (name, value) in [("query_1", attention.query.output()), ("key_1", attention.key.output())] {
        let scope = format!("StatefulPartitionedCall/encoder_1/attention_0_1/{name}/");
        let near = expected.tensors.iter().filter(|(name, _)| name.starts_with(&scope));
        assert!(near.into_iter().any(|(_, expected)| difference(value, expected) <= 1e-5), "{scope}");
    }
}

#[test]
fn signatures_of_one_file_have_types_of_their_own() {
    let expected = Expected::of("signatures", "tfsave.classify");
    let model = Classify::load(&Device::Cpu).unwrap();
    let (embedding, temperature) = (&expected.inputs["classify/embedding"], &expected.inputs["classify/temperature"]);
    let (y, taps) = model.forward_with_taps(embedding, temperature).unwrap();
    expected.check("StatefulPartitionedCall/Softmax", &taps.softmax);
    expected.check("StatefulPartitionedCall/matmul", &taps.matmul);
    assert_eq!(difference(&y.probabilities, &taps.output.probabilities), 0.);
}

#[test]
fn graphs_of_tensorflow_1() {
    let (model, expected) = (Reference::load(&Device::Cpu).unwrap(), Expected::of("tf1_reference", "tf1"));
    let image = &expected.inputs["image"];
    let (y, taps) = model.forward_with_taps(image).unwrap();
    expected.check("net/conv/Conv2D", &taps.net.conv.conv2d);
    expected.check("net/conv/weights/read", &taps.net.conv.weights_read);
    expected.check("net/hidden/Elu", &taps.net.hidden.elu);
    expected.check("net/pool", &taps.net.pool);
    expected.check("net/probabilities", &y.probabilities);
    let features = Features::load(&Device::Cpu).unwrap();
    assert_eq!(difference(&features.capture(image, |t| t.net.conv.conv2d).unwrap(), &taps.net.conv.conv2d), 0.);
}

#[test]
fn functional_models_of_keras_2() {
    let (model, expected) = (Keras2::load(&Device::Cpu).unwrap(), Expected::of("keras2_functional", "keras2"));
    let saved = model.saved();
    assert_eq!(every_tensor(&model, saved), saved.find("**").unwrap().len());
    assert!(!expected.tensors.is_empty());
}

/// What TensorFlow computes in a function of a branch or a loop, call by call.
fn inside(model: &str, kind: &str, part: &str, name: &str) -> Vec<Tensor> {
    let folder = folder().join(model);
    let table = json(folder.join(format!("expected_{kind}.json")));
    let values = arrays(folder.join(format!("expected_{kind}.npz")));
    let calls = table["bodies"].as_array().unwrap().iter().filter(|body| {
        let path = body["path"].as_array().unwrap();
        path.len() == 1 && path[0]["part"] == part
    });
    let named =
        calls.flat_map(|body| body["tensors"].as_array().unwrap().iter().filter(|tensor| tensor["name"] == name));
    named.map(|tensor| values[tensor["key"].as_str().unwrap()].clone()).collect()
}

#[test]
fn every_step_of_a_loop_has_the_fields_of_its_body() {
    let (model, given) = (Lstm::load(&Device::Cpu).unwrap(), Expected::of("lstm", "export"));
    let x = &given.inputs["x"];
    let (y, taps) = model.forward_with_taps(x).unwrap();
    let outputs = arrays(folder().join("lstm/outputs.npz"));
    assert!(difference(&y, &outputs["output_0"]) <= 1e-5);
    let expected = inside("lstm", "export", "body", "net_1/lstm_1/while/lstm_cell_1/MatMul:0");
    let steps = model.capture(x, |t| t.net.lstm.while_body.each(|step| step.lstm_cell.mat_mul)).unwrap();
    assert_eq!((steps.len(), taps.net.lstm.while_body.len()), (expected.len(), expected.len()));
    assert!(expected.len() > 1);
    // What a step is given, without the scopes that TensorFlow names it by.
    assert_eq!(taps.net.lstm.while_body[0].placeholder_2.dims(), taps.net.lstm.while_body[1].placeholder_3.dims());
    for ((step, taps), expected) in steps.iter().zip(&taps.net.lstm.while_body).zip(&expected) {
        assert!(difference(step, expected) <= 1e-5);
        assert_eq!(difference(step, &taps.lstm_cell.mat_mul), 0.);
    }
    // One step, captured and changed.
    let second = model.capture(x, |t| t.net.lstm.while_body.at(1).select(|step| step.lstm_cell.mat_mul)).unwrap();
    assert_eq!(difference(&second, &steps[1]), 0.);
    let run = model.run().edit(|t| t.net.lstm.while_body.at(1).select(|step| step.lstm_cell.mat_mul), |h| h * 2.);
    let by_name = model.saved().run().edit("lstm/while/body.1/lstm_cell/MatMul", |h| h * 2.).unwrap();
    let changed = run.forward(x).unwrap();
    assert_eq!(difference(&changed, by_name.forward([("x", x)]).unwrap().single().unwrap()), 0.);
    assert!(difference(&changed, &y) > 1e-6);
}

#[test]
fn a_branch_has_its_fields_if_a_run_takes_it() {
    let (model, given) = (Conditions::load(&Device::Cpu).unwrap(), Expected::of("conditions", "tfsave"));
    let flag = given.inputs["flag"].to_dtype(candle_core::DType::U8).unwrap();
    let x = &given.inputs["x"];
    let taps = model.forward_with_taps(&flag, x).unwrap().1;
    given.check("StatefulPartitionedCall/cond", &taps.cond);
    given.check("StatefulPartitionedCall/matmul", &taps.matmul);
    assert!(taps.cond_then_branch.is_none());
    let expected = inside("conditions", "tfsave", "else_branch", "cond/Max:0");
    let max = model.capture(&flag, x, |t| t.cond_else_branch.map(|branch| branch.max)).unwrap().unwrap();
    assert!(difference(&max, &expected[0]) <= 1e-5);
    assert_eq!(difference(&max, &taps.cond_else_branch.unwrap().max), 0.);
    let untaken = model.capture(&flag, x, |t| t.cond_then_branch).unwrap();
    assert!(untaken.is_none());
}
