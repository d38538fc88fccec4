//! Small things that most tests need.

use candle_core::{DType, Device, Tensor};
use candle_nn::{VarBuilder, VarMap};

/// Random weights, kept in `vars`.
pub fn builder(vars: &VarMap) -> VarBuilder<'static> {
    VarBuilder::from_varmap(vars, DType::F32, &Device::Cpu)
}

/// Two rows of four.
pub fn input() -> Tensor {
    Tensor::new(&[[0.5f32, -1., 2., 0.25], [1., 0., -0.5, 3.]], &Device::Cpu).unwrap()
}

/// Equal shapes and equal bits.
#[track_caller]
pub fn assert_same(a: &Tensor, b: &Tensor) {
    let bits =
        |t: &Tensor| t.flatten_all().unwrap().to_vec1::<f32>().unwrap().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    assert_eq!((a.dims(), bits(a)), (b.dims(), bits(b)));
}

/// The error's message has all of `parts`.
#[track_caller]
pub fn assert_error<T, E: std::fmt::Display>(result: Result<T, E>, parts: &[&str]) {
    let error = match result {
        Ok(_) => panic!("no error, and one with {parts:?} was expected"),
        Err(error) => error.to_string(),
    };
    for part in parts {
        assert!(error.contains(part), "no `{part}` in: {error}");
    }
}
