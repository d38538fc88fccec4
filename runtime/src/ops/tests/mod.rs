//! The operations against candle's own, bit for bit where they are the same, and their gradients against finite differences and against
//! those of the same operations composed of simpler ones.

mod attention;
mod batch_norm;
mod channels_last;
mod contiguous;
mod conv2d;
mod elementwise;
mod errors;
mod gradients;
mod product;
mod second_order;
mod threads;
mod values;

use std::f64::consts::{FRAC_1_SQRT_2, PI};

use candle_core::{D, DType, Device, Result, Shape, Tensor, Var};

use super::graft::differentiable;
use super::*;

type Op = fn(&[Tensor]) -> Result<Tensor>;

/// An operation and inputs for it, in double precision.
struct Case {
    name: &'static str,
    /// The operation as users call it.
    ours: Op,
    /// candle's own.
    fused: Op,
    /// The types in which those two are not the same bit for bit.
    differ: &'static [DType],
    /// The same of operations that have gradients; `None` where candle's does not take the shapes.
    composed: Option<Op>,
    /// Our gradients for a value in double precision, which the fused norms don't take.
    double: Op,
    inputs: Vec<Tensor>,
}

const EPS: f32 = 1e-5;

impl Case {
    /// `composed` is of arithmetic and candle's exp, tanh and erf only.
    fn elementwise(name: &'static str, [ours, fused, composed]: [Op; 3], shape: impl Into<Shape>) -> Self {
        let inputs = vec![(numbers(shape, 3.) * 2.).unwrap()];
        Case {
            name,
            ours,
            fused,
            differ: &[DType::F32, DType::F16, DType::BF16],
            composed: Some(composed),
            double: ours,
            inputs,
        }
    }

    fn softmax(shape: impl Into<Shape>) -> Self {
        Case {
            name: "softmax",
            ours: |t| softmax_last_dim(&t[0]),
            fused: |t| candle_nn::ops::softmax_last_dim(&t[0]),
            differ: &[DType::F32],
            composed: Some(|t| candle_nn::ops::softmax(&t[0], D::Minus1)),
            double: |t| softmax_last_dim(&t[0]),
            inputs: vec![numbers(shape, 3.)],
        }
    }

    fn layer_norm(shape: impl Into<Shape>) -> Self {
        let x = numbers(shape, 3.);
        let width = x.dim(D::Minus1).unwrap();
        Case {
            name: "layer_norm",
            ours: |t| layer_norm(&t[0], &t[1], &t[2], EPS),
            fused: |t| candle_nn::ops::layer_norm(&t[0], &t[1], &t[2], EPS),
            differ: &[DType::F32],
            composed: Some(|t| candle_nn::ops::layer_norm_slow(&t[0], &t[1], &t[2], EPS)),
            double: |t| {
                let off_graph = || candle_nn::ops::layer_norm_slow(&t[0].detach(), &t[1].detach(), &t[2].detach(), EPS);
                differentiable([&t[0], &t[1], &t[2]], super::layer_norm::LayerNorm { eps: EPS }, off_graph)
            },
            inputs: vec![x, numbers(width, 1.), numbers(width, 2.)],
        }
    }

    fn rms_norm(shape: impl Into<Shape>) -> Self {
        let x = numbers(shape, 3.);
        let width = x.dim(D::Minus1).unwrap();
        Case {
            name: "rms_norm",
            ours: |t| rms_norm(&t[0], &t[1], EPS),
            fused: |t| candle_nn::ops::rms_norm(&t[0], &t[1], EPS),
            differ: &[DType::F32],
            composed: Some(|t| candle_nn::ops::rms_norm_slow(&t[0], &t[1], EPS)),
            double: |t| {
                let off_graph = || candle_nn::ops::rms_norm_slow(&t[0].detach(), &t[1].detach(), EPS);
                differentiable([&t[0], &t[1]], super::rms_norm::RmsNorm { eps: EPS }, off_graph)
            },
            inputs: vec![x, numbers(width, 1.)],
        }
    }

    /// `table`: of `cos` and `sin`.
    fn rope(shape: (usize, usize, usize, usize), table: impl Into<Shape>) -> Self {
        let table = table.into();
        Case {
            name: "rope",
            ours: |t| rope(&t[0], &t[1], &t[2]),
            fused: |t| candle_nn::rotary_emb::rope(&t[0], &t[1], &t[2]),
            differ: &[],
            composed: (table.rank() == 2).then_some(|t| candle_nn::rotary_emb::rope_slow(&t[0], &t[1], &t[2])),
            double: |t| rope(&t[0], &t[1], &t[2]),
            inputs: vec![numbers(shape, 3.), numbers(&table, 1.), numbers(table, 2.)],
        }
    }

    fn rope_i(shape: (usize, usize, usize, usize), table: impl Into<Shape>) -> Self {
        Case {
            name: "rope_i",
            ours: |t| rope_i(&t[0], &t[1], &t[2]),
            fused: |t| candle_nn::rotary_emb::rope_i(&t[0], &t[1], &t[2]),
            double: |t| rope_i(&t[0], &t[1], &t[2]),
            composed: None,
            ..Case::rope(shape, table)
        }
        .composed_if_flat(|t| candle_nn::rotary_emb::rope_i_slow(&t[0], &t[1], &t[2]))
    }

    fn composed_if_flat(mut self, composed: Op) -> Self {
        self.composed = (self.inputs[1].rank() == 2).then_some(composed);
        self
    }

    fn inputs(&self, dtype: DType) -> Result<Vec<Tensor>> {
        self.inputs.iter().map(|input| input.to_dtype(dtype)).collect()
    }
}

/// The elementwise functions: ours, candle's, and composed.
const ELEMENTWISE: [(&str, [Op; 3]); 9] = [
    ("relu", [|t| relu(&t[0]), |t| t[0].relu(), |t| t[0].relu()]),
    ("relu6", [|t| relu6(&t[0]), |t| t[0].clamp(0f64, 6f64), |t| t[0].clamp(0f64, 6f64)]),
    ("exp", [|t| exp(&t[0]), |t| t[0].exp(), |t| t[0].exp()]),
    ("tanh", [|t| tanh(&t[0]), |t| t[0].tanh(), |t| t[0].tanh()]),
    ("sigmoid", [|t| sigmoid(&t[0]), |t| candle_nn::ops::sigmoid(&t[0]), |t| logistic(&t[0])]),
    ("silu", [|t| silu(&t[0]), |t| t[0].silu(), |t| &t[0] * logistic(&t[0])?]),
    (
        "quick_gelu",
        [
            |t| quick_gelu(&t[0]),
            |t| &t[0] * candle_nn::ops::sigmoid(&(&t[0] * 1.702)?)?,
            |t| &t[0] * logistic(&(&t[0] * 1.702)?)?,
        ],
    ),
    (
        "gelu_tanh",
        [
            |t| gelu_tanh(&t[0]),
            |t| t[0].gelu(),
            |t| {
                let inner = ((&t[0] + (t[0].powf(3.)? * 0.044715)?)? * (2. / PI).sqrt())?;
                (&t[0] * 0.5)? * (inner.tanh()? + 1.)?
            },
        ],
    ),
    ("gelu", [|t| gelu(&t[0]), |t| t[0].gelu_erf(), |t| (&t[0] * 0.5)? * ((&t[0] * FRAC_1_SQRT_2)?.erf()? + 1.)?]),
];

fn logistic(x: &Tensor) -> Result<Tensor> {
    (x.neg()?.exp()? + 1.)?.recip()
}

/// Every operation with ordinary shapes and with odd ones: one row, one column, several dimensions, tables for a batch, and
/// tables that are longer than what they are used for.
fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for shape in [&[2usize, 3, 5][..], &[7], &[1, 4], &[3, 1], &[2, 2, 2, 3], &[40, 6]] {
        cases.extend([Case::softmax(shape), Case::layer_norm(shape), Case::rms_norm(shape)]);
    }
    for rotary in [Case::rope, Case::rope_i] {
        cases.extend([rotary((2, 3, 4, 6), (4, 3)), rotary((1, 1, 1, 2), (1, 1)), rotary((2, 1, 1, 4), (3, 2))]);
        cases.extend([rotary((2, 2, 3, 4), (5, 2))]);
    }
    for rotary in [Case::rope, Case::rope_i] {
        cases.extend([
            rotary((2, 3, 4, 6), (2, 4, 3)),
            rotary((3, 2, 1, 4), (3, 1, 2)),
            rotary((1, 2, 3, 4), (1, 5, 2)),
        ]);
    }
    for (name, ops) in ELEMENTWISE {
        for shape in [&[2usize, 3, 5][..], &[7], &[], &[1, 130]] {
            cases.push(Case::elementwise(name, ops, shape));
        }
    }
    cases
}

/// Numbers between −1.5 and 1.5 without a pattern, others for another `seed`.
fn numbers(shape: impl Into<Shape>, seed: f64) -> Tensor {
    let shape = shape.into();
    let numbers = (0..shape.elem_count()).map(|i| ((i * i) as f64 * 0.7 + i as f64 * 1.3 + seed * 5.1).sin() * 1.5);
    Tensor::from_vec(numbers.collect(), shape, &Device::Cpu).unwrap()
}

fn vars(inputs: &[Tensor]) -> Result<Vec<Var>> {
    inputs.iter().map(Var::from_tensor).collect()
}

fn tensors(vars: &[Var]) -> Vec<Tensor> {
    vars.iter().map(|var| var.as_tensor().clone()).collect()
}

/// A number that depends on every element of `y` in another way.
fn loss(y: &Tensor) -> Result<Tensor> {
    (y * numbers(y.shape(), 9.).to_dtype(y.dtype())?)?.sum_all()
}

/// The gradients of the loss with respect to all inputs.
fn gradients(op: impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let vars = vars(inputs)?;
    let grads = loss(&op(&tensors(&vars))?)?.backward()?;
    Ok(vars.iter().map(|var| grads.get(var).expect("a gradient for every input").clone()).collect())
}

/// The same by central differences.
fn differences(op: impl Fn(&[Tensor]) -> Result<Tensor>, inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    const STEP: f64 = 1e-5;
    let at = |which: usize, element: usize, step: f64| {
        let mut changed = inputs.to_vec();
        let mut numbers = changed[which].flatten_all()?.to_vec1::<f64>()?;
        numbers[element] += step;
        changed[which] = Tensor::from_vec(numbers, inputs[which].shape(), &Device::Cpu)?;
        loss(&op(&changed)?)?.to_scalar::<f64>()
    };
    let slope = |which, element| Result::Ok((at(which, element, STEP)? - at(which, element, -STEP)?) / (2. * STEP));
    let of_input = |(which, input): (usize, &Tensor)| {
        let slopes = (0..input.elem_count()).map(|element| slope(which, element)).collect::<Result<Vec<_>>>()?;
        Tensor::from_vec(slopes, input.shape(), &Device::Cpu)
    };
    inputs.iter().enumerate().map(of_input).collect()
}

fn doubles(x: &Tensor) -> Vec<f64> {
    x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap()
}

/// Of the same shape and type, and bit for bit the same.
#[track_caller]
fn assert_same(actual: &Tensor, expected: &Tensor, what: &str) {
    assert_eq!((actual.shape(), actual.dtype()), (expected.shape(), expected.dtype()), "{what}");
    let bits = |x| doubles(x).into_iter().map(f64::to_bits).collect::<Vec<_>>();
    assert_eq!(bits(actual), bits(expected), "{what}");
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

/// The error's message has all of `parts`.
#[track_caller]
fn assert_error<T>(result: Result<T>, parts: &[&str]) {
    let Err(error) = result else { panic!("no error, and one with {parts:?} was expected") };
    let error = error.to_string();
    for part in parts {
        assert!(error.contains(part), "no `{part}` in: {error}");
    }
}
