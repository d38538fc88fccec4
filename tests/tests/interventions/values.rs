//! Numbers worked out by hand.

use candle_core::{D, DType, Device, Result, Tensor, Var};
use taper::interventions::*;

use super::{matrix, new, values};

#[test]
fn zero_is_zero_whatever_was_there() -> Result<()> {
    let x = new(&[1., f32::INFINITY, f32::NAN, -0.]);
    assert_eq!(super::bits(&zero()(&x)?), [0; 4]);
    assert_eq!(super::bits(&zero()(Var::from_tensor(&x)?.as_tensor())?), [0; 4]);
    assert_eq!(super::bits(&scale(0.)(&x)?), [0; 4]);
    assert_eq!(zero()(&Tensor::new(&[3u32, 4], &Device::Cpu)?)?.to_vec1::<u32>()?, [0, 0]);
    Ok(())
}

#[test]
fn scale_keeps_the_sign_of_zero() -> Result<()> {
    assert_eq!(super::bits(&scale(2.)(&new(&[-0., 0., 1.5]))?), super::bits(&new(&[-0., 0., 3.])));
    Ok(())
}

#[test]
fn halves_are_rounded_once() -> Result<()> {
    // In bf16, 0.1 is 0.10009765625: 1000 times that would round to 100.
    let x = Tensor::new(&[1000f32], &Device::Cpu)?.to_dtype(DType::BF16)?;
    assert_eq!(values(&scale(0.1234)(&x)?), [123.5]);
    // Halfway between equals stays there, though 0.1 and 0.9 of bf16 do not add up to 1.
    assert_eq!(values(&interpolate(0.1)(&x, &x)?), [1000.]);
    // A sum of 4096 ones stops at 256 in bf16.
    let ones = Tensor::ones(4096, DType::BF16, &Device::Cpu)?;
    assert_eq!(values(&mean(0)(&ones)?), [1.; 4096]);
    // And one of f16 overflows.
    let large = Tensor::new(&[60000f32, 60000.], &Device::Cpu)?.to_dtype(DType::F16)?;
    assert_eq!(values(&mean(0)(&large)?), [60000., 60000.]);
    Ok(())
}

#[test]
fn mean_over_one_dimension_and_several() -> Result<()> {
    let x = matrix(&[[1., 2., 3.], [5., 6., 10.]]);
    assert_eq!(values(&mean(0)(&x)?), [3., 4., 6.5, 3., 4., 6.5]);
    assert_eq!(values(&mean(D::Minus1)(&x)?), [2., 2., 2., 7., 7., 7.]);
    assert_eq!(values(&mean((0, 1))(&x)?), [4.5; 6]);
    assert_eq!(mean(())(&x)?.id(), x.id());
    Ok(())
}

#[test]
fn add_broadcasts_the_vector() -> Result<()> {
    let x = matrix(&[[1., 2., 3.], [4., 5., 6.]]);
    assert_eq!(values(&add(-2., &new(&[1., 0., 0.5]))(&x)?), [-1., 2., 2., 2., 5., 5.]);
    assert_eq!(values(&add(1., &Tensor::new(&[[1f32], [10.]], &Device::Cpu)?)(&x)?), [2., 3., 4., 14., 15., 16.]);
    Ok(())
}

#[test]
fn a_steering_variable_is_seen_as_it_is_now() -> Result<()> {
    let v = Var::new(&[1f32, 1.], &Device::Cpu)?;
    let steer = add(1., &v);
    v.set(&new(&[5., 6.]))?;
    assert_eq!(values(&steer(&new(&[0., 0.]))?), [5., 6.]);
    Ok(())
}

#[test]
fn clamp_is_pytorchs() -> Result<()> {
    let x = new(&[-2., -1., -0., 1., 3., f32::NAN, f32::NEG_INFINITY]);
    let clamped = values(&clamp(-1., 1.)(&x)?);
    assert_eq!(clamped[..5], [-1., -1., -0., 1., 1.]);
    assert!(clamped[2].is_sign_negative() && clamped[5].is_nan());
    assert_eq!(clamped[6], -1.);
    assert_eq!(values(&clamp(0., f64::INFINITY)(&new(&[-1., 7.]))?), [0., 7.]);
    Ok(())
}

#[test]
fn interpolation_keeps_masked_scores() -> Result<()> {
    let hidden = f32::NEG_INFINITY;
    let (x, v) = (new(&[hidden, 1., 3.]), new(&[hidden, 5., hidden]));
    assert_eq!(values(&interpolate(0.25)(&x, &v)?), [hidden, 2., hidden]);
    assert_eq!(values(&interpolate(1.)(&x, &v)?), values(&v));
    assert_eq!(values(&interpolate(2.)(&new(&[1.]), &new(&[4.]))?), [7.]);
    Ok(())
}

#[test]
fn directions_are_taken_out_and_kept() -> Result<()> {
    // d = (3, 4, 0), |d|² = 25; (1, 2, 3)·d = 11, so 11/25·d = (1.32, 1.76, 0).
    let x = matrix(&[[1., 2., 3.]]);
    let close = |x: Tensor, expected: [f32; 3]| values(&x).iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-6);
    for length in [1f32, 1e-30, 1e30] {
        let d = new(&[3. * length, 4. * length, 0.]);
        assert!(close(project_onto(&d)(&x)?, [1.32, 1.76, 0.]), "{length}");
        assert!(close(project_out(&d)(&x)?, [-0.32, 0.24, 3.]), "{length}");
    }
    // One direction a row.
    let (x, d) = (matrix(&[[1., 2., 3.], [4., 5., 6.]]), matrix(&[[2., 0., 0.], [0., 0., -1.]]));
    assert_eq!(values(&project_out(&d)(&x)?), [0., 2., 3., 4., 5., 0.]);
    Ok(())
}

#[test]
fn rows_are_resampled() -> Result<()> {
    let x = matrix(&[[1., 2., 3.], [4., 5., 6.]]);
    assert_eq!(values(&resample(1, [2, 0, 0])(&x)?), [3., 1., 1., 6., 4., 4.]);
    assert_eq!(values(&resample(0, [-1, -2])(&x)?), [4., 5., 6., 1., 2., 3.]);
    assert_eq!(resample(0, 0..2)(&x)?.id(), x.id());
    Ok(())
}

#[test]
fn every_permutation_is_as_likely() -> Result<()> {
    let x = Tensor::arange(0u32, 3, &Device::Cpu)?;
    let mut counts = std::collections::HashMap::new();
    for seed in 0..6000 {
        *counts.entry(shuffle(0, seed)(&x)?.to_vec1::<u32>()?).or_insert(0u32) += 1;
    }
    // 1000 of each, with a standard deviation of 29.
    assert_eq!(counts.len(), 6);
    assert!(counts.values().all(|count| count.abs_diff(1000) < 145), "{counts:?}");
    Ok(())
}

#[test]
fn slices_in_all_spellings() -> Result<()> {
    let x = matrix(&[[1., 2., 3.], [4., 5., 6.]]);
    let column_1 = [1., 0., 3., 4., 0., 6.];
    for edit in [at(1, 1, zero()), at(1, -2, zero())] {
        assert_eq!(values(&edit(&x)?), column_1);
    }
    assert_eq!(values(&at(1, 1usize..2, zero())(&x)?), column_1);
    #[allow(clippy::reversed_empty_ranges, reason = "-1 is the last")]
    let inner = 1..-1;
    assert_eq!(values(&at(D::Minus1, inner, zero())(&x)?), column_1);
    assert_eq!(values(&at(D::Minus1, 1.., at(D::Minus1, ..-1, zero()))(&x)?), column_1);
    assert_eq!(values(&at(1, [1], zero())(&x)?), column_1);
    assert_eq!(values(&at(1, vec![-2i64], zero())(&x)?), column_1);
    let outer = [0., 2., 0., 0., 5., 0.];
    assert_eq!(values(&at(1, [2, 0], zero())(&x)?), outer);
    assert_eq!(values(&at(1, ..=-1, zero())(&x)?), [0.; 6]);
    assert_eq!(values(&at(1, .., zero())(&x)?), [0.; 6]);
    assert_eq!(values(&at(1, -2.., zero())(&x)?), [1., 0., 0., 4., 0., 0.]);
    assert_eq!(values(&at(1, ..1, zero())(&x)?), [0., 2., 3., 0., 5., 6.]);
    assert_eq!(values(&at(1, 0..=1, zero())(&x)?), [0., 0., 3., 0., 0., 6.]);
    assert_eq!(values(&at(0, 1, at(1, [0, 2], scale(10.)))(&x)?), [1., 2., 3., 40., 5., 60.]);
    Ok(())
}

#[test]
fn a_list_gives_its_slices_in_its_order() -> Result<()> {
    let x = matrix(&[[1., 2., 3.], [4., 5., 6.]]);
    let by_place = new(&[10., 20.]);
    assert_eq!(values(&at(1, [2, 0], replace(&by_place))(&x)?), [20., 2., 10., 20., 5., 10.]);
    Ok(())
}

#[test]
fn parts_of_another_value() -> Result<()> {
    let x = matrix(&[[1., 2., 3.], [4., 5., 6.]]);
    let other = (&x * 10.)?;
    assert_eq!(values(&patch(1, [2, 0])(&x, &other)?), [10., 2., 30., 40., 5., 60.]);
    assert_eq!(values(&patch(0, 1)(&x, &new(&[7., 8., 9.]))?), [1., 2., 3., 7., 8., 9.]);
    assert_eq!(values(&at_with(0, 0, |x, v| v - x)(&x, &other)?), [9., 18., 27., 4., 5., 6.]);
    assert_eq!(values(&with(|v| at(0, 0, add(1., v)))(&x, &new(&[1., 1., 1.]))?), [2., 3., 4., 4., 5., 6.]);
    assert_eq!(values(&with(replace)(&x, &new(&[1., 2., 3.]))?), [1., 2., 3., 1., 2., 3.]);
    Ok(())
}

#[test]
fn closures_of_ones_own() -> Result<()> {
    let x = matrix(&[[1., 2., 3.], [4., 5., 6.]]);
    assert_eq!(values(&at(1, 2, |x| x.neg())(&x)?), [1., 2., -3., 4., 5., -6.]);
    // One index after another, as `edit_at` would do it.
    let heads = (0..3).try_fold(x.clone(), |x, head| at(1, head, scale(head as f64))(&x))?;
    assert_eq!(values(&heads), [0., 2., 6., 0., 5., 12.]);
    Ok(())
}

#[test]
fn values_without_elements_and_without_dimensions() -> Result<()> {
    let v = new(&[1., 2., 3.]);
    let edits: [super::Edit; 10] = [
        Box::new(zero()),
        Box::new(replace(&v)),
        Box::new(mean(0)),
        Box::new(scale(2.)),
        Box::new(add(2., &v)),
        Box::new(clamp(-1., 1.)),
        Box::new(noise(1., 0)),
        Box::new(project_out(&v)),
        Box::new(shuffle(1, 0)),
        Box::new(at(1, [2, 0], scale(2.))),
    ];
    for shape in [vec![0, 3], vec![2, 0, 3]] {
        let x = Tensor::zeros(shape.as_slice(), DType::F32, &Device::Cpu)?;
        for (i, edit) in edits.iter().enumerate().filter(|&(i, _)| shape[1] > 0 || i < 9) {
            assert_eq!(edit(&x)?.dims(), shape, "edit {i}");
        }
    }
    let x = Tensor::new(3f32, &Device::Cpu)?;
    assert_eq!(scale(2.)(&x)?.to_scalar::<f32>()?, 6.);
    assert_eq!(clamp(0., 1.)(&x)?.to_scalar::<f32>()?, 1.);
    assert_eq!(add(2., &x)(&x)?.to_scalar::<f32>()?, 9.);
    Ok(())
}

#[test]
fn every_float_dtype_and_integers_where_they_make_sense() -> Result<()> {
    for dtype in [DType::F64, DType::F32, DType::F16, DType::BF16, DType::F8E4M3] {
        let x = matrix(&[[1., 2., 3.], [4., 5., 6.]]).to_dtype(dtype)?;
        let v = new(&[1., 0., 2.]).to_dtype(dtype)?;
        let d = new(&[0., 0., 4.]).to_dtype(dtype)?;
        let cases: [(super::Edit, [f32; 6]); 9] = [
            (Box::new(zero()), [0.; 6]),
            (Box::new(replace(&v)), [1., 0., 2., 1., 0., 2.]),
            (Box::new(mean(1)), [2., 2., 2., 5., 5., 5.]),
            (Box::new(scale(2.)), [2., 4., 6., 8., 10., 12.]),
            (Box::new(add(0.5, &v)), [1.5, 2., 4., 4.5, 5., 7.]),
            (Box::new(clamp(2., 5.)), [2., 2., 3., 4., 5., 5.]),
            (Box::new(project_out(&d)), [1., 2., 0., 4., 5., 0.]),
            (Box::new(at(1, 0..2, scale(-1.))), [-1., -2., 3., -4., -5., 6.]),
            (Box::new(at(1, [2, 0], zero())), [0., 2., 0., 0., 5., 0.]),
        ];
        for (i, (edit, expected)) in cases.iter().enumerate() {
            let y = edit(&x)?;
            assert_eq!((y.dtype(), values(&y)), (dtype, expected.to_vec()), "case {i}");
        }
    }
    for dtype in [DType::U8, DType::U32, DType::I16, DType::I32, DType::I64] {
        let x = matrix(&[[1., 2., 3.], [4., 5., 6.]]).to_dtype(dtype)?;
        let y = at(1, [2, 0], zero())(&at(0, 1, replace(&new(&[7., 8., 9.]).to_dtype(dtype)?))(&x)?)?;
        assert_eq!((y.dtype(), values(&y)), (dtype, vec![0., 2., 0., 0., 8., 0.]));
        assert_eq!(values(&resample(0, [1, 0])(&x)?), [4., 5., 6., 1., 2., 3.]);
    }
    Ok(())
}
