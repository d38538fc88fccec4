//! Gradients for operations of candle that have none.
//!
//! candle runs a fused operation with `apply_op*_no_bwd`, and its kernels can't be named from outside, so that no operation
//! of another crate can delegate to them. What can be done: let candle compute the value off the autograd graph, and give
//! it a place on the graph as the result of an operation that computes nothing, but knows the gradients. The value is
//! moved there, not copied.

use std::mem;
use std::sync::{Mutex, PoisonError};

use candle_core::backend::{BackendDevice, BackendStorage};
use candle_core::{
    CpuStorage, CudaStorage, CustomOp3, DType, InplaceOp1, Layout, MetalStorage, Result, Shape, Storage, Tensor, bail,
};

/// The gradients of an operation of `N` inputs.
pub(super) trait Backward<const N: usize>: Send + Sync + 'static {
    /// The operation's name, for errors.
    const NAME: &'static str;

    /// The gradient of each input that is [tracked](Tensor::track_op), in its shape and type: candle panics where one is
    /// missing. The others are `None`.
    ///
    /// Made of operations that have gradients themselves, and of the inputs as they are on the graph, so that second
    /// derivatives are right where candle is told to keep them (`CANDLE_GRAD_DO_NOT_DETACH`).
    fn backward(&self, inputs: [&Tensor; N], output: &Tensor, grad: &Tensor) -> Result<[Option<Tensor>; N]>;
}

/// What `fused` computes; with the gradients of `backward` if an input is tracked.
///
/// `fused` is one fused operation: its value is contiguous, and nobody else has it.
pub(super) fn differentiable<const N: usize, B: Backward<N>>(
    inputs: [&Tensor; N],
    backward: B,
    fused: impl FnOnce() -> Result<Tensor>,
) -> Result<Tensor> {
    const { assert!(N >= 1 && N <= 3, "candle knows operations of one to three inputs") };
    let value = fused()?;
    if !inputs.iter().any(|input| input.track_op()) {
        return Ok(value);
    }
    let known = Known::<B, N> { shape: value.shape().clone(), value: Slot::default(), backward };
    // In one dimension: candle takes the strides of a tensor without elements for an overlap.
    value.flatten_all()?.inplace_op1(&known.value)?;
    // Where there are fewer than three inputs the first stands for the others, and gets nothing for them.
    let input = |at: usize| inputs.get(at).copied().unwrap_or(inputs[0]);
    input(0).apply_op3(input(1), input(2), known)
}

/// `grad` if there is to be one.
pub(super) fn wanted(input: &Tensor, grad: impl FnOnce() -> Result<Tensor>) -> Result<Option<Tensor>> {
    input.track_op().then(grad).transpose()
}

/// In the type in which candle's composed operations compute: half precision in single.
pub(super) fn widened(x: &Tensor) -> Result<Tensor> {
    match x.dtype() {
        DType::F16 | DType::BF16 => x.to_dtype(DType::F32),
        _ => Ok(x.clone()),
    }
}

/// An operation whose result is known.
struct Known<B, const N: usize> {
    shape: Shape,
    value: Slot,
    backward: B,
}

impl<const N: usize, B: Backward<N>> CustomOp3 for Known<B, N> {
    fn name(&self) -> &'static str {
        B::NAME
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        match self.value.take() {
            Some(Storage::Cpu(value)) => Ok((value, self.shape.clone())),
            _ => bail!("the value of `{}` was not computed on the CPU, where its inputs are", B::NAME),
        }
    }

    fn cuda_fwd(
        &self,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        match self.value.take() {
            Some(Storage::Cuda(value)) => Ok((value, self.shape.clone())),
            _ => bail!("the value of `{}` was not computed by CUDA, where its inputs are", B::NAME),
        }
    }

    fn metal_fwd(
        &self,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
        _: &MetalStorage,
        _: &Layout,
    ) -> Result<(MetalStorage, Shape)> {
        match self.value.take() {
            Some(Storage::Metal(value)) => Ok((value, self.shape.clone())),
            _ => bail!("the value of `{}` was not computed by Metal, where its inputs are", B::NAME),
        }
    }

    fn bwd(
        &self,
        first: &Tensor,
        second: &Tensor,
        third: &Tensor,
        output: &Tensor,
        grad: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let inputs = [first, second, third];
        let grads = self.backward.backward(std::array::from_fn(|at| inputs[at]), output, grad)?;
        let mut grads = grads.into_iter();
        let mut next = || grads.next().flatten();
        Ok((next(), next(), next()))
    }
}

/// Holds what was moved out of a tensor, until it is moved into another.
#[derive(Default)]
struct Slot(Mutex<Option<Storage>>);

impl Slot {
    fn put(&self, value: Storage) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
    }

    fn take(&self) -> Option<Storage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Moves a tensor's storage out; one number stays in its place, so the tensor is of no use afterwards.
impl InplaceOp1 for Slot {
    fn name(&self) -> &'static str {
        "take"
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> Result<()> {
        self.put(Storage::Cpu(replaced(storage)?));
        Ok(())
    }

    fn cuda_fwd(&self, storage: &mut CudaStorage, _: &Layout) -> Result<()> {
        self.put(Storage::Cuda(replaced(storage)?));
        Ok(())
    }

    fn metal_fwd(&self, storage: &mut MetalStorage, _: &Layout) -> Result<()> {
        self.put(Storage::Metal(replaced(storage)?));
        Ok(())
    }
}

fn replaced<S: BackendStorage<Device: BackendDevice<Storage = S>>>(storage: &mut S) -> Result<S> {
    let one = storage.device().zeros_impl(&Shape::from(1), storage.dtype())?;
    Ok(mem::replace(storage, one))
}
