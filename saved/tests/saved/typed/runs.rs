//! Runs of typed models: captured, changed, recorded, differentiated; and folders that are not the model's.

use candle_core::{Device, Tensor};
use taper_saved::saved_model;

use crate::common::{arrays, difference, folder};

saved_model! { pub(crate) Net = "../tests/data/saved/custom/export" }

fn net() -> (Net, Tensor) {
    (Net::load(&Device::Cpu).unwrap(), arrays(folder().join("custom/inputs.npz"))["x"].clone())
}

#[test]
fn what_is_captured_has_the_shape_of_the_selection() {
    let (net, x) = net();
    let taps = net.forward_with_taps(&x).unwrap().1;
    let two = &taps.custom.two;
    let (tanh, mean) = net.capture(&x, |t| (t.custom.two.tanh, t.custom.two.mul.map(|m| m.mean_all()))).unwrap();
    assert_eq!(difference(&tanh, &two.tanh), 0.);
    assert!(difference(&mean, &two.mul.mean_all().unwrap()) < 1e-6);
    // A whole layer, a layer in it included, and nothing else.
    let layer = net.capture(&x, |t| t.custom.two).unwrap();
    assert_eq!(difference(&layer.d2.bias_add, &two.d2.bias_add), 0.);
    let output = net.capture(&x, |t| t.output).unwrap();
    assert_eq!(difference(&output.output_1, &taps.output.output_1), 0.);
    assert_eq!(difference(&net.capture(&x, |t| t.custom.two.d1.output()).unwrap(), &two.d1.relu), 0.);
    // By name, when the choice is made at run time.
    let sites = net.sites();
    let named = sites.find("StatefulPartitionedCall/custom_1/two_1/Tanh").unwrap();
    assert_eq!(difference(&net.capture(&x, |_| named).unwrap(), &two.tanh), 0.);
    assert_eq!(difference(net.saved().capture([("x", &x)], &["two/Tanh"]).unwrap().single().unwrap(), &two.tanh), 0.);
}

#[test]
fn edits_and_replacements_flow_on() {
    let (net, x) = net();
    let by_name = net.saved().run().edit("two/d1/BiasAdd", |t| t.relu()).unwrap().forward([("x", &x)]).unwrap();
    let y = net.run().edit(|t| t.custom.two.d1.bias_add, |t| t.relu()).forward(&x).unwrap();
    assert_eq!(difference(&y.output_1, &by_name["output_1"]), 0.);
    let zeros = net.capture(&x, |t| t.custom.two.tanh).unwrap().zeros_like().unwrap();
    let run = net.run().replace(|t| t.custom.two.tanh, &zeros);
    let (y, tanh) = run.capture(&x, |t| (t.output, t.custom.two.tanh)).unwrap();
    assert_eq!(difference(&tanh, &zeros), 0.);
    let by_name = net.saved().run().replace("two/Tanh", &zeros).unwrap().forward([("x", &x)]).unwrap();
    assert_eq!(difference(&y.output_1, &by_name["output_1"]), 0.);
    // All tensors of a layer at once: those of `d2` are doubled where they are made.
    let all = net.run().edit(|t| t.custom.two.d2, |t| t * 2.).forward(&x).unwrap();
    assert!(difference(&all.output_1, &y.output_1) > 0.);
}

/// The input is at fault, and no place in the model.
#[test]
fn an_input_that_does_not_fit_is_named_and_nothing_else() {
    let (net, x) = net();
    let (wide, ints) = (Tensor::cat(&[&x, &x], 1).unwrap(), x.to_dtype(candle_core::DType::I64).unwrap());
    for (x, why) in [
        (&wide, format!("the input `x` is of shape {:?}, and the model takes [?, 8]", wide.dims())),
        (&ints, "the input `x` is i64, and the model takes float32: convert it by `.to_dtype(DType::F32)`".to_owned()),
    ] {
        let loss = net.run().loss(|t| t.custom.two.tanh, |h| h.sum_all());
        for error in [
            net.forward(x).unwrap_err(),
            net.forward_with_taps(x).unwrap_err(),
            net.capture(x, |t| t.custom.two.tanh).unwrap_err(),
            net.run().edit(|t| t.custom.two.tanh, |t| t.relu()).forward(x).unwrap_err(),
            net.run().record(x).unwrap_err(),
            loss.gradients(x, |t| t.x).unwrap_err(),
            net.saved().forward([("x", x)]).unwrap_err(),
            net.saved().capture([("x", x)], &["two/Tanh"]).unwrap_err(),
        ] {
            assert_eq!(error.to_string().lines().next().unwrap(), why);
        }
    }
    // What is wrong inside of the model still has its place.
    let failing = net.run().edit(|t| t.custom.two.tanh, |_| Err(candle_core::Error::Msg("no".to_owned())));
    assert!(failing.forward(&x).unwrap_err().to_string().contains("two_1/Tanh`"));
}

#[test]
fn recordings_replay() {
    let (net, x) = net();
    let recording = net.run().record(&x).unwrap();
    let zeros = net.capture(&x, |t| t.custom.two.tanh).unwrap().zeros_like().unwrap();
    let replayed = recording.replay().replace(|t| t.custom.two.tanh, &zeros).forward(&x).unwrap();
    let fresh = net.run().replace(|t| t.custom.two.tanh, &zeros).forward(&x).unwrap();
    assert_eq!(difference(&replayed.output_1, &fresh.output_1), 0.);
    let other = (&x * 2.).unwrap();
    let error = recording.replay().forward(&other).unwrap_err().to_string();
    assert!(error.contains("the argument `x` is not that of the recorded run"), "{error}");
}

#[test]
fn gradients_are_those_of_the_model_by_name() {
    let (net, x) = net();
    let loss = net.run().loss(|t| t.output.output_1, |y| y.sqr()?.sum_all());
    let typed = loss.gradients(&x, |t| (t.custom.two.tanh, t.custom.two.d1)).unwrap();
    let saved = net.saved();
    let named = saved.run().loss("output_1", |y| y.sqr()?.sum_all());
    let named = named.or_else(|_| saved.run().loss("Identity_1", |y| y.sqr()?.sum_all()));
    let named = named.unwrap().gradients([("x", &x)], &["two/Tanh", "two/d1/Relu"]).unwrap();
    assert_eq!(difference(&typed.gradients.0, &named.gradients[0]), 0.);
    assert_eq!(difference(&typed.gradients.1.relu, &named.gradients[1]), 0.);
}

#[test]
fn taps_are_saved_under_the_names_of_the_file() {
    let (net, x) = net();
    let taps = net.forward_with_taps(&x).unwrap().1;
    let path = std::env::temp_dir().join(format!("taper-typed-{}.safetensors", std::process::id()));
    taps.save(&path).unwrap();
    let saved = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert_eq!(difference(&saved["StatefulPartitionedCall/custom_1/two_1/Tanh"], &taps.custom.two.tanh), 0.);
    assert!(format!("{:?}", taps.custom.two.d1).contains("relu: [3, 16] f32"), "{:?}", taps.custom.two.d1);
}

#[test]
fn another_model_is_an_error_that_says_what_differs() {
    let error = Net::load_from(folder().join("mlp/export"), &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("does not have the structure that `Net` was compiled from: the signature gives `output_0`, and gave `output_0`, `output_1`"), "{error}");
    let error = Net::load_from(folder().join("custom"), &Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("saved_model.pb"), "{error}");
    // The same layers, from another writer: the names of its tensors are others.
    let error = Net::load_from(folder().join("custom/tfsave"), &Device::Cpu).unwrap_err().to_string();
    assert!(
        error.contains(
            "compile `Net` from this one: it is named in `saved_model!` at saved/tests/saved/typed/runs.rs:8, and was `"
        ),
        "{error}"
    );
}
