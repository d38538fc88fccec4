//! Bad input is named, with its remedy.

use candle_core::{DType, Device, Result, Tensor};
use taper::interventions::*;

use super::new;

fn x() -> Tensor {
    Tensor::zeros((2, 12, 5), DType::F32, &Device::Cpu).unwrap()
}

#[track_caller]
fn assert_fault(result: Result<Tensor>, parts: &[&str]) {
    let message = result.expect_err("it is refused").to_string();
    for part in parts {
        assert!(message.contains(part), "no {part:?} in: {message}");
    }
}

#[test]
fn indices_and_dimensions() {
    assert_fault(at(1, 12, zero())(&x()), &["`at` of `12` along dimension 1", "[2, 12, 5]", "use -12 to 11"]);
    assert_fault(at(1, -13, zero())(&x()), &["-13 is out of range", "use -12 to 11"]);
    assert_fault(at(1, usize::MAX, zero())(&x()), &["out of range"]);
    assert_fault(at(1, [3, 40], zero())(&x()), &["`[3, 40]`", "40 is out of range"]);
    assert_fault(at(1, 4..13, zero())(&x()), &["`4..13`", "13 is out of range", "use -12 to 12"]);
    assert_fault(at(1, 0..=12, zero())(&x()), &["`0..=12`", "12 is out of range"]);
    assert_fault(at(1, -14..2, zero())(&x()), &["`-14..2`", "-14 is out of range"]);
    assert_fault(at(1, [4, 9, -8], zero())(&x()), &["names index 4 of dimension 1 twice"]);
    assert_fault(at(3, 0, zero())(&x()), &["at", "3", "[2, 12, 5]"]);
    assert_fault(patch(3, 0)(&x(), &x()), &["patch", "3", "[2, 12, 5]"]);
    assert_fault(mean(3)(&x()), &["mean", "3", "[2, 12, 5]"]);
    assert_fault(mean((1, 1))(&x()), &["mean", "[1, 1]"]);
    assert_fault(resample(0, [0])(&x()), &["`resample`", "by 1 indices", "each of the 2 places"]);
    assert_fault(resample(0, [0, 2])(&x()), &["`resample`", "2 is out of range"]);
    assert_fault(shuffle(3, 0)(&x()), &["shuffle", "[2, 12, 5]"]);
}

#[test]
#[allow(clippy::reversed_empty_ranges, reason = "it is what is refused")]
fn a_range_that_ends_before_it_starts() {
    assert_fault(at(1, 5..3, zero())(&x()), &["`5..3`", "starts at 5, after its end at 3"]);
    assert_fault(at(1, -3..0, zero())(&x()), &["`-3..0`", "starts at 9, after its end at 0"]);
}

#[test]
fn results_that_do_not_fit_the_slice() {
    assert_fault(at(1, 3, |x: &Tensor| x.squeeze(1))(&x()), &["[2, 1, 5]", "[2, 5]"]);
    assert_fault(at(1, 3, |x: &Tensor| x.to_dtype(DType::F64))(&x()), &["F32", "F64", "to_dtype"]);
}

#[test]
fn operands() {
    let short = new(&[1., 2., 3.]);
    let double = Tensor::zeros(5, DType::F64, &Device::Cpu).unwrap();
    for (edit, what) in [
        (Box::new(add(0., &short)) as super::Edit, "`add`"),
        (Box::new(replace(&short)), "`replace`"),
        (Box::new(project_out(&short)), "`project_out`"),
        (Box::new(project_onto(&short)), "`project_onto`"),
    ] {
        assert_fault(edit(&x()), &[what, "[3]", "[2, 12, 5]"]);
    }
    for (edit, what) in [
        (Box::new(add(0., &double)) as super::Edit, "`add`"),
        (Box::new(replace(&double)), "`replace`"),
        (Box::new(project_out(&double)), "`project_out`"),
    ] {
        assert_fault(edit(&x()), &[what, "F32", "F64", "to_dtype"]);
    }
    assert_fault(patch(1, 0)(&x(), &short), &["`patch`", "[3]", "[2, 12, 5]"]);
    assert_fault(interpolate(0.)(&x(), &double), &["`interpolate`", "F64"]);
    // A scalar direction, and one that would have to broadcast along the channel.
    assert_fault(project_out(&new(&[1.]))(&x()), &["last dimension must be 5"]);
    // Larger than the value: nothing grows.
    assert_fault(
        add(1., &Tensor::zeros((3, 2, 12, 5), DType::F32, &Device::Cpu).unwrap())(&x()),
        &["does not broadcast"],
    );
}

#[test]
fn directions_without_length() {
    assert_fault(project_out(&new(&[0.; 5]))(&x()), &["`project_out`", "length 0", "[5]"]);
    let one_of_two = Tensor::new(&[[1f32; 5], [0.; 5]], &Device::Cpu).unwrap().unsqueeze(1).unwrap();
    assert_fault(project_out(&one_of_two)(&x()), &["length 0", "[2, 1, 5]"]);
    assert_fault(project_onto(&new(&[1., f32::NAN, 0., 0., 0.]))(&x()), &["`project_onto`", "NaN"]);
}

#[test]
fn numbers() {
    assert_fault(scale(f64::NAN)(&x()), &["`scale` by NaN"]);
    assert_fault(add(f64::INFINITY, &new(&[1.]))(&x()), &["`add` by inf"]);
    assert_fault(interpolate(f64::NAN)(&x(), &x()), &["`interpolate` by NaN"]);
    assert_fault(noise(-1., 0)(&x()), &["`noise`", "-1"]);
    assert_fault(clamp(2., 1.)(&x()), &["`clamp` from 2 to 1"]);
}

#[test]
fn integers() {
    let ids = Tensor::zeros((2, 3), DType::U32, &Device::Cpu).unwrap();
    for (edit, what) in [
        (Box::new(scale(1.)) as super::Edit, "`scale`"),
        (Box::new(mean(0)), "`mean`"),
        (Box::new(add(0., &ids)), "`add`"),
        (Box::new(clamp(0., 1.)), "`clamp`"),
        (Box::new(noise(0., 0)), "`noise`"),
        (Box::new(project_out(&ids)), "`project_out`"),
    ] {
        assert_fault(edit(&ids), &[what, "U32", "to_dtype"]);
    }
    assert_fault(interpolate(0.5)(&ids, &ids), &["`interpolate`", "U32"]);
}
