//! Files that are cut off, flipped or made up: an error or a model, never a panic or a great allocation.

use std::path::{Path, PathBuf};

use crate::common::folder;
use candle_core::Tensor;
use taper_saved::open;

/// A copy of a model that may be damaged.
struct Copy(PathBuf);

impl Copy {
    fn of(model: &str, name: &str) -> Self {
        let to = std::env::temp_dir().join(format!("taper-saved-{}-{name}", std::process::id()));
        let from = folder().join(model).join("export");
        std::fs::create_dir_all(to.join("variables")).unwrap();
        for file in ["saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"] {
            std::fs::write(to.join(file), std::fs::read(from.join(file)).unwrap()).unwrap();
        }
        Copy(to)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Opens a model, and runs it if it opens.
fn try_out(path: &Path) {
    let Ok(model) = open(path) else { return };
    let _ = model.summary().to_string();
    for name in model.layers().flat_map(|layer| layer.call_names().take(2)).take(2) {
        let step = name.replace("/body/", "/body.1/");
        let _ = (model.find(name), model.find(&step));
    }
    let _ = (model.find("**/body.0/*"), model.find("while/Tanh"));
    let inputs: Option<Vec<(String, Tensor)>> = model
        .input_tensors()
        .map(|(name, input)| {
            let sizes = input.shape()?.into_iter().map(|size| size.unwrap_or(2)).collect::<Vec<_>>();
            let count = sizes.iter().try_fold(1usize, |count, size| count.checked_mul(*size))?;
            let small = count < 1 << 16;
            let zeros = Tensor::zeros(sizes, input.ty().dtype()?, &candle_core::Device::Cpu).ok().filter(|_| small)?;
            Some((name.to_owned(), zeros))
        })
        .collect();
    if let Some(inputs) = inputs {
        let _ = model.forward_with_taps(inputs.iter().map(|(name, tensor)| (name.as_str(), tensor)));
    }
}

#[test]
fn a_file_that_is_missing_or_cut_off_is_named() {
    let nowhere = open(folder().join("no_such_model")).unwrap_err().to_string();
    assert!(nowhere.contains("no_such_model/saved_model.pb"), "{nowhere}");
    let copy = Copy::of("mlp", "cut");
    let data = copy.file("variables/variables.data-00000-of-00001");
    let whole = std::fs::read(&data).unwrap();
    std::fs::write(&data, &whole[..whole.len() / 2]).unwrap();
    let x = Tensor::zeros((1, 32), candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
    let error = || open(&copy.0).and_then(|model| model.forward([("x", &x)])).unwrap_err().to_string();
    assert!(error().contains("variables.data-00000-of-00001") && error().contains("cut off"), "{}", error());
    std::fs::remove_file(&data).unwrap();
    assert!(error().contains("variables.data-00000-of-00001"), "{}", error());
    let index = copy.file("variables/variables.index");
    let whole = std::fs::read(&index).unwrap();
    std::fs::write(&index, &whole[..whole.len() - 1]).unwrap();
    assert!(error().contains("variables.index"), "{}", error());
    std::fs::remove_file(&index).unwrap();
    assert!(error().contains("there is no `variables/variables.index`"), "{}", error());
}

#[test]
fn a_flipped_weight_is_noticed() {
    let copy = Copy::of("mlp", "flip");
    let data = copy.file("variables/variables.data-00000-of-00001");
    let whole = std::fs::read(&data).unwrap();
    let x = Tensor::zeros((1, 32), candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
    // Every weight is there twice, and only one of the two is used.
    let noticed = (0..whole.len()).step_by(97).filter(|at| {
        let mut bytes = whole.clone();
        bytes[*at] ^= 4;
        std::fs::write(&data, bytes).unwrap();
        let result = open(&copy.0).and_then(|model| model.forward([("x", &x)]));
        result.is_err_and(|error| error.to_string().contains("checksum"))
    });
    let (noticed, tried) = (noticed.count(), whole.len().div_ceil(97));
    assert!(noticed * 5 > tried * 2, "{noticed} of {tried}");
}

#[test]
fn a_graph_that_is_cut_anywhere_does_not_panic() {
    let copy = Copy::of("custom", "graph");
    let file = copy.file("saved_model.pb");
    let whole = std::fs::read(&file).unwrap();
    for len in (0..whole.len()).step_by(whole.len() / 300) {
        std::fs::write(&file, &whole[..len]).unwrap();
        try_out(&copy.0);
    }
}

#[test]
fn a_graph_with_flipped_bits_does_not_panic() {
    for (model, seed) in [("custom", 1u64), ("branchy", 2), ("lstm", 3)] {
        let copy = Copy::of(model, &format!("bits-{model}"));
        let file = copy.file("saved_model.pb");
        let whole = std::fs::read(&file).unwrap();
        let mut state = seed;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        for _ in 0..250 {
            let mut bytes = whole.clone();
            for _ in 0..=random(4) {
                let at = random(bytes.len());
                bytes[at] = if random(2) == 0 { bytes[at] ^ (1 << random(8)) } else { random(256) as u8 };
            }
            std::fs::write(&file, bytes).unwrap();
            try_out(&copy.0);
        }
    }
}
