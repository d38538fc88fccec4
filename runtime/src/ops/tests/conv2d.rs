//! Convolutions against candle's, and their gradients against finite differences.

use super::*;
use crate::ops::threads::as_on;

/// Batch, channels, height, width; outputs, height, width of the kernel; and how it is laid on.
type Config = ([usize; 4], [usize; 3], Conv2dOptions);

fn options(stride: usize, dilation: usize, groups: usize, padding: usize) -> Conv2dOptions {
    Conv2dOptions { stride, dilation, groups, padding: Padding::all(padding) }
}

fn inputs(([batch, channels, height, width], [outputs, down, right], options): Config) -> [Tensor; 3] {
    let kernel = (outputs, channels / options.groups, down, right);
    [numbers((batch, channels, height, width), 1.), numbers(kernel, 2.), numbers(outputs, 3.)]
}

fn ours(options: Conv2dOptions) -> impl Fn(&[Tensor]) -> Result<Tensor> {
    move |t| conv2d(&t[0], &t[1], t.get(2), options)
}

/// candle's, which pads on all sides alike.
fn theirs(options: Conv2dOptions) -> impl Fn(&[Tensor]) -> Result<Tensor> {
    move |t| {
        let Conv2dOptions { stride, dilation, groups, padding: p } = options;
        let padded = t[0].pad_with_zeros(2, p.top, p.bottom)?.pad_with_zeros(3, p.left, p.right)?;
        let y = padded.conv2d(&t[1], 0, stride, dilation, groups)?;
        t.get(2).map_or(Ok(y.clone()), |bias| y.broadcast_add(&bias.reshape((1, (), 1, 1))?))
    }
}

/// Every kind of kernel with every stride, dilation and padding that fits an image that is not square, in one group, in
/// two, and with kernels for every channel.
fn configs() -> Vec<Config> {
    let mut configs = Vec::new();
    for [down, right] in [[1, 1], [3, 3], [2, 3], [1, 5]] {
        for (stride, dilation) in [(1, 1), (2, 1), (3, 1), (1, 2), (2, 3)] {
            for padding in [0, 1, 3] {
                for (groups, channels, outputs) in [(1, 3, 2), (2, 4, 6), (4, 4, 4), (3, 3, 6)] {
                    let covers = |kernel: usize| dilation * (kernel - 1) + 1;
                    if covers(down) <= 5 + 2 * padding && covers(right) <= 7 + 2 * padding {
                        let options = options(stride, dilation, groups, padding);
                        configs.push(([2, channels, 5, 7], [outputs, down, right], options));
                    }
                }
            }
        }
    }
    let uneven = Padding { top: 0, bottom: 1, left: 2, right: 0 };
    for groups in [1, 3] {
        configs.push(([1, 3, 6, 5], [3, 3, 3], Conv2dOptions { padding: uneven, ..options(2, 1, groups, 0) }));
    }
    // More places than are summed up at a time, and padding beyond the whole image.
    configs.push(([1, 2, 70, 60], [2, 3, 3], options(1, 1, 2, 1)));
    configs.push(([1, 2, 1, 1], [2, 3, 3], options(1, 1, 2, 3)));
    configs.push(([1, 2, 1, 2], [1, 3, 3], options(2, 2, 1, 5)));
    configs
}

#[test]
fn are_candles_within_rounding() -> Result<()> {
    for config in configs() {
        let (inputs, options) = (inputs(config), config.2);
        for (dtype, tolerance) in [(DType::F64, 1e-13), (DType::F32, 1e-5), (DType::F16, 6e-4), (DType::BF16, 4e-3)] {
            let inputs = inputs.iter().map(|input| input.to_dtype(dtype)).collect::<Result<Vec<_>>>()?;
            let exact = inputs.iter().map(|input| input.to_dtype(DType::F64)).collect::<Result<Vec<_>>>()?;
            let expected = theirs(options)(&exact)?;
            let y = ours(options)(&inputs)?;
            assert_eq!(y.dtype(), dtype);
            assert!(y.is_contiguous() && !y.track_op());
            assert_close(&y, &expected, tolerance, &format!("{config:?} in {dtype:?}"));
            let tracked = ours(options)(&tensors(&vars(&inputs)?))?;
            assert_same(&tracked, &y, &format!("{config:?} in {dtype:?}, tracked"));
        }
        let without_bias = ours(options)(&inputs[..2])?;
        assert_close(&without_bias, &theirs(options)(&inputs[..2])?, 1e-13, "without a bias");
    }
    Ok(())
}

#[test]
fn have_the_gradients_of_finite_differences() -> Result<()> {
    // All of them take long where nothing is optimized.
    let few = configs().into_iter().enumerate().filter(|(at, config)| at % 7 == 0 || config.0[0] == 1);
    for (_, config) in few.filter(|(_, config)| config.0[2] < 70) {
        let (inputs, options) = (inputs(config), config.2);
        let expected = differences(theirs(options), &inputs)?;
        for (input, (actual, expected)) in gradients(ours(options), &inputs)?.iter().zip(&expected).enumerate() {
            assert_close(actual, expected, 1e-7, &format!("{config:?}, input {input}"));
        }
    }
    Ok(())
}

/// In single precision the kernels of each channel have another formulation than in double precision.
#[test]
fn have_the_same_gradients_in_single_precision() -> Result<()> {
    for config in configs() {
        let (inputs, options) = (inputs(config), config.2);
        let single = inputs.iter().map(|input| input.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()?;
        let expected = gradients(ours(options), &inputs)?;
        for (input, (actual, expected)) in gradients(ours(options), &single)?.iter().zip(&expected).enumerate() {
            assert_close(actual, expected, 2e-4, &format!("{config:?}, input {input}"));
        }
    }
    Ok(())
}

#[test]
fn have_gradients_for_what_is_tracked_only() -> Result<()> {
    for groups in [1, 4] {
        let (inputs, options) = (inputs(([1, 4, 5, 5], [4, 3, 3], options(1, 1, groups, 1))), options(1, 1, groups, 1));
        for tracked in 0..3 {
            let var = Var::from_tensor(&inputs[tracked])?;
            let mut with = inputs.to_vec();
            with[tracked] = var.as_tensor().clone();
            let grads = loss(&ours(options)(&with)?)?.backward()?;
            assert_close(grads.get(&var).unwrap(), &gradients(ours(options), &inputs)?[tracked], 0., "one tracked");
        }
    }
    Ok(())
}

#[test]
fn take_every_layout_and_no_images() -> Result<()> {
    for groups in [1, 2, 4] {
        let (inputs, options) = (inputs(([2, 4, 5, 6], [4, 3, 3], options(2, 1, groups, 1))), options(2, 1, groups, 1));
        for dtype in [DType::F32, DType::F64] {
            let inputs = inputs.iter().map(|input| input.to_dtype(dtype)).collect::<Result<Vec<_>>>()?;
            let y = ours(options)(&inputs)?;
            let turned = |t: &Tensor| t.transpose(2, 3)?.contiguous()?.transpose(2, 3);
            assert_same(&ours(options)(&[turned(&inputs[0])?, turned(&inputs[1])?, inputs[2].clone()])?, &y, "turned");
            let second = inputs[0].narrow(0, 1, 1)?;
            // A product of several images may be summed up in another order.
            let y = y.narrow(0, 1, 1)?;
            assert_close(
                &ours(options)(&[second, inputs[1].clone(), inputs[2].clone()])?,
                &y,
                1e-6,
                "the second image",
            );
            let none = inputs[0].narrow(0, 0, 0)?;
            let y = ours(options)(&[none, inputs[1].clone(), inputs[2].clone()])?;
            assert_eq!(y.dims(), [0, 4, 3, 3]);
        }
    }
    Ok(())
}

#[test]
fn of_each_channel_do_not_depend_on_threads() -> Result<()> {
    let (inputs, options) = (inputs(([2, 8, 30, 30], [8, 3, 3], options(1, 1, 8, 1))), options(1, 1, 8, 1));
    let single = inputs.iter().map(|input| input.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()?;
    let on = |threads| as_on(threads, || ours(options)(&single));
    assert_same(&on(5)?, &on(1)?, "conv2d");
    Ok(())
}

#[test]
fn say_what_does_not_fit() {
    let x = numbers((1, 4, 5, 5), 1.);
    let kernel = |dims: (usize, usize, usize, usize)| numbers(dims, 1.);
    let error = |x: &Tensor, kernel: &Tensor, options| conv2d(x, kernel, None, options);
    let plain = Conv2dOptions::default();
    assert_error(error(&numbers((4, 5, 5), 1.), &kernel((1, 4, 3, 3)), plain), &["`x`, [4, 5, 5], is not [batch"]);
    assert_error(error(&x, &numbers((4, 3, 3), 1.), plain), &["`kernel`, [4, 3, 3], is not [output channel"]);
    assert_error(error(&x, &kernel((1, 3, 3, 3)), plain), &["does not fit `x`, [1, 4, 5, 5], in 1 groups"]);
    assert_error(error(&x, &kernel((3, 2, 3, 3)), options(1, 1, 2, 0)), &["in 2 groups"]);
    assert_error(error(&x, &kernel((1, 4, 6, 1)), plain), &["or larger than `x`, [1, 4, 5, 5]"]);
    assert_error(error(&x, &kernel((1, 4, 3, 3)), options(1, 3, 1, 0)), &["is empty, or larger"]);
    assert_error(error(&x, &kernel((1, 4, 0, 1)), plain), &["is empty"]);
    assert_error(error(&numbers((1, 4, 0, 5), 1.), &kernel((1, 4, 1, 1)), plain), &["has no pixels"]);
    assert_error(error(&x, &kernel((1, 4, 3, 3)), options(0, 1, 1, 0)), &["`stride` is 0"]);
    assert_error(error(&x, &kernel((1, 4, 3, 3)), options(1, 0, 1, 0)), &["`dilation` is 0"]);
    assert_error(error(&x, &kernel((1, 4, 3, 3)), options(1, 1, 0, 0)), &["`groups` is 0"]);
    let half = kernel((1, 4, 3, 3)).to_dtype(DType::F16).unwrap();
    assert_error(error(&x, &half, plain), &["`kernel` is F16 where `x` is F64"]);
    let bias = conv2d(&x, &kernel((1, 4, 3, 3)), Some(&numbers(2, 1.)), plain);
    assert_error(bias, &["`bias` is [2]", "asks for [1]"]);
    let whole = x.to_dtype(DType::U32).unwrap();
    assert_error(error(&whole, &whole, plain), &["`x` is U32"]);
}
