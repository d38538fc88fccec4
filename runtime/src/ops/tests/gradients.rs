use super::*;

#[test]
fn are_those_of_finite_differences() -> Result<()> {
    for case in cases() {
        let actual = gradients(case.double, &case.inputs)?;
        let expected = differences(case.double, &case.inputs)?;
        for (input, (actual, expected)) in actual.iter().zip(&expected).enumerate() {
            let what = format!("{} of {:?}, input {input}", case.name, case.inputs[0].shape());
            assert_close(actual, expected, 1e-7, &what);
        }
    }
    Ok(())
}

/// Those of candle's simpler operations on the same numbers in double precision, so that what differs is our own rounding.
fn are_those_of_the_composed_form(dtype: DType, tolerance: f64) -> Result<()> {
    let mut compared = 0;
    for case in cases() {
        let Some(composed) = case.composed else { continue };
        let inputs = case.inputs(dtype)?;
        let exact = inputs.iter().map(|input| input.to_dtype(DType::F64)).collect::<Result<Vec<_>>>()?;
        let expected = gradients(composed, &exact)?;
        // candle's fused norms don't take double precision.
        let ours = if dtype == DType::F64 { case.double } else { case.ours };
        for (input, (actual, expected)) in gradients(ours, &inputs)?.iter().zip(&expected).enumerate() {
            assert_eq!(actual.dtype(), dtype);
            let what = format!("{} of {:?} in {dtype:?}, input {input}", case.name, inputs[0].shape());
            assert_close(actual, expected, tolerance, &what);
            compared += 1;
        }
    }
    assert!(compared > 50);
    Ok(())
}

#[test]
fn are_those_of_the_composed_form_in_double_precision() -> Result<()> {
    are_those_of_the_composed_form(DType::F64, 1e-12)
}

#[test]
fn are_those_of_the_composed_form_in_single_precision() -> Result<()> {
    are_those_of_the_composed_form(DType::F32, 1e-4)
}

#[test]
fn are_those_of_the_composed_form_in_f16() -> Result<()> {
    are_those_of_the_composed_form(DType::F16, 1e-2)
}

#[test]
fn are_those_of_the_composed_form_in_bf16() -> Result<()> {
    are_those_of_the_composed_form(DType::BF16, 8e-2)
}

/// Whatever part of the inputs is tracked, just that part gets its gradient.
#[test]
fn are_there_for_what_is_tracked_and_only_for_that() -> Result<()> {
    for case in cases() {
        let inputs = case.inputs(DType::F32)?;
        let all = gradients(case.ours, &inputs)?;
        for tracked in 1..1 << inputs.len() {
            let vars = vars(&inputs)?;
            let is_tracked = |at: usize| tracked & (1 << at) != 0;
            let input = |at: usize| if is_tracked(at) { vars[at].as_tensor().clone() } else { inputs[at].clone() };
            let y = (case.ours)(&(0..inputs.len()).map(input).collect::<Vec<_>>())?;
            let grads = loss(&y)?.backward()?;
            for (at, (var, expected)) in vars.iter().zip(&all).enumerate() {
                assert_eq!(grads.get(var).is_some(), is_tracked(at), "{}, input {at}", case.name);
                if let Some(grad) = grads.get(var) {
                    assert_same(grad, expected, case.name);
                }
            }
        }
    }
    Ok(())
}

/// Half of the gradient stays where candle's own operation drops the other half.
#[test]
fn are_whole_where_another_way_leads_around() -> Result<()> {
    let around = |softmax: fn(&Tensor) -> Result<Tensor>| {
        move |t: &[Tensor]| &t[0] + softmax(&t[0].matmul(&t[1])?)?.matmul(&t[2])?
    };
    let inputs = [numbers((2, 3), 0.), numbers((3, 3), 1.), numbers((3, 3), 2.)];
    let expected = differences(around(softmax_last_dim), &inputs)?;
    for (actual, expected) in gradients(around(softmax_last_dim), &inputs)?.iter().zip(&expected) {
        assert_close(actual, expected, 1e-7, "softmax");
    }
    let vars = vars(&inputs)?;
    let theirs = loss(&around(candle_nn::ops::softmax_last_dim)(&tensors(&vars))?)?.backward()?;
    assert!(theirs.get(&vars[1]).is_none(), "candle's own has gradients now");
    Ok(())
}

/// Where the mean is large candle's variance has few digits left, and the gradient all of its own.
#[test]
fn of_norms_lose_nothing_to_a_large_mean() -> Result<()> {
    let inputs = Case::layer_norm((2, 8)).inputs;
    let inputs = [(&inputs[0] + 3000.)?, inputs[1].clone(), inputs[2].clone()];
    let composed = |t: &[Tensor]| candle_nn::ops::layer_norm_slow(&t[0], &t[1], &t[2], EPS);
    let single = inputs.iter().map(|input| input.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()?;
    let exact = single.iter().map(|input| input.to_dtype(DType::F64)).collect::<Result<Vec<_>>>()?;
    let expected = gradients(composed, &exact)?;
    let actual = gradients(|t| layer_norm(&t[0], &t[1], &t[2], EPS), &single)?;
    for (actual, expected) in actual.iter().zip(&expected) {
        assert_close(actual, expected, 1e-3, "layer_norm");
    }
    Ok(())
}

/// A gradient may come in any layout: here that of a transposed sum.
#[test]
fn come_through_views() -> Result<()> {
    for case in cases() {
        let turned = |op: Op| {
            move |t: &[Tensor]| {
                let y = op(t)?;
                if y.rank() < 2 { Ok(y) } else { y.transpose(D::Minus1, D::Minus2)?.contiguous()?.sqr() }
            }
        };
        let actual = gradients(turned(case.double), &case.inputs)?;
        let expected = differences(turned(case.double), &case.inputs)?;
        for (actual, expected) in actual.iter().zip(&expected) {
            assert_close(actual, expected, 1e-6, case.name);
        }
    }
    Ok(())
}
