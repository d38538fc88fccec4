//! What only functions of each element have: how exact they are, layouts, and numbers that are not.

use super::*;
use crate::ops::threads::as_on;

fn floats(x: &Tensor) -> Vec<f32> {
    x.flatten_all().unwrap().to_vec1().unwrap()
}

fn tensor(numbers: Vec<f32>) -> Tensor {
    Tensor::new(numbers, &Device::Cpu).unwrap()
}

/// Numbers of every size and both signs, and close ones between −12 and 12.
fn all_sizes() -> Vec<f32> {
    let sizes = (0..f32::INFINITY.to_bits()).step_by(9973).map(f32::from_bits);
    let common = (0..200_000).map(|i| i as f32 * 6e-5 + 1e-5);
    sizes.chain(common).flat_map(|x| [x, -x]).collect()
}

/// The largest difference of `op` from candle's in double precision, in `unit`s of the right value.
fn largest_error(op: usize, xs: &[f32], unit: impl Fn(f64) -> f64) -> Result<(f64, f32)> {
    let (_, [ours, candle, _]) = ELEMENTWISE[op];
    let x = tensor(xs.to_vec());
    let exact = doubles(&candle(&[x.to_dtype(DType::F64)?])?);
    let mut largest = (0., 0.);
    for ((&x, y), exact) in xs.iter().zip(floats(&ours(&[x])?)).zip(exact) {
        // Where only the exponent is too large, the infinity is right.
        let error = if y == exact as f32 { 0. } else { (f64::from(y) - exact).abs() / unit(exact) };
        assert!(!error.is_nan(), "at {x}: {y}, not {exact}");
        if error > largest.0 {
            largest = (error, x);
        }
    }
    Ok(largest)
}

/// The distance between neighbouring `f32`s at `y`.
fn ulp(y: f64) -> f64 {
    let y = (y as f32).abs().min(f32::MAX.next_down());
    f64::from(y.next_up()) - f64::from(y)
}

#[test]
fn are_as_exact_as_the_docs_say() -> Result<()> {
    let all = all_sizes();
    let of = |name: &str| ELEMENTWISE.iter().position(|op| op.0 == name).unwrap();
    assert!(largest_error(of("exp"), &all, ulp)?.0 <= 1.);
    assert!(largest_error(of("tanh"), &all, ulp)?.0 <= 3.);
    let not_tiny = |y: f64, tiny: f64| if y.abs() < tiny { tiny / 3. } else { ulp(y) };
    assert!(largest_error(of("sigmoid"), &all, |y| not_tiny(y, 1e-37))?.0 <= 3.);
    assert!(largest_error(of("silu"), &all, |y| not_tiny(y, 1e-35))?.0 <= 3.);
    for name in ["gelu", "gelu_tanh", "quick_gelu"] {
        let (error, at) = largest_error(of(name), &all, |y| 2e-7 * (1. + y.abs()))?;
        assert!(error <= 1., "{name} at {at}: {error}");
    }
    Ok(())
}

#[test]
fn of_what_is_no_number_are_limits_or_none() -> Result<()> {
    let xs = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, f32::MIN, 0., -0.];
    let y = |op: fn(&Tensor) -> Result<Tensor>| Result::Ok(floats(&op(&tensor(xs.to_vec()))?)[1..].to_vec());
    let (inf, max) = (f32::INFINITY, f32::MAX);
    assert_eq!(y(exp)?, [inf, 0., inf, 0., 1., 1.]);
    assert_eq!(y(tanh)?, [1., -1., 1., -1., 0., 0.]);
    assert_eq!(y(sigmoid)?, [1., 0., 1., 0., 0.5, 0.5]);
    for (name, [ours, candle, _]) in ELEMENTWISE {
        let y = floats(&ours(&[tensor(xs.to_vec())])?);
        assert!(y[0].is_nan(), "{name} of NaN");
        if let "relu" | "relu6" = name {
            let most = if name == "relu" { inf } else { 6. };
            assert_eq!((y[1], y[2], y[4]), (most, 0., 0.), "{name}");
            // In every type, though not by candle's own.
            for dtype in [DType::F64, DType::F16, DType::BF16] {
                assert!(doubles(&ours(&[tensor(xs.to_vec()).to_dtype(dtype)?])?)[0].is_nan(), "{name} of NaN");
            }
            continue;
        }
        if !["exp", "tanh", "sigmoid"].contains(&name) {
            assert_eq!(y[1], inf, "{name}");
            assert!(y[2].is_nan() && floats(&candle(&[tensor(vec![-inf])])?)[0].is_nan(), "{name} of −∞");
            assert_eq!((y[3], y[4]), (max, 0.), "{name}");
        }
        // A zero keeps its sign where the function has none of its own.
        let signs: Vec<bool> = y[5..].iter().map(|y| y.is_sign_negative()).collect();
        assert_eq!(signs, [false, !["exp", "sigmoid"].contains(&name)], "{name}");
    }
    Ok(())
}

#[test]
fn take_every_layout() -> Result<()> {
    for (name, [ours, ..]) in ELEMENTWISE {
        let x = numbers((4, 6, 50), 1.).to_dtype(DType::F32)?;
        let y = ours(std::slice::from_ref(&x))?;
        assert_same(&ours(&[x.transpose(0, 2)?])?, &y.transpose(0, 2)?, name);
        assert_same(&ours(&[x.narrow(1, 2, 3)?])?, &y.narrow(1, 2, 3)?, name);
        let row = x.narrow(0, 1, 1)?;
        assert_same(&ours(&[row.broadcast_as((5, 6, 50))?])?, &y.narrow(0, 1, 1)?.broadcast_as((5, 6, 50))?, name);

        // The gradient finds its way back through the view.
        let turned = |op: Op| move |t: &[Tensor]| op(&[t[0].transpose(0, 1)?.narrow(1, 1, 2)?]);
        let x = [numbers((3, 2), 2.)];
        for (actual, expected) in gradients(turned(ours), &x)?.iter().zip(&differences(turned(ours), &x)?) {
            assert_close(actual, expected, 1e-7, name);
        }
    }
    Ok(())
}

/// One number more or less than what is computed at a time, and than what makes threads worth their while.
#[test]
fn do_not_depend_on_the_number_of_elements_or_threads() -> Result<()> {
    for (name, [ours, ..]) in ELEMENTWISE {
        let x = (numbers(40_001, 1.) * 3.)?.to_dtype(DType::F32)?;
        let y = as_on(1, || ours(std::slice::from_ref(&x)))?;
        for len in [1, 127, 128, 129, 32_767, 32_768, 32_769, 40_001] {
            let part = as_on(5, || ours(&[x.narrow(0, 0, len)?]))?;
            assert_same(&part, &y.narrow(0, 0, len)?, name);
        }
        assert_same(&as_on(5, || ours(&[x.narrow(0, 1, 40_000)?]))?, &y.narrow(0, 1, 40_000)?, name);
    }
    Ok(())
}

#[test]
fn refuse_whole_numbers() {
    for (name, [ours, ..]) in ELEMENTWISE {
        let whole = Tensor::new(&[1u32, 2], &Device::Cpu).unwrap();
        assert_error(ours(&[whole]), &[&format!("`{name}`: `x` is U32"), "`to_dtype`"]);
    }
}
