use candle_nn::{BatchNorm, ModuleT};

use super::*;

const SHAPES: [&[usize]; 5] = [&[2, 3, 4, 5], &[1, 3, 2], &[4, 3], &[2, 3, 1, 1, 2], &[3, 2, 130, 131]];

/// `x`, mean, variance, weight and bias.
fn inputs(shape: &[usize]) -> Vec<Tensor> {
    let of = |seed| numbers(shape[1], seed);
    vec![numbers(shape, 1.), of(2.), (of(3.).sqr().unwrap() + 0.1).unwrap(), of(4.), of(5.)]
}

fn ours(t: &[Tensor]) -> Result<Tensor> {
    batch_norm(&t[0], &t[1], &t[2], &t[3], &t[4], f64::from(EPS))
}

fn theirs(t: &[Tensor]) -> Result<Tensor> {
    let [x, mean, var, weight, bias] = [0, 1, 2, 3, 4].map(|at| t[at].clone());
    BatchNorm::new(mean.elem_count(), mean, var, weight, bias, f64::from(EPS))?.forward_t(&x, false)
}

#[test]
fn is_candles_within_rounding_tracked_or_not() -> Result<()> {
    for shape in SHAPES {
        let inputs = inputs(shape);
        let expected = theirs(&inputs)?;
        assert_close(&ours(&inputs)?, &expected, 1e-13, "batch_norm");
        let single = inputs.iter().map(|input| input.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()?;
        let y = ours(&single)?;
        assert_close(&y, &expected, 2e-6, "batch_norm in single precision");
        assert_same(&ours(&tensors(&vars(&single)?))?, &y, "tracked");
        let turned = single[0].transpose(0, 1)?.contiguous()?.transpose(0, 1)?;
        assert_same(&ours(&[&[turned], &single[1..]].concat())?, &y, "another layout");
    }
    Ok(())
}

#[test]
fn has_the_gradients_of_finite_differences() -> Result<()> {
    for shape in &SHAPES[..4] {
        let inputs = inputs(shape);
        let expected = differences(ours, &inputs)?;
        let single = inputs.iter().map(|input| input.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()?;
        for (of, tolerance) in [(gradients(ours, &inputs)?, 1e-6), (gradients(ours, &single)?, 1e-3)] {
            for (input, (actual, expected)) in of.iter().zip(&expected).enumerate() {
                assert_close(actual, expected, tolerance, &format!("batch_norm of {shape:?}, input {input}"));
            }
        }
    }
    Ok(())
}

#[test]
fn says_what_does_not_fit() {
    let inputs = inputs(&[2, 3, 4]);
    let with = |at: usize, value: Tensor| {
        let mut inputs = inputs.clone();
        inputs[at] = value;
        ours(&inputs)
    };
    assert_error(with(0, numbers(3, 1.)), &["`batch_norm`: `x`, [3], is not [batch, channel, …]"]);
    assert_error(with(2, numbers(4, 1.)), &["`var` is [4]", "asks for [3]"]);
    assert_error(with(4, inputs[4].to_dtype(DType::F32).unwrap()), &["`bias` is F32 where `x` is F64"]);
}

#[test]
fn of_no_images_is_none() -> Result<()> {
    let mut inputs = inputs(&[1, 3, 2]).iter().map(|t| t.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()?;
    inputs[0] = inputs[0].narrow(0, 0, 0)?;
    assert_eq!(ours(&inputs)?.dims(), [0, 3, 2]);
    Ok(())
}
