//! Room for what operations make. Where candle makes a tensor, memory that is not there ends the process, so that it is asked
//! for before.
//!
//! What an operation makes of its own accord is about as much as goes in, and that is asked for in one place, before every
//! operation. One that makes more asks itself, by [`room`] with the shape; if it forgets, that is an error in tests, its own and
//! `hostile.rs`, and while fuzzing.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use candle_core::Tensor;
use taper::__private::buffer;

use crate::data::Data;
use crate::limits::{ELEMENTS, FEW, GREAT, TENSORS, UNASKED};
use crate::{Error, Result, machine};

/// What is known while an operation computes.
struct Asked {
    /// Bytes of one element of the largest type that goes in.
    width: Cell<usize>,
    /// Bytes that one value may take.
    most: Cell<usize>,
    /// The most elements that were asked for.
    granted: Cell<usize>,
}

thread_local! {
    static ASKED: Asked = const { Asked { width: Cell::new(8), most: Cell::new(usize::MAX), granted: Cell::new(0) } };
}

/// Calls an operation. Whatever it makes may take `most` bytes; `fixed` says which of the inputs are weights and constants.
pub(super) fn within(
    inputs: &[Data],
    most: usize,
    fixed: impl Fn(usize) -> bool,
    f: impl FnOnce() -> Result<Vec<Data>>,
) -> Result<Vec<Data>> {
    // What computes does so in at least single precision.
    let mut width = if inputs.is_empty() { 8 } else { 4 };
    each(inputs, |x| width = width.max(x.dtype().size_in_bytes()));
    ASKED.with(|asked| {
        asked.width.set(width);
        asked.most.set(most);
        asked.granted.set(0);
    });
    room_for_as_many(inputs, fixed)?;
    let given = unbroken(f)?;
    if cfg!(any(test, fuzzing)) {
        let granted = ASKED.with(|asked| asked.granted.get()).saturating_add(FEW);
        let mut unasked = None;
        each(&given, |y| {
            if y.elem_count() > granted {
                unasked = Some(y.dims().to_vec());
            }
        });
        if let Some(sizes) = unasked {
            return Err(Error::Msg(format!("it gives {sizes:?}, and asked for no room: call `room` before")));
        }
    }
    Ok(given)
}

/// What a function gives. candle breaks off where it has no code for a type, such as the cosine of integers: that is the
/// graph's mistake, and no end of the program.
fn unbroken<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|payload| {
        let said = payload.downcast_ref::<String>().map(String::as_str).or(payload.downcast_ref::<&str>().copied());
        Err(Error::Msg(format!("it can't be computed of these values: {}", said.unwrap_or("no reason is told"))))
    })
}

fn each(all: &[Data], mut f: impl FnMut(&Tensor)) {
    for data in all {
        match data {
            Data::Tensor(x) => f(x),
            Data::List(list) => list.items.iter().flatten().for_each(&mut f),
        }
    }
}

/// That there is room for as many elements as go in, which is what most operations give. A constant of one value is not in
/// memory as large as it is, and neither is a value that is taken a hundred times. A weight that is, is only read: one that
/// there is no room for twice can be used all the same.
fn room_for_as_many(inputs: &[Data], fixed: impl Fn(usize) -> bool) -> Result<()> {
    let (mut all, mut made, mut whole) = (0usize, 0usize, Ok(0));
    // To look at a small value takes longer than to ask for it once more, and only a limit may have no room for that.
    let limited = ASKED.with(|asked| asked.most.get()) != usize::MAX;
    for (at, input) in inputs.iter().enumerate() {
        each(std::slice::from_ref(input), |x| {
            let elements = x.elem_count();
            if let Err(error) = count(x.dims()) {
                whole = Err(error);
            }
            all = all.saturating_add(elements);
            let is_there = || buffer(x).1 >= elements.saturating_mul(x.dtype().size_in_bytes());
            if (elements <= UNASKED && !limited) || !fixed(at) || !is_there() {
                made = made.saturating_add(elements);
            }
        });
    }
    whole?;
    room(&[made])?;
    grant(count(&[all])?);
    Ok(())
}

/// How many elements a value of a shape has, its sizes of 0 counted as 1: it has the others all the same, and may be taken
/// apart along them.
fn count(sizes: &[usize]) -> Result<usize> {
    let count = sizes.iter().try_fold(1usize, |count, size| count.checked_mul(*size.max(&1)));
    count
        .filter(|count| *count <= ELEMENTS)
        .ok_or_else(|| Error::Msg(format!("a value of {sizes:?} has more than {ELEMENTS} elements")))
}

fn grant(count: usize) {
    ASKED.with(|asked| asked.granted.set(asked.granted.get().max(count)));
}

/// The sizes of a value that is to be made, if there is room for it.
pub(super) fn room(sizes: &[usize]) -> Result<()> {
    let count = count(sizes)?;
    let (width, most) = ASKED.with(|asked| (asked.width.get(), asked.most.get()));
    let bytes = count.saturating_mul(width);
    if bytes > most {
        return Err(Error::Msg(format!(
            "a value of {sizes:?} takes {bytes} bytes, and the run may hold {most}; `memory_limit` allows more"
        )));
    }
    if bytes > UNASKED && !is_room(bytes) {
        return Err(Error::Msg(format!("there is no memory for a value of {sizes:?}")));
    }
    grant(count);
    Ok(())
}

/// That so many tensors can be made, or looked at one after the other.
pub(super) fn room_for(tensors: usize) -> Result<()> {
    match tensors <= TENSORS {
        true => Ok(()),
        false => Err(Error::Msg(format!("{tensors} tensors would be made, and it makes {TENSORS} at most"))),
    }
}

fn is_room(bytes: usize) -> bool {
    // Linux gives more than it has, and ends who uses it. It is asked where it may matter.
    Vec::<u8>::new().try_reserve_exact(bytes).is_ok()
        && (bytes < GREAT || machine::available().is_none_or(|available| bytes <= available))
}

#[cfg(test)]
mod tests {
    use super::super::testing::rising;
    use super::*;

    fn call(most: usize, f: impl FnOnce() -> Result<Vec<Data>>) -> std::result::Result<usize, String> {
        let given = within(&[Data::Tensor(rising(&[2, 2]))], most, |_| false, f);
        given.map(|given| given.len()).map_err(|error| error.to_string())
    }

    #[test]
    fn who_makes_more_than_goes_in_must_ask() {
        let great = || vec![Data::Tensor(rising(&[40, 40]))];
        assert!(call(usize::MAX, || Ok(great())).unwrap_err().contains("asked for no room"));
        assert_eq!(call(usize::MAX, || room(&[40, 40]).map(|()| great())), Ok(1));
        assert!(call(usize::MAX, || room(&[20, 40]).map(|()| great())).unwrap_err().contains("asked for no room"));
        assert_eq!(call(usize::MAX, || Ok(vec![Data::Tensor(rising(&[4]))])), Ok(1));
    }

    #[test]
    fn one_value_is_not_larger_than_all_may_be() {
        assert_eq!(call(6400, || room(&[40, 40]).map(|()| Vec::new())), Ok(0));
        let error = call(6399, || room(&[40, 40]).map(|()| Vec::new())).unwrap_err();
        assert!(error.contains("takes 6400 bytes") && error.contains("`memory_limit`"), "{error}");
        // Bytes for every element, of what there are none, too.
        assert!(call(usize::MAX, || room(&[0, 1 << 40]).map(|()| Vec::new())).is_err());
    }
}
