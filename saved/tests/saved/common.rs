//! Saved models with the values that TensorFlow computes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{DType, Tensor};
use serde_json::Value;
use taper_saved::SavedModel;

/// The folder of the models.
pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data/saved")
}

/// The arrays of a file.
pub(crate) fn arrays(path: impl AsRef<Path>) -> HashMap<String, Tensor> {
    let path = path.as_ref();
    let arrays = Tensor::read_npz(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    arrays.into_iter().collect()
}

/// A file of JSON.
pub(crate) fn json(path: impl AsRef<Path>) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What a model is given, by the names of its signature.
pub(crate) fn inputs(model: &SavedModel, directory: &Path, expected: &Value) -> Vec<(String, Tensor)> {
    let given = arrays(directory.join("inputs.npz"));
    let keys = expected["inputs"].as_object().unwrap();
    let inputs = model.input_tensors().map(|(name, input)| {
        let key = keys.get(&format!("{}:0", input.name())).and_then(Value::as_str);
        let tensor = &given[key.unwrap_or_else(|| panic!("no data for the input `{name}`"))];
        // NumPy's own defaults are wider than what models take.
        let tensor = tensor.to_dtype(input.ty().dtype().unwrap()).unwrap();
        (name.to_owned(), tensor)
    });
    inputs.collect()
}

/// As `forward` takes them.
pub(crate) fn fed(inputs: &[(String, Tensor)]) -> Vec<(&str, &Tensor)> {
    inputs.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect()
}

/// The largest of |a − b| / (1 + |b|).
pub(crate) fn difference(a: &Tensor, b: &Tensor) -> f64 {
    if a.dims() != b.dims() {
        return f64::INFINITY;
    }
    let all = |x: &Tensor| x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let distances = all(a).into_iter().zip(all(b)).map(|(a, b)| match a == b || a.is_nan() && b.is_nan() {
        true => 0.,
        false => (a - b).abs() / (1. + b.abs()),
    });
    // NaN counts, where `max` would drop it.
    distances.fold(0., |worst: f64, d| if d.is_nan() { f64::INFINITY } else { worst.max(d) })
}
