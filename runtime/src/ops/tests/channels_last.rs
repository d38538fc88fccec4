//! Operations on images whose channels come last against those on the same images turned around, and their gradients
//! against finite differences.

use super::*;
use crate::ops::channels_last;
use crate::ops::threads::as_on;

fn first(x: &Tensor) -> Result<Tensor> {
    x.permute((0, 3, 1, 2))?.contiguous()
}

fn last(x: &Tensor) -> Result<Tensor> {
    x.permute((0, 2, 3, 1))?.contiguous()
}

fn options(stride: usize, dilation: usize, padding: Padding) -> Conv2dOptions {
    Conv2dOptions { stride, dilation, padding, ..Conv2dOptions::default() }
}

fn every_option() -> [Conv2dOptions; 7] {
    let aside = Padding { top: 0, bottom: 1, left: 2, right: 1 };
    [
        options(1, 1, Padding::default()),
        options(1, 1, Padding::all(1)),
        options(2, 1, aside),
        options(3, 1, Padding::all(2)),
        options(1, 2, Padding::all(3)),
        options(2, 2, aside),
        // Beyond the image on every side.
        options(1, 1, Padding::all(4)),
    ]
}

#[test]
fn convolve_as_those_turned_around() -> Result<()> {
    for (image, kernel) in [
        ([2, 5, 6, 3], [3, 3, 3, 4]),
        ([1, 7, 4, 1], [1, 1, 1, 5]),
        ([1, 4, 5, 2], [2, 3, 2, 1]),
        ([2, 20, 21, 8], [3, 3, 8, 7]),
        ([1, 4, 4, 40], [3, 3, 40, 200]),
    ] {
        let (x, kernel) = (numbers(&image, 0.), numbers(&kernel, 1.));
        for options in every_option() {
            let expected = last(&conv2d(&first(&x)?, &kernel.permute((3, 2, 0, 1))?, None, options)?)?;
            for threads in [1, 5] {
                let y = as_on(threads, || channels_last::conv2d(&x, &kernel, options))?;
                assert_close(&y, &expected, 1e-12, &format!("{image:?} {options:?}"));
            }
            if x.elem_count() < 200 {
                let op = |t: &[Tensor]| channels_last::conv2d(&t[0], &t[1], options);
                let inputs = [x.clone(), kernel.clone()];
                for (actual, expected) in gradients(op, &inputs)?.iter().zip(&differences(op, &inputs)?) {
                    assert_close(actual, expected, 1e-6, "conv2d");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn convolve_in_groups_and_in_half_precision() -> Result<()> {
    let (x, kernel) = (numbers((2, 5, 6, 4), 0.), numbers((3, 3, 2, 6), 1.));
    let options = Conv2dOptions { groups: 2, ..options(1, 1, Padding::all(1)) };
    let expected = last(&conv2d(&first(&x)?, &kernel.permute((3, 2, 0, 1))?, None, options)?)?;
    assert_close(&channels_last::conv2d(&x, &kernel, options)?, &expected, 1e-12, "groups");
    let half = |t: &Tensor| t.to_dtype(DType::F16);
    assert_close(&channels_last::conv2d(&half(&x)?, &half(&kernel)?, options)?, &expected, 2e-2, "half precision");
    Ok(())
}

#[test]
fn convolve_each_channel_as_those_turned_around() -> Result<()> {
    // Fewer channels than are summed up at a time, as many, more; several kernels a channel.
    for (channels, times, down, right) in
        [(3, 1, 3, 3), (64, 1, 3, 2), (130, 1, 1, 3), (5, 2, 2, 2), (1, 1, 7, 7), (2, 1, 5, 3)]
    {
        let (x, kernel) = (numbers((2, 6, 5, channels), 0.), numbers((down, right, channels, times), 1.));
        let turned = kernel.permute((2, 3, 0, 1))?.contiguous()?.reshape((channels * times, 1, down, right))?;
        for options in every_option() {
            let grouped = Conv2dOptions { groups: channels, ..options };
            let Ok(expected) = conv2d(&first(&x)?, &turned, None, grouped) else { continue };
            let expected = last(&expected)?;
            let what = format!("{channels} channels, {times}, {down} × {right}, {options:?}");
            let single = |t: &Tensor| t.to_dtype(DType::F32);
            for threads in [1, 5] {
                let y = || channels_last::depthwise_conv2d(&single(&x)?, &single(&kernel)?, options);
                assert_close(&as_on(threads, y)?, &expected, 1e-5, &what);
            }
            assert_close(&channels_last::depthwise_conv2d(&x, &kernel, options)?, &expected, 1e-12, &what);
        }
    }
    Ok(())
}

/// In single precision, in which alone each channel is summed up by itself.
#[test]
fn have_gradients_for_each_channel() -> Result<()> {
    let (x, kernel) = (numbers((1, 4, 3, 2), 0.), numbers((2, 2, 2, 1), 1.));
    for options in every_option() {
        let expected =
            differences(|t| channels_last::depthwise_conv2d(&t[0], &t[1], options), &[x.clone(), kernel.clone()])?;
        let single = |t: &[Tensor]| {
            channels_last::depthwise_conv2d(&t[0].to_dtype(DType::F32)?, &t[1].to_dtype(DType::F32)?, options)
        };
        for (actual, expected) in gradients(single, &[x.clone(), kernel.clone()])?.iter().zip(&expected) {
            assert_close(actual, expected, 1e-4, "depthwise_conv2d");
        }
    }
    Ok(())
}

#[test]
fn normalize_as_those_turned_around() -> Result<()> {
    let inputs = [numbers((2, 3, 4, 5), 0.), numbers(5, 1.), numbers(5, 2.).sqr()?, numbers(5, 3.), numbers(5, 4.)];
    let [x, mean, var, weight, bias] = &inputs;
    let expected = last(&batch_norm(&first(x)?, mean, var, weight, bias, 1e-3)?)?;
    assert_close(&channels_last::batch_norm(x, mean, var, weight, bias, 1e-3)?, &expected, 1e-12, "batch_norm");
    let of = |t: &[Tensor]| channels_last::batch_norm(&t[0], &t[1], &t[2], &t[3], &t[4], 1e-3);
    let single = inputs.iter().map(|t| t.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()?;
    assert_close(&of(&single)?, &expected, 1e-5, "batch_norm");
    let single = |t: &[Tensor]| of(&t.iter().map(|t| t.to_dtype(DType::F32)).collect::<Result<Vec<_>>>()?);
    for (actual, expected) in gradients(single, &inputs)?.iter().zip(&differences(of, &inputs)?) {
        assert_close(actual, expected, 1e-3, "batch_norm");
    }
    Ok(())
}

#[test]
fn say_what_does_not_fit() {
    let (x, plain) = (numbers((1, 4, 5, 3), 0.), Conv2dOptions::default());
    let error = |kernel: &[usize]| channels_last::conv2d(&x, &numbers(kernel, 0.), plain);
    assert_error(error(&[3, 3, 3]), &["`kernel`, [3, 3, 3], is not [height, width, channel / groups, output channel]"]);
    assert_error(error(&[3, 3, 2, 4]), &["[3, 3, 2, 4], does not fit `x`, [1, 4, 5, 3], in 1 groups"]);
    assert_error(error(&[5, 3, 3, 4]), &["larger than `x`, [1, 4, 5, 3]"]);
    let error = |kernel: &[usize]| channels_last::depthwise_conv2d(&x, &numbers(kernel, 0.), plain);
    assert_error(error(&[3, 3, 2, 1]), &["is for 2 channels where `x`, [1, 4, 5, 3], has 3"]);
}
