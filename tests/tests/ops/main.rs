//! `taper::ops` against PyTorch, and the leaves that use it.

mod conv;
mod leaves;
mod pytorch;
mod whole_model;

use candle_core::{DType, Tensor};

fn doubles(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Of the same shape, and each number within `tolerance` of the other's, in units of the larger of it and 1.
#[track_caller]
fn assert_close(actual: &Tensor, expected: &Tensor, tolerance: f64, what: &str) {
    assert_eq!(actual.shape(), expected.shape(), "{what}");
    for (at, (actual, expected)) in doubles(actual).into_iter().zip(doubles(expected)).enumerate() {
        let close = (actual - expected).abs() <= tolerance * expected.abs().max(1.);
        assert!(close, "{what}, element {at}: {actual} where {expected} was expected");
    }
}
