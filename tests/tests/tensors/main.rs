//! `taper::tensors` against PyTorch's formulas, worked out by hand, and finite differences.

mod distributions;
mod masks;
mod places;
mod similarity;

use candle_core::{DType, Device, Result, Tensor};

fn new(values: &[f32]) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap()
}

/// In logical order.
fn values(x: &Tensor) -> Vec<f32> {
    x.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

#[track_caller]
fn assert_close(x: &Tensor, expected: &[f32]) {
    let got = values(x);
    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-6 * (1. + b.abs()) || a == b;
    assert!(got.len() == expected.len() && got.iter().zip(expected).all(close), "{got:?} is not {expected:?}");
}

#[track_caller]
fn assert_fault<T>(result: Result<T>, parts: &[&str]) {
    let Err(error) = result else { panic!("it is not refused: {parts:?}") };
    let message = error.to_string();
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}
