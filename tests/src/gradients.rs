//! Gradients by finite differences, to hold candle's against.

use candle_core::{DType, Device, Result, Tensor, Var};

/// Fixed numbers between −1 and 1 that no symmetry cancels, in f64.
pub fn numbers(shape: impl Into<candle_core::Shape>, seed: u64) -> Tensor {
    let shape = shape.into();
    let mut state = seed.wrapping_mul(2) | 1;
    let next = |_| {
        state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.
    };
    let values: Vec<f64> = (0..shape.elem_count()).map(next).collect();
    Tensor::from_vec(values, shape, &Device::Cpu).unwrap()
}

/// Compares the gradient of `f` (weighted by fixed numbers and summed) at `x` with central differences, element by
/// element. `x` is f64; `f` may hand on a view of what it gets.
#[track_caller]
pub fn assert_gradient(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) {
    let weights = numbers(f(x).unwrap().shape(), 99);
    let loss = |x: &Tensor| (f(x)? * &weights)?.sum_all();
    let var = Var::from_tensor(x).unwrap();
    let gradients = loss(&var).unwrap().backward().unwrap();
    let gradient = gradients.get(&var).expect("the result depends on it");
    let gradient = gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap();

    let values = x.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    for i in 0..values.len() {
        let moved = |by: f64| {
            let mut values = values.clone();
            values[i] += by;
            let x = Tensor::from_vec(values, x.shape(), &Device::Cpu).unwrap();
            loss(&x).unwrap().to_dtype(DType::F64).unwrap().to_scalar::<f64>().unwrap()
        };
        let h = 1e-5;
        let slope = (moved(h) - moved(-h)) / (2. * h);
        assert!((slope - gradient[i]).abs() < 1e-6, "element {i}: backward {}, difference {slope}", gradient[i]);
    }
}
