use super::*;
use crate::ops::threads::as_on;

const DTYPES: [DType; 4] = [DType::F32, DType::F64, DType::F16, DType::BF16];

/// The same numbers, not at the start of their memory.
fn at_an_offset(x: &Tensor) -> Result<Tensor> {
    if x.rank() == 0 {
        return at_an_offset(&x.reshape(1)?)?.squeeze(0);
    }
    let shifted = Tensor::cat(&[&x.zeros_like()?, x], 0)?.narrow(0, x.dim(0)?, x.dim(0)?)?;
    assert!(shifted.is_contiguous() && shifted.layout().start_offset() > 0);
    Ok(shifted)
}

/// The same numbers in the same places, on the graph.
fn tracked_alike(inputs: &[Tensor]) -> Result<Vec<Tensor>> {
    let tracked = |input: &Tensor| {
        let var = Var::from_tensor(input)?;
        if input.layout().start_offset() > 0 { at_an_offset(&var) } else { Ok(var.as_tensor().clone()) }
    };
    inputs.iter().map(tracked).collect()
}

/// What candle's fused operation gives; its composed one where the fused one does not take the type.
fn expected(case: &Case, inputs: &[Tensor]) -> Result<Tensor> {
    match (case.name, inputs[0].dtype()) {
        ("layer_norm" | "rms_norm", DType::F64) => {
            assert!((case.fused)(inputs).is_err(), "candle's {} takes F64 now: no need for another", case.name);
            case.composed.expect("norms have one")(inputs)
        }
        _ => (case.fused)(inputs),
    }
}

/// candle's on the same numbers: its bits, or, where they are not the same, nearly those of its double precision.
#[track_caller]
fn assert_candles(case: &Case, actual: &Tensor, inputs: &[Tensor], what: &str) -> Result<()> {
    let dtype = inputs[0].dtype();
    let tolerance = match dtype {
        dtype if !case.differ.contains(&dtype) => 0.,
        DType::F32 => 1e-6,
        DType::F16 => 6e-4,
        DType::BF16 => 4e-3,
        _ => 0.,
    };
    if tolerance == 0. {
        assert_same(actual, &expected(case, inputs)?, what);
        return Ok(());
    }
    assert_eq!(actual.dtype(), dtype, "{what}");
    let exact = inputs.iter().map(|input| input.to_dtype(DType::F64)).collect::<Result<Vec<_>>>()?;
    assert_close(actual, &expected(case, &exact)?, tolerance, what);
    Ok(())
}

#[test]
fn are_candles_tracked_or_not() -> Result<()> {
    for case in cases() {
        for dtype in DTYPES {
            let inputs = case.inputs(dtype)?;
            let what = format!("{} of {:?} in {dtype:?}", case.name, inputs[0].shape());
            let shifted = inputs.iter().map(at_an_offset).collect::<Result<Vec<_>>>()?;
            for inputs in [inputs, shifted] {
                let plain = (case.ours)(&inputs)?;
                assert!(!plain.track_op());
                assert_candles(&case, &plain, &inputs, &what)?;
                let tracked = (case.ours)(&tracked_alike(&inputs)?)?;
                assert!(tracked.track_op() && tracked.is_contiguous());
                assert_same(&tracked, &plain, &what);
            }
        }
    }
    Ok(())
}

#[test]
fn a_view_of_a_variable_is_one_too() -> Result<()> {
    let case = Case::layer_norm((4, 6));
    let vars = vars(&case.inputs(DType::F32)?)?;
    let view = vars[0].narrow(0, 2, 2)?;
    let inputs = [view, vars[1].as_tensor().clone(), vars[2].as_tensor().clone()];
    let y = (case.ours)(&inputs)?;
    assert_candles(&case, &y, &inputs, "layer_norm")?;
    let grads = loss(&y)?.backward()?;
    let rows = doubles(grads.get(&vars[0]).expect("x is tracked"));
    assert!(rows[..12].iter().all(|&grad| grad == 0.) && rows[12..].iter().any(|&grad| grad != 0.));
    Ok(())
}

#[test]
fn of_large_numbers_and_of_masked_ones_lose_nothing() -> Result<()> {
    let device = &Device::Cpu;
    let (inf, nan) = (f32::INFINITY, f32::NAN);
    let masked = Tensor::new(&[[-inf, 1.], [1e30, -1e30], [-inf, -inf], [inf, 0.], [nan, 0.], [0., nan]], device)?;
    let y = doubles(&softmax_last_dim(Var::from_tensor(&masked)?.as_tensor())?);
    assert_eq!(y[..4], [0., 1., 1., 0.]);
    let nans: Vec<bool> = y[4..].iter().map(|y| y.is_nan()).collect();
    // Of an infinity too there is nothing left, but what is finite beside it is divided by NaN.
    assert_eq!(nans, [true; 8]);

    let large = Tensor::new(&[[1000f32, 1000.5, 999.], [-3e18, 2e18, 1e18]], device)?;
    let (weight, bias) = (numbers(3, 1.).to_dtype(DType::F32)?, numbers(3, 2.).to_dtype(DType::F32)?);
    let exact = [&large, &weight, &bias].map(|t| t.to_dtype(DType::F64).unwrap());
    let y = layer_norm(&large, &weight, &bias, EPS)?;
    let of_double = candle_nn::ops::layer_norm_slow(&exact[0], &exact[1], &exact[2], EPS)?;
    // The mean itself has as many digits as the numbers.
    assert_close(&y, &of_double, 1e-4, "layer_norm");
    let of_double = candle_nn::ops::rms_norm_slow(&exact[0], &exact[1], EPS)?;
    assert_close(&rms_norm(&large, &weight, EPS)?, &of_double, 1e-6, "rms_norm");
    Ok(())
}

/// Rows of every length around those that fill vectors, and so many that they are shared among threads.
#[test]
fn of_long_rows_and_many_are_exact_on_any_number_of_threads() -> Result<()> {
    for shape in [(2, 63), (3, 64), (2, 65), (1, 1000), (5, 10_001), (600, 70)] {
        for case in [Case::softmax(shape), Case::layer_norm(shape), Case::rms_norm(shape)] {
            let inputs = case.inputs(DType::F32)?;
            let y = as_on(1, || (case.ours)(&inputs))?;
            assert_candles(&case, &y, &inputs, &format!("{} of {shape:?}", case.name))?;
            assert_same(&as_on(5, || (case.ours)(&inputs))?, &y, case.name);
        }
    }
    Ok(())
}

#[test]
fn of_no_rows_are_empty_with_a_gradient() -> Result<()> {
    let mut cases = vec![Case::softmax((0, 3)), Case::layer_norm((0, 3)), Case::rms_norm((2, 0, 3))];
    cases.extend([Case::rope((0, 2, 3, 4), (3, 2)), Case::rope_i((2, 0, 3, 4), (5, 2))]);
    cases.push(Case::rope((2, 0, 3, 4), (2, 3, 2)));
    cases.extend(ELEMENTWISE.map(|(name, ops)| Case::elementwise(name, ops, (0, 3))));
    for case in cases {
        let inputs = case.inputs(DType::F32)?;
        assert_same(&(case.ours)(&inputs)?, &(case.fused)(&inputs)?, case.name);
        for (grad, input) in gradients(case.ours, &inputs)?.iter().zip(&inputs) {
            assert_same(grad, &input.zeros_like()?, case.name);
        }
    }
    Ok(())
}
