//! What a run promises: where it stops, what it keeps, and what it refuses.

mod autograd;
mod elements;
mod files;
mod leaves;
mod selections;
mod state;
mod stop;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use candle_core::{DType, Device, Module, Result, Tensor};
use candle_nn::{VarBuilder, VarMap};
use taper_tests::fixtures::assert_same;

/// A layer of another crate: adds 1, and counts its calls.
#[derive(Clone, Debug, Default)]
pub struct Count(Arc<AtomicUsize>);

impl Count {
    fn calls(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Module for Count {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.0.fetch_add(1, Ordering::Relaxed);
        x.affine(1., 1.)
    }
}

/// Random weights.
fn vb() -> VarBuilder<'static> {
    VarBuilder::from_varmap(&VarMap::new(), DType::F32, &Device::Cpu)
}

fn random(shape: impl Into<candle_core::Shape>) -> Tensor {
    Tensor::randn(0f32, 1., shape, &Device::Cpu).unwrap()
}

fn zero() -> Tensor {
    Tensor::zeros((1, 4), DType::F32, &Device::Cpu).unwrap()
}

/// The first number of a tensor.
fn first(x: &Tensor) -> f32 {
    x.flatten_all().unwrap().to_vec1::<f32>().unwrap()[0]
}

fn bits(x: &Tensor) -> (Vec<usize>, Vec<u32>) {
    let values = x.flatten_all().unwrap().to_vec1::<f32>().unwrap();
    (x.dims().to_vec(), values.into_iter().map(f32::to_bits).collect())
}

/// The error's message has all of `parts`.
#[track_caller]
fn assert_error<T>(result: Result<T>, parts: &[&str]) {
    let error = match result {
        Ok(_) => panic!("no error, and one with {parts:?} was expected"),
        Err(error) => error.to_string(),
    };
    for part in parts {
        assert!(error.contains(part), "no `{part}` in: {error}");
    }
}
