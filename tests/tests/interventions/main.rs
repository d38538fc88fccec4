//! `taper::interventions`: values against numbers worked out by hand, gradients against finite differences, and what a
//! change leaves alone against the bits that were there.

mod errors;
mod gradients;
mod layouts;
mod noise;
mod properties;
mod values;

use candle_core::{DType, Device, Result, Tensor};

fn new(values: &[f32]) -> Tensor {
    Tensor::new(values, &Device::Cpu).unwrap()
}

fn matrix(rows: &[[f32; 3]]) -> Tensor {
    Tensor::new(rows.concat(), &Device::Cpu).unwrap().reshape((rows.len(), 3)).unwrap()
}

/// In logical order, whatever the layout.
fn values(x: &Tensor) -> Vec<f32> {
    x.to_dtype(DType::F32).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

fn bits(x: &Tensor) -> Vec<u32> {
    x.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
}

/// A whole-value intervention.
type Edit = Box<dyn Fn(&Tensor) -> Result<Tensor> + Send + Sync>;
