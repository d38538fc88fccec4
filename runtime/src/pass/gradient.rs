//! Differentiation with respect to values in the middle: a zero that is a `Var` is added to each, and its gradient is
//! that of the value.

use std::any::Any;

use candle_core::backprop::GradStore;
use candle_core::{DType, Shape, Tensor, Var};

use super::change::Origin;
use super::{Pass, Slot, Slots};
use crate::bundle::for_tensors;
use crate::select::Reducer;
use crate::{Error, Result};

/// A value with a `Var` in each of its tensors.
pub(crate) struct Planted {
    /// The value that flows on, on the autograd graph.
    pub(crate) value: Slot,
    plants: Vec<Plant>,
    /// Makes another copy of the value.
    copy: fn(&dyn Any, bool) -> Slot,
}

/// The `Var` of one tensor, and how its dimensions go back to the tensor's where they are in another order.
struct Plant {
    var: Var,
    back: Option<Vec<usize>>,
}

/// What one reads of a differentiated run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    Values,
    Gradients,
}

/// Adds a `Var` to every tensor of a value.
pub(super) fn plant(value: &mut dyn Any, copy: fn(&dyn Any, bool) -> Slot) -> Result<Planted> {
    let mut plants = Vec::new();
    for_tensors(value, &mut |tensor| {
        if !tensor.dtype().is_float() {
            return Err(Error::Msg(format!(
                "its values are {:?}, and gradients are with respect to floating-point numbers only",
                tensor.dtype()
            )));
        }
        let (planted, plant) = with_var(tensor)?;
        *tensor = planted;
        plants.push(plant);
        Ok(())
    })?;
    if plants.is_empty() {
        return Err(Error::Msg("its value is not made of tensors, so that it has no gradient".to_owned()));
    }
    Ok(Planted { value: copy(value, true), plants, copy })
}

/// The tensor with a zero `Var` of the same shape added: bit for bit the same values, and of the same layout as far as
/// candle's kernels tell layouts apart, since which kernel comes next depends on it.
fn with_var(tensor: &Tensor) -> Result<(Tensor, Plant)> {
    let zeros = |shape: &Shape| {
        // −0.0 is what changes no number: +0.0 would turn −0.0 into +0.0.
        let zeros = match tensor.dtype() {
            DType::F64 => Tensor::full(-0f64, shape, tensor.device())?,
            dtype => Tensor::full(-0f32, shape, tensor.device())?.to_dtype(dtype)?,
        };
        Var::from_tensor(&zeros)
    };
    if tensor.is_contiguous() {
        let var = zeros(tensor.shape())?;
        return Ok(((tensor + var.as_tensor())?, Plant { var, back: None }));
    }
    // In the order of memory the tensor is contiguous, if it is a transposition of something that was.
    let mut order: Vec<usize> = (0..tensor.rank()).collect();
    order.sort_by_key(|&dim| std::cmp::Reverse((tensor.stride()[dim], tensor.dims()[dim])));
    let ordered = tensor.permute(order.as_slice())?;
    let whole = ordered.is_contiguous();
    let var = zeros(ordered.shape())?;
    let mut sum = (ordered + var.as_tensor())?;
    if !whole {
        // A part of something larger stays one: one more row, and the part without it.
        sum = within_larger(&sum)?;
    }
    let mut back = vec![0; order.len()];
    order.iter().enumerate().for_each(|(place, &dim)| back[dim] = place);
    let planted = sum.permute(back.as_slice())?;
    Ok((planted, Plant { var, back: Some(back) }))
}

/// A contiguous tensor as a part that is not, its values in place.
fn within_larger(tensor: &Tensor) -> Result<Tensor> {
    let last = tensor.rank().saturating_sub(1);
    let rest = tensor.narrow(last, 0, 1)?;
    Tensor::cat(&[tensor, &rest], last)?.narrow(last, 0, tensor.dim(last)?)
}

impl Planted {
    fn read(&self, what: Read, grads: &GradStore) -> Result<Option<Slot>> {
        let value = self.value.any().expect("a planted value is a value");
        let mut slot = (self.copy)(value, false);
        if what == Read::Values {
            return Ok(Some(slot));
        }
        let mut plants = self.plants.iter();
        let mut found = true;
        let mut gradient_of = |tensor: &mut Tensor| {
            let Plant { var, back } = plants.next().expect("one for each tensor");
            match (grads.get(var.as_tensor()), back) {
                (Some(gradient), None) => *tensor = gradient.detach(),
                (Some(gradient), Some(back)) => *tensor = gradient.detach().permute(back.as_slice())?,
                (None, _) => found = false,
            }
            Ok(())
        };
        match &mut slot {
            Slot::Tensor(tensor) => gradient_of(tensor)?,
            Slot::Other(value) => for_tensors(&mut **value, &mut gradient_of)?,
            _ => {}
        }
        Ok(found.then_some(slot))
    }
}

/// Values or gradients of a differentiated run, where they were planted.
pub(crate) fn read(
    slots: &Slots,
    what: Read,
    grads: &GradStore,
    reducers: &[Reducer<'_>],
    missing: &mut Vec<u32>,
) -> Result<Slots> {
    slots.rebuilt(|index, slot, reduced| match slot {
        Slot::Planted(planted) => {
            let Some(slot) = planted.read(what, grads)? else {
                missing.push(index);
                return Ok(Slot::Empty);
            };
            for reducer in reducers.iter().filter(|r| r.index == index) {
                let value = slot.any().expect("a value was read");
                reduced.push((reducer.key, reducer.reduce.reduce(value, false)?));
            }
            Ok(slot)
        }
        Slot::Frames(frames) => {
            let frames = frames.iter().map(|frame| read(frame, what, grads, reducers, missing));
            Ok(Slot::Frames(frames.collect::<Result<_>>()?))
        }
        _ => Ok(Slot::Empty),
    })
}

/// Whether any floating-point tensor of a value is on the autograd graph; `None` if it has none.
pub(crate) fn tracked(value: &dyn Any) -> Option<bool> {
    let of = |tensor: &Tensor| tensor.dtype().is_float().then(|| tensor.track_op());
    if let Some(tensor) = value.downcast_ref::<Tensor>() {
        return of(tensor);
    }
    let tensors = crate::bundle::tensors("", value)?;
    tensors.iter().filter_map(|(_, tensor)| of(tensor)).reduce(|a, b| a || b)
}

impl Pass<'_> {
    /// What a layer gives, if it has not lost the gradient of what it got.
    pub(crate) fn keeps_gradient<T: Any>(&self, x: &Tensor, value: T) -> Result<T> {
        if self.differentiated && x.track_op() && tracked(&value) == Some(false) {
            return Err(Error::Msg(
                "it drops the gradient: what it got is on the autograd graph, and what it gives is not".to_owned(),
            ));
        }
        Ok(value)
    }

    /// Notes for the body whether a value that flows on is on the graph.
    pub(super) fn now_tracked(&mut self, index: u32, tracked: Option<bool>) {
        let (Some(tracked), Some(body)) = (tracked, self.calls.last_mut()) else { return };
        body.tracked |= tracked;
        body.untracked |= !tracked;
        if body.site == Some(index) {
            body.output = Some(tracked);
        }
    }

    /// A value that is off the graph after others of the same body were on it has lost what it came from, if nothing else was
    /// off the graph that it could come from.
    pub(super) fn check_tracked(&mut self, index: u32, value: &dyn Any, origin: Origin) {
        let detached = std::mem::take(&mut self.detached);
        let (Some(tracked), Some(body)) = (tracked(value), self.calls.last()) else { return };
        let lost = body.tracked && !tracked && !detached && origin == Origin::Computed;
        let elsewhere = body.untracked;
        if !detached {
            self.now_tracked(index, Some(tracked));
        }
        if !lost {
            return;
        }
        if elsewhere {
            // It may come from what was never on the graph. If the loss turns out to be off it too, this is where.
            self.suspect.get_or_insert(index);
            return;
        }
        let name = self.model.names().of(index);
        self.fail(Error::Msg(format!(
            "`{name}` has lost its gradient: values before it are on the autograd graph, and it is not; candle's \
             `softmax_last_dim`, `rope`, `sdpa` and others drop gradients without a word: use those of `taper::ops`, and \
             write `#[tap(detached)]` on what is meant to be off the graph"
        )));
    }
}
