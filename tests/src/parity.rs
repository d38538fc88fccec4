//! Reference data of the originals, and how far a tensor is from one of them.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Result, Tensor, safetensors};
use taper::parity::Reference;

/// How far a value may be from its reference `r`, times `1 + |r|`: the float noise of another order of summing.
pub const TOLERANCE: f64 = 2e-5;

/// Reference data made by `tools/make_goldens.py` or `make_ops_goldens.py`: a folder of `tests/data`.
pub struct Golden {
    folder: PathBuf,
    tensors: HashMap<String, Tensor>,
}

impl Golden {
    /// The folder `name` of `tests/data`.
    pub fn open(name: &str) -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("data").join(name);
        let tensors = safetensors::load(folder.join("golden.safetensors"), &Device::Cpu)?;
        Ok(Self { folder, tensors })
    }

    /// The same tensors, to be compared with a model's taps.
    pub fn reference(&self) -> Result<Reference> {
        Reference::open(self.file("golden.safetensors"))
    }

    /// A file of the folder.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The tensor of this name; there is no test without it.
    pub fn tensor(&self, name: &str) -> &Tensor {
        self.tensors.get(name).unwrap_or_else(|| panic!("no `{name}` in {}", self.folder.display()))
    }

    /// The tensor of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<&Tensor> {
        self.tensors.get(name)
    }

    /// What follows `prefix` in the names that begin with it; there is no test without one.
    pub fn names(&self, prefix: &str) -> BTreeSet<&str> {
        let names: BTreeSet<&str> = self.tensors.keys().filter_map(|name| name.strip_prefix(prefix)).collect();
        assert!(!names.is_empty(), "nothing begins with `{prefix}` in {}", self.folder.display());
        names
    }
}

/// The largest `|value - reference| / (1 + |reference|)`.
///
/// # Errors
/// Different shapes, and values that are not floats.
pub fn max_error(value: &Tensor, reference: &Tensor) -> Result<f64> {
    if value.dims() != reference.dims() {
        candle_core::bail!("shapes {:?} and {:?} differ", value.dims(), reference.dims());
    }
    let values = |tensor: &Tensor| tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    let error = |(value, reference): (f64, f64)| {
        // Infinities that are equal differ by NaN.
        let error = if value == reference { 0.0 } else { (value - reference).abs() / (1.0 + reference.abs()) };
        // `max` below would pass over a NaN.
        if error.is_nan() { f64::INFINITY } else { error }
    };
    Ok(values(value)?.into_iter().zip(values(reference)?).map(error).fold(0.0, f64::max))
}

/// The largest `|value - reference|`, divided by the largest `|reference|`: gradients have no natural size.
///
/// # Errors
/// Different shapes, values that are not floats, and a reference of zeros only or with what is not finite.
pub fn relative_error(value: &Tensor, reference: &Tensor) -> Result<f64> {
    if value.dims() != reference.dims() {
        candle_core::bail!("shapes {:?} and {:?} differ", value.dims(), reference.dims());
    }
    let largest = |tensor: &Tensor| -> Result<f64> {
        let values = tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>()?;
        // `max` alone would pass over a NaN.
        Ok(values.into_iter().map(|v| if v.is_nan() { f64::INFINITY } else { v.abs() }).fold(0.0, f64::max))
    };
    let scale = largest(reference)?;
    if scale == 0.0 || !scale.is_finite() {
        candle_core::bail!("nothing can be measured by a reference whose largest value is {scale}");
    }
    Ok(largest(&(value - reference)?)? / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(value: &[f32], reference: &[f32]) -> f64 {
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        max_error(&tensor(value), &tensor(reference)).unwrap_or(f64::INFINITY)
    }

    #[test]
    fn errors_are_relative_above_one_and_absolute_below() {
        assert_eq!(error(&[1.0, 2.0], &[1.0, 2.0]), 0.0);
        assert_eq!(error(&[f32::NEG_INFINITY], &[f32::NEG_INFINITY]), 0.0);
        assert_eq!(error(&[0.5], &[0.0]), 0.5);
        assert_eq!(error(&[0.0, 6.0], &[0.0, 3.0]), 0.75);
    }

    #[test]
    fn what_is_not_a_number_or_not_of_the_shape_is_infinitely_wrong() {
        assert_eq!(error(&[f32::NAN, 0.0], &[0.0, 0.0]), f64::INFINITY);
        assert_eq!(error(&[f32::INFINITY], &[0.0]), f64::INFINITY);
        assert_eq!(error(&[f32::NEG_INFINITY], &[f32::INFINITY]), f64::INFINITY);
        assert_eq!(error(&[1.0, 1.0], &[1.0]), f64::INFINITY);
    }

    #[test]
    fn relative_errors_are_of_the_largest() {
        let tensor = |values: &[f32]| Tensor::new(values, &Device::Cpu).unwrap();
        let error = |value: &[f32], reference: &[f32]| relative_error(&tensor(value), &tensor(reference));
        assert_eq!(error(&[0.0, 4.0], &[0.5, -4.0]).unwrap(), 2.0);
        assert_eq!(error(&[f32::NAN, 4.0], &[0.0, 4.0]).unwrap(), f64::INFINITY);
        for (value, reference) in [(&[0.0][..], &[0.0]), (&[0.0], &[f32::INFINITY]), (&[1.0, 1.0], &[1.0])] {
            assert!(error(value, reference).is_err());
        }
    }
}
