//! The order in memory stays, by which candle's layers choose their kernels.

use candle_core::{DType, Device, Result, Tensor};
use taper::interventions::*;

use super::values;

fn counting(shape: impl Into<candle_core::Shape>) -> Result<Tensor> {
    let shape = shape.into();
    Tensor::arange(0f32, shape.elem_count() as f32, &Device::Cpu)?.reshape(shape)
}

/// Views that are not contiguous.
fn views() -> Result<Vec<Tensor>> {
    Ok(vec![
        counting((3, 4))?.t()?,
        counting((2, 3, 4, 5))?.transpose(1, 2)?,
        counting((2, 3, 4))?.permute((2, 0, 1))?,
        counting((3, 8))?.narrow(1, 2, 4)?,
        counting((3, 6, 4))?.narrow(1, 1, 3)?.transpose(0, 2)?,
        counting((3, 4, 2))?.narrow(2, 1, 1)?.squeeze(2)?,
        counting((3, 1, 8))?.narrow(2, 0, 4)?.transpose(0, 1)?,
        counting((4,))?.broadcast_as((3, 4))?,
        counting((3, 1))?.broadcast_as((3, 4))?,
        counting((2, 1, 4))?.broadcast_as((2, 3, 4))?,
    ])
}

/// From the slowest dimension to the fastest, without those of one place; a repeated one is the slowest.
fn order(x: &Tensor) -> Vec<usize> {
    let mut order: Vec<usize> = (0..x.rank()).filter(|&dim| x.dims()[dim] > 1).collect();
    order.sort_by_key(|&dim| std::cmp::Reverse(x.stride()[dim].wrapping_sub(1)));
    order
}

/// Which neighbours in memory make one dimension together.
fn joined(x: &Tensor) -> Vec<bool> {
    let order = order(x);
    order.windows(2).map(|pair| x.stride()[pair[0]] == x.stride()[pair[1]] * x.dims()[pair[1]]).collect()
}

fn edits(v: &Tensor) -> Vec<super::Edit> {
    vec![
        Box::new(zero()),
        Box::new(replace(v)),
        Box::new(mean(0)),
        Box::new(scale(2.)),
        Box::new(add(2., v)),
        Box::new(clamp(3., 7.)),
        Box::new(noise(1., 0)),
        Box::new(project_out(v)),
        Box::new(shuffle(1, 3)),
        Box::new(at(1, 0, scale(2.))),
        Box::new(at(0, [-1, 0], scale(2.))),
        Box::new(at(1, .., scale(2.))),
    ]
}

#[test]
fn views_give_what_their_copies_give_in_their_own_order() -> Result<()> {
    for x in views()?.iter().filter(|x| x.dims()[0] > 1) {
        let v = (Tensor::ones(x.dims()[x.rank() - 1], DType::F32, &Device::Cpu)? * 3.)?;
        assert!(!x.is_contiguous());
        for (i, edit) in edits(&v).iter().enumerate() {
            let (y, reference) = (edit(x)?, edit(&x.contiguous()?)?);
            assert_eq!((y.dims(), values(&y)), (reference.dims(), values(&reference)), "edit {i} of {:?}", x.layout());
            assert!(reference.is_contiguous(), "edit {i} of a contiguous value");
            assert!(!y.is_contiguous(), "edit {i} of {:?}", x.layout());
            assert_eq!(order(&y), order(x), "edit {i} of {:?} gave {:?}", x.layout(), y.layout());
            if !x.stride().contains(&0) {
                assert_eq!(joined(&y), joined(x), "edit {i} of {:?} gave {:?}", x.layout(), y.layout());
            }
        }
    }
    Ok(())
}

#[test]
fn what_is_only_transposed_keeps_its_strides() -> Result<()> {
    let x = counting((2, 3, 4, 5))?.transpose(1, 2)?;
    assert_eq!(at(1, 2, scale(2.))(&x)?.stride(), x.stride());
    assert_eq!(add(1., &counting(5)?)(&x)?.stride(), x.stride());
    Ok(())
}

/// A norm of the rows that were left alone gives the same bits: it takes the same kernel.
#[test]
fn a_norm_of_what_was_left_alone_is_the_same() -> Result<()> {
    let norm = candle_nn::LayerNorm::new(counting(64)?, counting(64)?, 1e-5);
    let x = taper_tests::gradients::numbers((8, 128), 4).to_dtype(DType::F32)?;
    for x in [x.narrow(1, 0, 64)?, x.narrow(1, 0, 64)?.contiguous()?, x.reshape((64, 16))?.t()?] {
        let rows = |y: &Tensor| -> Result<Vec<u32>> {
            Ok(super::bits(&candle_core::Module::forward(&norm, y)?.narrow(0, 1, 7)?))
        };
        assert_eq!(rows(&at(0, 0, scale(2.))(&x)?)?, rows(&x)?, "{:?}", x.layout());
    }
    Ok(())
}
