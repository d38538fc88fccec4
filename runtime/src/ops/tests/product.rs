//! Products of matrices against their definition, number by number, and their gradients against finite differences.

use super::*;
use crate::ops::threads::as_on;

/// The product of the last two dimensions, those before as they broadcast.
fn by_definition(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    let (outer, [rows, inner]) = a.dims().split_last_chunk().unwrap();
    let (b_outer, [_, columns]) = b.dims().split_last_chunk().unwrap();
    let both = Shape::from(outer).broadcast_shape_binary_op(&Shape::from(b_outer), "matmul")?.into_dims();
    let a_numbers = doubles(&a.broadcast_as([&both, &[*rows, *inner][..]].concat())?.contiguous()?);
    let b_numbers = doubles(&b.broadcast_as([&both, &[*inner, *columns][..]].concat())?.contiguous()?);
    let mut made = Vec::new();
    for product in 0..both.iter().product() {
        for (row, column) in (0..*rows).flat_map(|row| (0..*columns).map(move |column| (row, column))) {
            let left = &a_numbers[(product * rows + row) * inner..][..*inner];
            let right = |at: usize| b_numbers[(product * inner + at) * columns + column];
            made.push(left.iter().enumerate().map(|(at, left)| left * right(at)).sum::<f64>());
        }
    }
    Tensor::from_vec(made, [&both, &[*rows, *columns][..]].concat(), &Device::Cpu)
}

/// Pairs of every kind of layout and broadcasting, some large enough for several threads.
fn pairs() -> Result<Vec<[Tensor; 2]>> {
    let of = |shape: &[usize], seed| numbers(shape, seed);
    let mut pairs = vec![
        [of(&[3, 4], 0.), of(&[4, 5], 1.)],
        [of(&[1, 1], 0.), of(&[1, 1], 1.)],
        [of(&[1, 300], 0.), of(&[300, 70], 1.)],
        [of(&[2, 3, 4], 0.), of(&[4, 5], 1.)],
        [of(&[2, 3, 4], 0.), of(&[1, 4, 5], 1.)],
        [of(&[3, 4], 0.), of(&[2, 4, 5], 1.)],
        [of(&[2, 1, 3, 4], 0.), of(&[3, 4, 5], 1.)],
        // More rows than columns, more columns than rows, several products on several threads.
        [of(&[331, 50], 0.), of(&[50, 67], 1.)],
        [of(&[65, 50], 0.), of(&[50, 331], 1.)],
        [of(&[3, 61, 64], 0.), of(&[3, 64, 97], 1.)],
        [of(&[12, 33, 31], 0.), of(&[12, 31, 35], 1.)],
        // Turned around, a part, repeated.
        [of(&[4, 3], 0.).t()?, of(&[5, 4], 1.).t()?],
        [of(&[70, 200], 0.).t()?, of(&[90, 70], 1.).t()?],
        [of(&[2, 5, 3, 4], 0.).transpose(1, 2)?, of(&[2, 5, 3, 4], 1.).permute((0, 2, 3, 1))?],
        [of(&[6, 8], 0.).narrow(0, 2, 3)?.narrow(1, 1, 4)?, of(&[9, 5], 1.).narrow(0, 4, 4)?],
        [of(&[1, 4], 0.).broadcast_as((3, 4))?, of(&[4, 1], 1.).broadcast_as((4, 5))?],
    ];
    // A turned matrix before a common one on its right, which candle's own product takes for one in order.
    pairs.push([of(&[2, 4, 3], 0.).transpose(1, 2)?, of(&[4, 5], 1.)]);
    Ok(pairs)
}

#[test]
fn are_their_definition_in_any_layout_on_any_number_of_threads() -> Result<()> {
    for [a, b] in pairs()? {
        let what = format!("{:?} by {:?}", a.layout(), b.layout());
        let expected = by_definition(&a, &b)?;
        for threads in [1, 2, 5] {
            let y = as_on(threads, || matmul(&a, &b))?;
            assert!(y.is_contiguous());
            assert_close(&y, &expected, 1e-12, &what);
            let single = as_on(threads, || matmul(&a.to_dtype(DType::F32)?, &b.to_dtype(DType::F32)?))?;
            assert_close(&single, &expected, 1e-5, &what);
        }
    }
    Ok(())
}

#[test]
fn of_half_precision_are_those_of_single_rounded() -> Result<()> {
    for dtype in [DType::F16, DType::BF16] {
        let (a, b) = (numbers((2, 3, 4), 0.).to_dtype(dtype)?, numbers((4, 5), 1.).to_dtype(dtype)?);
        let y = matmul(&a, &b)?;
        assert_eq!(y.dtype(), dtype);
        assert_close(&y, &by_definition(&a, &b)?, 1e-2, "matmul");
    }
    Ok(())
}

#[test]
fn have_the_gradients_of_finite_differences() -> Result<()> {
    for [a, b] in pairs()? {
        if a.elem_count() + b.elem_count() > 300 {
            continue;
        }
        // The variables are in order, and what is multiplied is a view of them.
        let op = |t: &[Tensor]| matmul(&t[0], &t[1]);
        for (actual, expected) in gradients(op, &[a.clone(), b.clone()])?.iter().zip(&differences(op, &[a, b])?) {
            assert_close(actual, expected, 1e-6, "matmul");
        }
    }
    let turned = |t: &[Tensor]| matmul(&t[0].transpose(1, 2)?, &t[1].t()?);
    let inputs = [numbers((2, 4, 3), 0.), numbers((5, 4), 1.)];
    for (actual, expected) in gradients(turned, &inputs)?.iter().zip(&differences(turned, &inputs)?) {
        assert_close(actual, expected, 1e-6, "matmul of views");
    }
    Ok(())
}

#[test]
fn with_a_bias_are_linear_layers() -> Result<()> {
    for (x, outputs) in [(vec![4], 3), (vec![2, 4], 3), (vec![2, 3, 4], 5), (vec![130, 80], 200), (vec![400, 40], 60)] {
        let inputs = *x.last().unwrap();
        let inputs = [numbers(x.clone(), 0.), numbers((outputs, inputs), 1.), numbers(outputs, 2.)];
        let [x, weight, bias] = &inputs;
        let rows = if x.rank() == 1 { x.unsqueeze(0)? } else { x.clone() };
        let product = by_definition(&rows, &weight.t()?)?;
        let product = if x.rank() == 1 { product.squeeze(0)? } else { product };
        for threads in [1, 5] {
            as_on(threads, || {
                assert_close(&linear(x, weight, None)?, &product, 1e-12, "linear");
                let with_bias = product.broadcast_add(bias)?;
                assert_close(&linear(x, weight, Some(bias))?, &with_bias, 1e-12, "linear");
                // A weight that is stored the other way round.
                let stored = weight.t()?.contiguous()?.t()?;
                assert_close(&linear(x, &stored, Some(bias))?, &with_bias, 1e-12, "linear");
                Result::Ok(())
            })?;
        }
        if x.elem_count() < 100 {
            let op = |t: &[Tensor]| linear(&t[0], &t[1], Some(&t[2]));
            for (actual, expected) in gradients(op, &inputs)?.iter().zip(&differences(op, &inputs)?) {
                assert_close(actual, expected, 1e-6, "linear");
            }
        }
    }
    Ok(())
}

#[test]
fn of_nothing_are_empty_or_the_bias() -> Result<()> {
    let y = matmul(&numbers((0, 3), 0.), &numbers((3, 2), 0.))?;
    assert_eq!(y.dims(), [0, 2]);
    let y = matmul(&numbers((2, 0), 0.), &numbers((0, 2), 0.))?;
    assert_eq!(doubles(&y), [0.; 4]);
    let y = linear(&numbers((1, 0), 0.), &numbers((2, 0), 0.), Some(&numbers(2, 0.)))?;
    assert_eq!(doubles(&y), doubles(&numbers(2, 0.)));
    Ok(())
}

#[test]
fn say_what_does_not_fit() {
    let of = |shape: &[usize]| numbers(shape, 0.);
    assert_error(matmul(&of(&[2, 3]), &of(&[2, 3])), &["`matmul`", "[2, 3]", "don't go together"]);
    assert_error(matmul(&of(&[3]), &of(&[3, 2])), &["are no matrices"]);
    assert_error(matmul(&of(&[2, 2, 3]), &of(&[3, 3, 2])), &["don't broadcast"]);
    let single = of(&[3, 2]).to_dtype(DType::F32).unwrap();
    assert_error(matmul(&of(&[2, 3]), &single), &["`b` is F32 where `a` is F64"]);
    assert_error(linear(&of(&[2, 3]), &of(&[3, 2]), None), &["reads 2 numbers where `x`, [2, 3], has 3"]);
    assert_error(linear(&of(&[2, 3]), &of(&[3]), None), &["`weight`, [3], is not [out, in]"]);
    assert_error(linear(&of(&[2, 3]), &of(&[4, 3]), Some(&of(&[3]))), &["`bias` is [3]", "asks for [4]"]);
    assert_error(linear(&of(&[]), &of(&[4, 3]), None), &["single number"]);
    let whole = Tensor::new(&[[1u32]], &Device::Cpu).unwrap();
    assert_error(matmul(&whole, &whole), &["U32, not of floating-point numbers"]);
}
