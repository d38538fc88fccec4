use std::mem::MaybeUninit;

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor, WithDType, bail};

use super::threads::filled_in_parts;
use super::vectors::{PARALLEL, SHARE};

/// The elements of `x` in the order of their indices in memory: any shape and type to the same.
///
/// What [`Tensor::contiguous`] does, bit for bit and with its gradient, but on candle's threads: heads of attention are split
/// and merged in half the time. Where the last dimension itself is turned, or the tensor is tracked, it is candle's own.
///
/// PyTorch's `x.contiguous()`.
///
/// ```
/// # use taper::candle_core::{DType, Device, Tensor};
/// // [batch, token, head × channel] to [batch, head, token, channel].
/// let x = Tensor::zeros((1, 128, 768), DType::F32, &Device::Cpu)?;
/// let heads = taper::ops::contiguous(&x.reshape((1, 128, 12, 64))?.transpose(1, 2)?)?;
/// assert!(heads.is_contiguous());
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
///
/// # Errors
/// Those of [`Tensor::contiguous`].
pub fn contiguous(x: &Tensor) -> Result<Tensor> {
    let numbers = !matches!(x.dtype(), DType::F4 | DType::F6E2M3 | DType::F6E3M2 | DType::F8E8M0);
    let here = x.device().is_cpu() && numbers && !x.track_op();
    if x.is_contiguous() || !here || x.elem_count() < PARALLEL || in_a_row(x.layout()) < SHORTEST {
        return x.contiguous();
    }
    x.apply_op1_no_bwd(&Contiguous)
}

/// Copying fewer elements than this at a time is left to candle.
const SHORTEST: usize = 8;

/// How many elements of the last dimensions are in order in memory.
fn in_a_row(layout: &Layout) -> usize {
    let mut run = 1;
    for (&dim, &stride) in layout.dims().iter().zip(layout.stride()).rev() {
        if dim != 1 && stride != run {
            break;
        }
        run *= dim;
    }
    run
}

struct Contiguous;

impl CustomOp1 for Contiguous {
    fn name(&self) -> &'static str {
        "contiguous"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        macro_rules! of {
            ($($kind:ident)+) => {
                match storage {
                    $(CpuStorage::$kind(from) => CpuStorage::$kind(in_order(from, layout)),)+
                    _ => bail!("`contiguous` of a type that has no numbers"),
                }
            };
        }
        Ok((of!(U8 U32 I16 I32 I64 BF16 F16 F32 F64 F8E4M3), layout.shape().clone()))
    }
}

fn in_order<T: WithDType>(from: &[T], layout: &Layout) -> Vec<T> {
    let run = in_a_row(layout);
    // The dimensions that are left, with their strides, from the last to the first.
    let mut outer: Vec<(usize, usize)> =
        layout.dims().iter().copied().zip(layout.stride().iter().copied()).rev().collect();
    let mut inner = 1;
    outer.retain(|&(dim, _)| {
        let within = inner < run || dim == 1;
        inner *= dim;
        !within
    });
    let place = |index: usize| {
        let (mut rest, mut place) = (index, layout.start_offset());
        for &(dim, stride) in &outer {
            place += rest % dim * stride;
            rest /= dim;
        }
        place
    };
    filled_in_parts(layout.shape().elem_count(), run, SHARE, |start, to: &mut [MaybeUninit<T>]| {
        let place = place(start / run);
        to.write_copy_of_slice(&from[place..place + run])
    })
}
