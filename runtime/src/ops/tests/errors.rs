use super::*;

fn f32s(shape: impl Into<Shape>) -> Tensor {
    numbers(shape, 0.).to_dtype(DType::F32).unwrap()
}

#[test]
fn say_what_is_not_contiguous_as_candle_refuses_it() -> Result<()> {
    let turned = f32s((4, 4)).t()?;
    let (plain, row, table) = (f32s((4, 4)), f32s(4), f32s((4, 2)));
    let weight = f32s((4, 2)).narrow(1, 0, 1)?.squeeze(1)?;
    assert!(!weight.is_contiguous());
    assert!(candle_nn::ops::softmax_last_dim(&turned).is_err());
    assert_error(softmax_last_dim(&turned), &["`softmax_last_dim`: `x`, [4, 4], is not contiguous", "`contiguous()`"]);
    assert!(candle_nn::ops::layer_norm(&turned, &row, &row, EPS).is_err());
    assert_error(layer_norm(&turned, &row, &row, EPS), &["`layer_norm`: `x`", "contiguous"]);
    assert_error(layer_norm(&plain, &row, &weight, EPS), &["`layer_norm`: `bias`", "contiguous"]);
    assert!(candle_nn::ops::rms_norm(&plain, &weight, EPS).is_err());
    assert_error(rms_norm(&plain, &weight, EPS), &["`rms_norm`: `weight`", "contiguous"]);
    let x = f32s((1, 4, 4, 4));
    assert_error(rope(&x.transpose(1, 2)?, &table, &table), &["`rope`: `x`", "contiguous"]);
    assert_error(rope_i(&x, &table, &f32s((2, 4)).t()?), &["`rope_i`: `sin`", "contiguous"]);
    Ok(())
}

#[test]
fn say_what_does_not_fit() -> Result<()> {
    let (x, row, short) = (f32s((2, 4)), f32s(4), f32s(3));
    assert_error(layer_norm(&x, &short, &row, EPS), &["`weight` is [3]", "`x`, [2, 4], asks for [4]"]);
    assert_error(layer_norm(&x, &row, &f32s((1, 4)), EPS), &["`bias` is [1, 4]"]);
    assert_error(rms_norm(&x, &short, EPS), &["`rms_norm`: `weight` is [3]"]);
    let half = row.to_dtype(DType::F16)?;
    assert_error(layer_norm(&x, &row, &half, EPS), &["`bias` is F16 where `x` is F32", "`to_dtype`"]);
    assert_error(rms_norm(&x, &half, EPS), &["`weight` is F16"]);
    Ok(())
}

/// candle panics.
#[test]
fn say_that_there_is_nothing() -> Result<()> {
    let (none, width) = (f32s((2, 0)), f32s(0));
    assert_error(softmax_last_dim(&none), &["`softmax_last_dim`: the last dimension of `x`, [2, 0], is empty"]);
    assert_error(layer_norm(&none, &width, &width, EPS), &["is empty"]);
    assert_error(rms_norm(&none, &width, EPS), &["is empty"]);
    assert_error(softmax_last_dim(&f32s(())), &["`x` is a scalar"]);
    assert_error(
        rope(&f32s((1, 2, 0, 4)), &f32s((3, 2)), &f32s((3, 2))),
        &["`rope`: `x`, [1, 2, 0, 4], has no tokens"],
    );
    Ok(())
}

#[test]
fn say_which_table_does_not_fit() -> Result<()> {
    let (x, table) = (f32s((2, 3, 4, 6)), f32s((4, 3)));
    assert_error(rope(&f32s((3, 4, 6)), &table, &table), &["`x`, [3, 4, 6], is not [batch, head, token, channel]"]);
    assert_error(rope(&x, &f32s((3, 3)), &table), &["`cos` is [3, 3]", "asks for [4, 3]"]);
    assert_error(rope_i(&x, &table, &f32s((4, 6))), &["`rope_i`: `sin` is [4, 6]"]);
    assert_error(rope(&x, &f32s((3, 4, 3)), &table), &["`cos` is [3, 4, 3]", "[2, 4, 3]"]);
    assert_error(rope(&x, &table, &table.to_dtype(DType::BF16)?), &["`sin` is BF16"]);
    assert_error(rope(&f32s((1, 1, 2, 5)), &f32s((2, 2)), &f32s((2, 2))), &["5 channels"]);
    Ok(())
}

/// candle takes the wrong rows without a word. Should it learn to take the right ones, these can go.
#[test]
fn refuse_what_candle_computes_wrongly() -> Result<()> {
    let (x, long) = (f32s((2, 1, 2, 2)), f32s((2, 3, 1)));
    let theirs = candle_nn::rotary_emb::rope(&x, &long, &long)?;
    let second = long.narrow(0, 1, 1)?.narrow(1, 0, 2)?.squeeze(0)?;
    let right = candle_nn::rotary_emb::rope(&x.narrow(0, 1, 1)?, &second, &second)?;
    assert_ne!(doubles(&theirs.narrow(0, 1, 1)?), doubles(&right));
    assert_error(rope(&x, &long, &long), &["`rope`", "[3, 3] rows for 2 tokens", "`narrow`"]);

    let (batched, flat) = (long.narrow(1, 0, 2)?.contiguous()?, f32s((2, 1)));
    assert!(candle_nn::rotary_emb::rope_i(&x, &batched, &flat).is_ok());
    assert_error(rope_i(&x, &batched, &flat), &["`cos`, [2, 2, 1], and `sin`, [2, 1]", "same shape"]);
    Ok(())
}
