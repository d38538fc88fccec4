use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Linear, VarBuilder, batch_norm, linear, linear_no_bias};

use super::Weights;

/// A folder of one test, gone when the test is done.
struct Folder(PathBuf);

impl Folder {
    fn new(test: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("taper-weights-{test}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn save(&self, file: &str, tensors: &[(&str, &[usize])]) -> PathBuf {
        let path = self.0.join(file);
        candle_core::safetensors::save(&map(tensors), &path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn map(tensors: &[(&str, &[usize])]) -> HashMap<String, Tensor> {
    let ones = |shape: &[usize]| Tensor::ones(shape, DType::F32, &Device::Cpu).unwrap();
    tensors.iter().map(|(name, shape)| ((*name).to_owned(), ones(shape))).collect()
}

fn weights(tensors: &[(&str, &[usize])]) -> Weights {
    Weights::from_tensors(map(tensors), DType::F32, &Device::Cpu)
}

/// The error's text without a backtrace, which `RUST_BACKTRACE` appends.
fn message<T>(result: Result<T>) -> String {
    let Err(error) = result else { panic!("the fault was not reported") };
    let text = error.to_string();
    text.split("\n   0: ").next().unwrap_or_default().to_owned()
}

fn contains(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "`{part}` is not in:\n{text}");
    }
}

const LAYER: &[(&str, &[usize])] = &[("fc.weight", &[3, 2]), ("fc.bias", &[3])];

fn layer(vb: VarBuilder) -> Result<Linear> {
    linear(2, 3, vb.pp("fc"))
}

#[test]
fn what_fits_is_loaded() {
    let fc = weights(LAYER).load(layer).unwrap();
    assert_eq!(fc.weight().dims(), [3, 2]);
    assert_eq!(fc.bias().unwrap().to_vec1::<f32>().unwrap(), [1.0; 3]);
}

#[test]
fn a_missing_tensor_is_an_error() {
    let text = message(weights(&[("fc.weight", &[3, 2])]).load(layer));
    contains(&text, &["the given tensors", "1 missing", "missing `fc.bias` [3]"]);
    assert!(!text.contains("unused") && !text.contains("shape of"), "{text}");
}

#[test]
fn another_shape_is_an_error() {
    let text = message(weights(&[("fc.weight", &[2, 3]), ("fc.bias", &[3])]).load(layer));
    contains(&text, &["1 of another shape", "shape of `fc.weight`: the model asks for [3, 2], there is [2, 3]"]);
    assert!(!text.contains("unused") && !text.contains("missing"), "{text}");
}

#[test]
fn an_unused_tensor_is_an_error() {
    let text = message(weights(&[LAYER, &[("head.weight", &[4, 4])]].concat()).load(layer));
    contains(&text, &["1 unused", "unused `head.weight` [4, 4]"]);
    assert!(!text.contains("missing") && !text.contains("shape of"), "{text}");
}

const NORM: &[(&str, &[usize])] = &[
    ("bn.weight", &[3]),
    ("bn.bias", &[3]),
    ("bn.running_mean", &[3]),
    ("bn.running_var", &[3]),
    ("bn.num_batches_tracked", &[]),
];

#[test]
fn the_counter_of_a_batch_norm_that_was_loaded_may_be_left() {
    weights(NORM).load(|vb| batch_norm(3, 1e-5, vb.pp("bn"))).unwrap();
    // At the root too.
    let bare: Vec<_> = NORM.iter().map(|&(name, shape)| (&name[3..], shape)).collect();
    weights(&bare).load(|vb| batch_norm(3, 1e-5, vb)).unwrap();
}

#[test]
fn the_counter_of_a_batch_norm_that_was_left_is_left_with_it() {
    let text = message(weights(&[LAYER, NORM].concat()).load(layer));
    contains(&text, &["5 unused", "unused `bn.num_batches_tracked` []"]);
    // A norm of another name does not answer for it.
    let other: &[(&str, &[usize])] = &[("sbn.num_batches_tracked", &[]), ("bn_num_batches_tracked", &[])];
    let text = message(weights(&[NORM, other].concat()).load(|vb| batch_norm(3, 1e-5, vb.pp("bn"))));
    contains(&text, &["2 unused", "unused `sbn.num_batches_tracked` []", "unused `bn_num_batches_tracked` []"]);
}

#[test]
fn all_faults_come_at_once_with_near_names() {
    let tensors: &[(&str, &[usize])] = &[("fc.wieght", &[3, 2]), ("fc.bias", &[4]), ("zz", &[1])];
    let text = message(weights(tensors).load(layer));
    contains(
        &text,
        &[
            "1 missing, 1 of another shape, 2 unused",
            "missing `fc.weight` [3, 2], did you mean `fc.wieght` [3, 2]?",
            "shape of `fc.bias`: the model asks for [3], there is [4]",
            "unused `fc.wieght` [3, 2], near the missing `fc.weight` [3, 2]",
            "unused `zz` [1]",
        ],
    );
}

#[test]
fn a_used_tensor_is_no_near_name() {
    let text = message(weights(LAYER).load(|vb| Ok((layer(vb.clone())?, vb.get(3, "fc.bia")?))));
    assert!(!text.contains("did you mean"), "{text}");
}

#[test]
fn a_fault_is_told_once() {
    let text = message(weights(&[]).load(|vb| Ok((vb.get(3, "a")?, vb.get(3, "a")?, vb.get(4, "a")?))));
    contains(&text, &["2 missing", "missing `a` [3]", "missing `a` [4]"]);
}

#[test]
fn asking_whether_a_tensor_is_there_is_no_request() {
    let loaded = weights(LAYER).load(|vb| {
        assert!(!vb.contains_tensor("fc.scale"));
        layer(vb)
    });
    loaded.unwrap();
    let text = message(weights(LAYER).load(|vb| {
        assert!(vb.contains_tensor("fc.bias"));
        linear_no_bias(2, 3, vb.pp("fc"))
    }));
    contains(&text, &["unused `fc.bias` [3]"]);
}

#[test]
fn a_dropped_error_is_a_fault_all_the_same() {
    let text = message(weights(LAYER).load(|vb| Ok((vb.get_unchecked("fc.scale").ok(), layer(vb)?))));
    contains(&text, &["missing `fc.scale`"]);
}

#[test]
fn without_a_shape_the_loading_ends_and_tells_what_it_found() {
    let text = message(weights(LAYER).load(|vb| Ok((vb.get(3, "a")?, vb.get_unchecked("b")?, vb.get(3, "c")?))));
    contains(&text, &["2 missing", "missing `a` [3]", "missing `b`"]);
    assert!(!text.contains("`c`") && !text.contains("unused"), "{text}");
}

#[test]
fn the_loaders_own_error_comes_with_the_faults() {
    let text = message(weights(&[]).load(|vb| {
        layer(vb)?;
        candle_core::bail!("no such head") as Result<()>
    }));
    contains(&text, &["missing `fc.weight` [3, 2]", "missing `fc.bias` [3]", "no such head"]);
    let alone = message(weights(LAYER).load(|_| candle_core::bail!("no such head") as Result<()>));
    assert!(alone.starts_with("no such head"), "{alone}");
}

#[test]
fn only_what_is_allowed_may_be_unused() {
    let tensors = [LAYER, &[("fc.mask", &[4, 4]), ("head", &[1])]].concat();
    let some = weights(&tensors).allow_unused(|name| name.ends_with(".mask"));
    let text = message(some.load(layer));
    contains(&text, &["1 unused", "unused `head` [1]"]);
    assert!(!text.contains("fc.mask"), "{text}");
    some.allow_unused(|name| name == "head").load(layer).unwrap();
}

#[test]
fn hundreds_of_faults_are_counted() {
    let names: Vec<String> = (0..200).map(|i| format!("h.{i}")).collect();
    let text = message(weights(&[]).load(|vb| names.iter().map(|name| vb.get(2, name)).collect::<Result<Vec<_>>>()));
    contains(&text, &["200 missing", "missing `h.19` [2]", "and 180 more missing"]);
    assert_eq!(text.lines().count(), 22, "{text}");
}

#[test]
fn a_prefix_that_one_side_lacks_is_told() {
    let text = message(weights(LAYER).load(|vb| layer(vb.pp("model"))));
    contains(&text, &["weights.prefixed(\"model\")", "missing `model.fc.bias` [3], did you mean `fc.bias` [3]?"]);
    weights(LAYER).prefixed("model").load(|vb| layer(vb.pp("model"))).unwrap();

    let text = message(weights(LAYER).prefixed("model").load(layer));
    contains(&text, &["vb.pp(\"model\")", "missing `fc.bias` [3], did you mean `model.fc.bias` [3]?"]);
}

#[test]
fn tensors_become_the_dtype() {
    let half = Weights::from_tensors(map(LAYER), DType::F16, &Device::Cpu);
    assert_eq!(half.load(layer).unwrap().weight().dtype(), DType::F16);
    let back = half.load(|vb| layer(vb.to_dtype(DType::F64))).unwrap();
    assert_eq!(back.weight().dtype(), DType::F64);
}

#[test]
fn a_builder_that_outlives_the_loading_gets_no_zeros() {
    let kept = weights(&[]).load(Ok).unwrap();
    contains(&message(kept.get(3, "a")), &["a"]);
    let kept = weights(LAYER).allow_unused(|_| true).load(Ok).unwrap();
    assert_eq!(kept.get(3, "fc.bias").unwrap().dims(), [3]);
    message(kept.get(4, "fc.bias"));
}

#[test]
fn files_are_read_together() {
    let folder = Folder::new("shards");
    let paths = [folder.save("a.safetensors", &LAYER[..1]), folder.save("b.safetensors", &LAYER[1..])];
    let weights = Weights::safetensors(&paths, DType::F32, &Device::Cpu).unwrap();
    assert_eq!(weights.names().collect::<Vec<_>>(), ["fc.bias", "fc.weight"]);
    assert!(weights.contains("fc.bias") && !weights.contains("fc"));
    let fc = weights.load(layer).unwrap();
    assert_eq!(fc.bias().unwrap().to_vec1::<f32>().unwrap(), [1.0; 3]);

    let text = message(weights.load(|vb| linear_no_bias(2, 3, vb.pp("fc"))));
    contains(&text, &["a.safetensors", "b.safetensors", "unused `fc.bias` [3]"]);
}

#[test]
fn a_tensor_in_two_files_is_an_error() {
    let folder = Folder::new("twice");
    let paths = [folder.save("a.safetensors", LAYER), folder.save("b.safetensors", &LAYER[1..])];
    let text = message(Weights::safetensors(&paths, DType::F32, &Device::Cpu));
    contains(&text, &["`fc.bias` is in two files", "a.safetensors", "b.safetensors"]);
}

#[test]
fn a_file_that_is_not_whole_is_named() {
    let folder = Folder::new("torn");
    let load = |path: &PathBuf| message(Weights::safetensors([path], DType::F32, &Device::Cpu));

    contains(&load(&folder.0.join("absent.safetensors")), &["absent.safetensors"]);

    let whole = folder.save("torn.safetensors", LAYER);
    let bytes = fs::read(&whole).unwrap();
    for length in [0, 4, 20, bytes.len() - 1] {
        fs::write(&whole, &bytes[..length]).unwrap();
        contains(&load(&whole), &["torn.safetensors"]);
    }
    let text = message(Weights::safetensors([] as [&str; 0], DType::F32, &Device::Cpu));
    contains(&text, &["no file of weights"]);
}

#[test]
fn a_size_out_of_all_proportion_ends_the_loading() {
    let text = message(weights(LAYER).load(|vb| linear(2, 1 << 40, vb.pp("fc"))));
    contains(&text, &["shape of `fc.weight`: the model asks for [1099511627776, 2], there is [3, 2]"]);
    let text = message(weights(LAYER).load(|vb| vb.get((usize::MAX, 2), "fc.weight")));
    contains(&text, &["1 of another shape"]);
}
