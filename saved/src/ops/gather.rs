//! Elements that are chosen: by their places or by a condition.

use candle_core::{DType, Tensor};

use super::{Build, Compute, axis, broadcast, int, many, size, three, two};
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("Gather", |_| two(|x, places| gather(x, places, 0))),
    ("ResourceGather", |_| two(|x, places| gather(x, places, 0))),
    ("GatherV2", gather_v2),
    ("GatherNd", |_| two(gather_nd)),
    ("OneHot", one_hot),
    ("Select", |_| three(select_rows)),
    ("SelectV2", |_| three(select)),
];

/// The elements at these places along an axis.
fn gather(x: &Tensor, places: &Tensor, axis: usize) -> Result<Tensor> {
    let len = x.dim(axis)?;
    let flat = places.flatten_all()?;
    let wrong = flat.to_vec1::<i64>()?.into_iter().find(|place| !(0..len as i64).contains(place));
    if let Some(place) = wrong {
        let places = match len.checked_sub(1) {
            Some(last) => format!("the places are 0 to {last}"),
            None => "there are none".to_owned(),
        };
        return Err(Error::Msg(format!("there is no element {place} along axis {axis} of {:?}: {places}", x.dims())));
    }
    let mut sizes = x.dims().to_vec();
    sizes.splice(axis..=axis, places.dims().iter().copied());
    super::room(&sizes)?;
    x.contiguous()?.index_select(&flat, axis)?.reshape(sizes)
}

fn gather_v2(attrs: &Attrs<'_>) -> Result<Compute> {
    let batch = attrs.int("batch_dims")?.unwrap_or(0);
    three(move |x, places, along| {
        let axis = axis(int(along)?, x.rank())?;
        let batch = if batch < 0 { size(batch + places.rank() as i64)? } else { size(batch)? };
        if batch == 0 {
            return gather(x, places, axis);
        }
        if batch > axis || batch > places.rank() || x.dims()[..batch] != places.dims()[..batch] {
            return Err(Error::Msg(format!("{:?} and {:?} have no {batch} axes in common", x.dims(), places.dims())));
        }
        // Each of the batch by itself.
        let fold = |x: &Tensor| x.reshape([&[x.dims()[..batch].iter().product()], &x.dims()[batch..]].concat());
        let (folded, folded_places) = (fold(x)?, fold(places)?);
        super::room_for(folded.dims()[0])?;
        let parts = (0..folded.dims()[0])
            .map(|at| gather(&folded.get(at)?, &folded_places.get(at)?, axis - batch))
            .collect::<Result<Vec<_>>>()?;
        if parts.is_empty() {
            return Err(Error::Msg("there is nothing to choose from".to_owned()));
        }
        let parts = Tensor::stack(&parts, 0)?;
        parts.reshape([&x.dims()[..batch], &parts.dims()[1..]].concat())
    })
}

/// The parts at these places along the first axes.
fn gather_nd(x: &Tensor, places: &Tensor) -> Result<Tensor> {
    let depth = *places.dims().last().ok_or_else(|| Error::Msg("a place has at least one axis".to_owned()))?;
    if depth > x.rank() || depth == 0 {
        return Err(Error::Msg(format!("{depth} numbers are no place in {:?}", x.dims())));
    }
    let (outer, inner) = x.dims().split_at(depth);
    let numbers = places.flatten_all()?.to_vec1::<i64>()?;
    let mut flat = Vec::new();
    for place in numbers.chunks(depth) {
        let mut at = 0;
        for (place, len) in place.iter().zip(outer) {
            let place = usize::try_from(*place).ok().filter(|place| place < len);
            let place = place.ok_or_else(|| Error::Msg(format!("a place lies outside of {:?}", x.dims())))?;
            at = at * len + place;
        }
        flat.push(at as i64);
    }
    let rows = x.reshape([&[outer.iter().product()], inner].concat())?;
    let sizes = [&places.dims()[..places.rank() - 1], inner].concat();
    super::room(&sizes)?;
    rows.contiguous()?.index_select(&Tensor::new(flat, x.device())?, 0)?.reshape(sizes)
}

fn one_hot(attrs: &Attrs<'_>) -> Result<Compute> {
    let along = attrs.int("axis")?.unwrap_or(-1);
    many(move |inputs| {
        let [places, depth, on, off] = super::take(inputs)?;
        let depth = size(int(depth)?)?;
        let axis = axis(along, places.rank() + 1)?;
        let mut sizes = places.dims().to_vec();
        sizes.insert(axis, depth);
        super::room(&sizes)?;
        let mut counted = vec![1; sizes.len()];
        counted[axis] = depth;
        let count = Tensor::arange(0, depth as i64, places.device())?.reshape(counted)?;
        let hot = places.unsqueeze(axis)?.broadcast_eq(&count)?;
        select(&hot, on, off)
    })
}

/// By every element's own condition, all three being broadcast.
fn select(condition: &Tensor, yes: &Tensor, no: &Tensor) -> Result<Tensor> {
    let sizes = broadcast(&broadcast(condition.dims(), yes.dims())?, no.dims())?;
    let all = |x: &Tensor| x.broadcast_as(sizes.as_slice())?.contiguous();
    all(&condition.to_dtype(DType::U8)?)?.where_cond(&all(yes)?, &all(no)?)
}

/// The same, a condition of one axis being of whole rows.
fn select_rows(condition: &Tensor, yes: &Tensor, no: &Tensor) -> Result<Tensor> {
    if condition.rank() == 1 && yes.rank() > 1 {
        let mut sizes = vec![1; yes.rank()];
        sizes[0] = condition.elem_count();
        return select(&condition.reshape(sizes)?, yes, no);
    }
    select(condition, yes, no)
}

#[cfg(test)]
mod tests {
    use super::super::testing::{A, b, f, i, output, outputs, rising, same};

    #[test]
    fn elements_are_found_by_their_places() {
        let x = rising(&[2, 3]);
        let along =
            |axis, places: &candle_core::Tensor| output("GatherV2", &[], &[x.clone(), places.clone(), i(&[], &[axis])]);
        same(&along(1, &i(&[2], &[2, 0])), &[2, 2], &[3., 1., 6., 4.]);
        same(&along(0, &i(&[], &[1])), &[3], &[4., 5., 6.]);
        let batch = [("batch_dims", A::Int(1))];
        same(&output("GatherV2", &batch, &[x.clone(), i(&[2, 1], &[2, 0]), i(&[], &[1])]), &[2, 1], &[3., 4.]);
        same(&output("GatherNd", &[], &[x.clone(), i(&[2, 2], &[0, 1, 1, 2])]), &[2], &[2., 6.]);
        same(&output("GatherNd", &[], &[x.clone(), i(&[1, 1], &[1])]), &[1, 3], &[4., 5., 6.]);
        same(&output("ResourceGather", &[], &[x.clone(), i(&[1, 1], &[1])]), &[1, 1, 3], &[4., 5., 6.]);
        for place in [3, -1] {
            assert!(outputs("GatherV2", &[], &[x.clone(), i(&[1], &[place]), i(&[], &[1])]).is_err());
            assert!(outputs("GatherNd", &[], &[x.clone(), i(&[1, 1], &[place])]).is_err());
        }
    }

    #[test]
    fn conditions_choose() {
        let (yes, no) = (rising(&[2, 2]), f(&[2, 2], &[-1., -2., -3., -4.]));
        same(&output("SelectV2", &[], &[b(&[2], &[1, 0]), yes.clone(), no.clone()]), &[2, 2], &[1., -2., 3., -4.]);
        same(&output("Select", &[], &[b(&[2], &[1, 0]), yes, no]), &[2, 2], &[1., 2., -3., -4.]);
        let hot = [i(&[2], &[1, 5]), i(&[], &[3]), f(&[], &[9.]), f(&[], &[0.])];
        same(&output("OneHot", &[], &hot), &[2, 3], &[0., 9., 0., 0., 0., 0.]);
        same(&output("OneHot", &[("axis", A::Int(0))], &hot), &[3, 2], &[0., 0., 9., 0., 0., 0.]);
    }
}
