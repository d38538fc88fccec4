//! Lists of tensors, which loops read from and write to.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::{Build, Compute, int, ints, of_lists, room, room_for, size};
use crate::data::{Data, List};
use crate::dtype::Type;
use crate::proto::Attrs;
use crate::{Error, Result};

pub(super) const OPERATIONS: &[(&str, Build)] = &[
    ("EmptyTensorList", |_| {
        of_lists(|inputs| {
            let [shape, _] = super::take(inputs)?;
            list(Vec::new(), known(shape)?)
        })
    }),
    ("TensorListReserve", |_| {
        of_lists(|inputs| {
            let [shape, len] = super::take(inputs)?;
            let len = size(int(len.tensor()?)?)?;
            room(&[len])?;
            list(vec![None; len], known(shape)?)
        })
    }),
    ("TensorListFromTensor", |_| {
        of_lists(|inputs| {
            let [x, shape] = super::take(inputs)?;
            let x = x.tensor()?;
            let len = *x.dims().first().ok_or_else(|| Error::Msg("a number is no list".to_owned()))?;
            room_for(len)?;
            list((0..len).map(|at| x.get(at).map(Some)).collect::<Result<_>>()?, known(shape)?)
        })
    }),
    ("TensorListLength", |_| {
        of_lists(|inputs| {
            let [list] = super::take(inputs)?;
            Ok(vec![Data::Tensor(Tensor::new(list.list()?.items.len() as i64, &Device::Cpu)?)])
        })
    }),
    ("TensorListGetItem", get_item),
    ("TensorListSetItem", set_item),
    ("TensorListPushBack", |_| {
        of_lists(|inputs| {
            let [own, item] = super::take(inputs)?;
            let own = own.list()?;
            let mut items = own.items.to_vec();
            items.push(Some(item.tensor()?.clone()));
            list(items, own.shape.clone())
        })
    }),
    ("TensorListPopBack", pop_back),
    ("TensorListStack", stack),
    ("TensorListGather", gather),
    ("TensorListScatterV2", |_| {
        of_lists(|inputs| {
            let [x, places, shape, len] = super::take(inputs)?;
            let len = int(len.tensor()?)?.max(0);
            room(&[size(len)?])?;
            scatter(x, places, vec![None; size(len)?], known(shape)?)
        })
    }),
    ("TensorListScatter", |_| {
        of_lists(|inputs| {
            let [x, places, shape] = super::take(inputs)?;
            scatter(x, places, Vec::new(), known(shape)?)
        })
    }),
    ("TensorListScatterIntoExistingList", |_| {
        of_lists(|inputs| {
            let [own, x, places] = super::take(inputs)?;
            let own = own.list()?;
            scatter(x, places, own.items.to_vec(), own.shape.clone())
        })
    }),
    ("TensorListSplit", |_| of_lists(split)),
    // TensorFlow 1's lists: a handle, and a flow that passes from one to the next; here the flow is the list.
    ("TensorArrayV3", array),
    ("TensorArrayWriteV3", |_| {
        of_lists(|inputs| {
            let [_, at, item, own] = super::take(inputs)?;
            write(own.list()?, at, item, true)
        })
    }),
    ("TensorArrayReadV3", |attrs| {
        let dtype = typed(attrs)?;
        of_lists(move |inputs| {
            let [_, at, own] = super::take(inputs)?;
            let own = own.list()?;
            let shape = Data::Tensor(Tensor::new(-1i64, &Device::Cpu)?);
            Ok(vec![Data::Tensor(match &own.items[place(own.items.len(), at)?] {
                Some(item) => item.clone(),
                None => zeros(own, &shape, dtype)?,
            })])
        })
    }),
    ("TensorArrayGatherV3", |attrs| {
        let dtype = typed(attrs)?;
        of_lists(move |inputs| {
            let [_, places, own] = super::take(inputs)?;
            let shape = Data::Tensor(Tensor::new(-1i64, &Device::Cpu)?);
            taken(own.list()?, places, &shape, dtype)
        })
    }),
    ("TensorArrayScatterV3", |_| {
        of_lists(|inputs| {
            let [_, places, x, own] = super::take(inputs)?;
            let own = own.list()?;
            scatter(x, places, own.items.to_vec(), own.shape.clone())
        })
    }),
    ("TensorArraySizeV3", |_| {
        of_lists(|inputs| {
            let [_, own] = super::take(inputs)?;
            Ok(vec![Data::Tensor(Tensor::new(own.list()?.items.len() as i64, &Device::Cpu)?)])
        })
    }),
    ("TensorArrayConcatV3", |_| {
        of_lists(|inputs| {
            let [_, own] = super::take(inputs)?;
            concat(&[own.clone(), own.clone()])
        })
    }),
    ("TensorListConcatV2", |_| of_lists(concat)),
    ("TensorListConcat", |_| of_lists(concat)),
    ("TensorListResize", |_| {
        of_lists(|inputs| {
            let [own, len] = super::take(inputs)?;
            let (own, len) = (own.list()?, size(int(len.tensor()?)?)?);
            room(&[len])?;
            let mut items = own.items.to_vec();
            items.resize(len, None);
            list(items, own.shape.clone())
        })
    }),
    ("TensorListElementShape", |_| {
        of_lists(|inputs| {
            let [own] = super::take(inputs)?;
            let shape = match &own.list()?.shape {
                Some(shape) => Tensor::from_vec(shape.to_vec(), shape.len(), &Device::Cpu)?,
                None => Tensor::new(-1i64, &Device::Cpu)?,
            };
            Ok(vec![Data::Tensor(shape)])
        })
    }),
];

fn list(items: Vec<Option<Tensor>>, shape: Option<Arc<[i64]>>) -> Result<Vec<Data>> {
    Ok(vec![Data::List(List { items: Arc::new(items), shape })])
}

/// The sizes of an element. One number, which is -1, says that nothing is known of them.
fn known(shape: &Data) -> Result<Option<Arc<[i64]>>> {
    let shape = shape.tensor()?;
    Ok(if shape.rank() == 0 { None } else { Some(ints(shape)?.into()) })
}

/// What stands at a place that nothing was written to: zeros, of the shape that something tells.
fn zeros(list: &List, shape: &Data, dtype: DType) -> Result<Tensor> {
    if let Some(item) = list.items.iter().flatten().next() {
        return Tensor::zeros(item.shape(), dtype, item.device());
    }
    let shapes = [known(shape)?, list.shape.clone()];
    let whole = shapes.iter().flatten().find(|shape| shape.iter().all(|size| *size >= 0));
    let Some(whole) = whole else {
        return Err(Error::Msg("nothing was written there, and nothing says of what shape it is".to_owned()));
    };
    let sizes: Vec<usize> = whole.iter().map(|own| size(*own)).collect::<Result<_>>()?;
    room(&sizes)?;
    Tensor::zeros(sizes, dtype, &Device::Cpu)
}

fn element(attrs: &Attrs<'_>) -> Result<DType> {
    Type::of(attrs.ty("element_dtype")?.unwrap_or(0)).held()
}

fn place(len: usize, at: &Data) -> Result<usize> {
    inside(len, int(at.tensor()?)?)
}

fn inside(len: usize, at: i64) -> Result<usize> {
    let found = usize::try_from(at).ok().filter(|at| *at < len);
    found.ok_or_else(|| Error::Msg(format!("there is no place {at} in a list of {len}")))
}

fn get_item(attrs: &Attrs<'_>) -> Result<Compute> {
    let dtype = element(attrs)?;
    of_lists(move |inputs| {
        let [list, at, shape] = super::take(inputs)?;
        let list = list.list()?;
        Ok(vec![Data::Tensor(match &list.items[place(list.items.len(), at)?] {
            Some(item) => item.clone(),
            None => zeros(list, shape, dtype)?,
        })])
    })
}

fn set_item(attrs: &Attrs<'_>) -> Result<Compute> {
    let grows = attrs.bool("resize_if_index_out_of_bounds")?;
    of_lists(move |inputs| {
        let [own, at, item] = super::take(inputs)?;
        write(own.list()?, at, item, grows)
    })
}

/// With an element in its place; whether a list that is too short grows.
fn write(own: &List, at: &Data, item: &Data, grows: bool) -> Result<Vec<Data>> {
    let mut items = own.items.to_vec();
    if grows {
        let len = size(int(at.tensor()?)?)?.saturating_add(1);
        room(&[len])?;
        items.resize(items.len().max(len), None);
    }
    let at = place(items.len(), at)?;
    items[at] = Some(item.tensor()?.clone());
    list(items, own.shape.clone())
}

fn pop_back(attrs: &Attrs<'_>) -> Result<Compute> {
    let dtype = element(attrs)?;
    of_lists(move |inputs| {
        let [own, shape] = super::take(inputs)?;
        let own = own.list()?;
        let Some((last, rest)) = own.items.split_last() else {
            return Err(Error::Msg("the list is empty".to_owned()));
        };
        let last = match last {
            Some(last) => last.clone(),
            None => zeros(own, shape, dtype)?,
        };
        let mut given = list(rest.to_vec(), own.shape.clone())?;
        given.push(Data::Tensor(last));
        Ok(given)
    })
}

fn stack(attrs: &Attrs<'_>) -> Result<Compute> {
    let dtype = element(attrs)?;
    of_lists(move |inputs| {
        let [list, shape] = super::take(inputs)?;
        let list = list.list()?;
        if list.items.is_empty() {
            let sizes = zeros(list, shape, dtype)?.dims().to_vec();
            return Ok(vec![Data::Tensor(Tensor::zeros([&[0], &sizes[..]].concat(), dtype, &Device::Cpu)?)]);
        }
        let items = list.items.iter().map(Option::as_ref);
        Ok(vec![Data::Tensor(together(items.map(Ok), || zeros(list, shape, dtype))?)])
    })
}

/// The elements at some places.
fn gather(attrs: &Attrs<'_>) -> Result<Compute> {
    let dtype = element(attrs)?;
    of_lists(move |inputs| {
        let [list, places, shape] = super::take(inputs)?;
        taken(list.list()?, places, shape, dtype)
    })
}

fn typed(attrs: &Attrs<'_>) -> Result<DType> {
    Type::of(attrs.ty("dtype")?.unwrap_or(0)).held()
}

/// A list of TensorFlow 1, as its handle and as its flow.
fn array(attrs: &Attrs<'_>) -> Result<Compute> {
    let shape = match attrs.get("element_shape")? {
        Some(crate::proto::Attr::Shape(shape)) => shape.0,
        _ => None,
    };
    of_lists(move |inputs| {
        let [len] = super::take(inputs)?;
        let len = size(int(len.tensor()?)?)?;
        room(&[len])?;
        let list = Data::List(List { items: Arc::new(vec![None; len]), shape: shape.clone().map(Into::into) });
        Ok(vec![list.clone(), list])
    })
}

fn taken(list: &List, places: &Data, shape: &Data, dtype: DType) -> Result<Vec<Data>> {
    let places = all_ints(places)?;
    let joined = match places.is_empty() {
        true => Tensor::zeros([&[0], zeros(list, shape, dtype)?.dims()].concat(), dtype, &Device::Cpu)?,
        false => {
            let items = places.iter().map(|at| Ok(list.items[inside(list.items.len(), *at)?].as_ref()));
            together(items, || zeros(list, shape, dtype))?
        }
    };
    Ok(vec![Data::Tensor(joined)])
}

/// Elements one behind the other, along an axis of their own; one is made for all places that nothing was written to.
fn together<'a>(
    items: impl Iterator<Item = Result<Option<&'a Tensor>>>,
    zeros: impl Fn() -> Result<Tensor>,
) -> Result<Tensor> {
    let mut zero = None;
    let mut all = Vec::new();
    let mut count = 0usize;
    for item in items {
        let item = match item? {
            Some(item) => item,
            None => match &zero {
                Some(zero) => zero,
                None => zero.insert(zeros()?),
            },
        };
        count = count.saturating_add(item.elem_count());
        all.push(item.clone());
    }
    room(&[count])?;
    Tensor::stack(&all, 0)
}

fn all_ints(x: &Data) -> Result<Vec<i64>> {
    x.tensor()?.flatten_all()?.to_vec1::<i64>()
}

/// The elements of a tensor, put at places of a list.
fn scatter(x: &Data, places: &Data, mut items: Vec<Option<Tensor>>, shape: Option<Arc<[i64]>>) -> Result<Vec<Data>> {
    let (x, places) = (x.tensor()?, all_ints(places)?);
    if x.dims().first() != Some(&places.len()) {
        return Err(Error::Msg(format!("{} places for the elements of {:?}", places.len(), x.dims())));
    }
    for (from, at) in places.into_iter().enumerate() {
        let len = size(at)?.saturating_add(1);
        room(&[len])?;
        items.resize(items.len().max(len), None);
        items[len - 1] = Some(x.get(from)?);
    }
    list(items, shape)
}

/// A tensor in parts along its first axis, of the given lengths.
fn split(inputs: &[Data]) -> Result<Vec<Data>> {
    let [x, shape, lens] = super::take(inputs)?;
    let (x, lens) = (x.tensor()?, all_ints(lens)?.into_iter().map(size).collect::<Result<Vec<_>>>()?);
    let sum = lens.iter().try_fold(0usize, |sum, len| sum.checked_add(*len));
    if x.dims().first().copied() != sum {
        return Err(Error::Msg(format!("{:?} can't be split into {lens:?}", x.dims())));
    }
    let mut first = 0;
    let items = lens.into_iter().map(|len| {
        let part = x.narrow(0, first, len)?;
        first += len;
        Ok(Some(part))
    });
    list(items.collect::<Result<_>>()?, known(shape)?)
}

/// The elements one behind the other along their first axis, and how long each is.
fn concat(inputs: &[Data]) -> Result<Vec<Data>> {
    let (Some(own), Some(_)) = (inputs.first(), inputs.get(1)) else {
        return Err(Error::Msg("it takes a list and a shape".to_owned()));
    };
    let items: Option<Vec<Tensor>> = own.list()?.items.iter().cloned().collect();
    let Some(items) = items.filter(|items| !items.is_empty() && items.iter().all(|item| item.rank() > 0)) else {
        return Err(Error::Msg("it has elements that nothing was written to, or none, or numbers".to_owned()));
    };
    let lens: Vec<i64> = items.iter().map(|item| item.dims()[0] as i64).collect();
    Ok(vec![Data::Tensor(Tensor::cat(&items, 0)?), Data::Tensor(Tensor::from_vec(lens, items.len(), &Device::Cpu)?)])
}

#[cfg(test)]
mod tests {
    use super::super::testing::{f, i, same};
    use super::*;

    fn call(op: &str, attrs: &[(&str, super::super::testing::A<'_>)], inputs: &[Data]) -> Result<Vec<Data>> {
        super::super::testing::data(op, attrs, inputs)
    }

    #[test]
    fn what_is_written_is_read() {
        let float = [("element_dtype", super::super::testing::A::Type(1))];
        let tensor = |x: Tensor| Data::Tensor(x);
        let unknown = tensor(i(&[1], &[-1]));
        let mut list = call("TensorListReserve", &[], &[unknown.clone(), tensor(i(&[], &[3]))]).unwrap().remove(0);
        assert!(call("TensorListStack", &float, &[list.clone(), unknown.clone()]).is_err());
        list = call("TensorListSetItem", &[], &[list, tensor(i(&[], &[1])), tensor(f(&[2], &[1., 2.]))])
            .unwrap()
            .remove(0);
        let stacked = call("TensorListStack", &float, &[list.clone(), unknown.clone()]).unwrap().remove(0);
        same(stacked.tensor().unwrap(), &[3, 2], &[0., 0., 1., 2., 0., 0.]);
        let item = call("TensorListGetItem", &float, &[list.clone(), tensor(i(&[], &[1])), unknown.clone()]).unwrap();
        same(item[0].tensor().unwrap(), &[2], &[1., 2.]);
        for place in [3, -1] {
            assert!(
                call("TensorListGetItem", &float, &[list.clone(), tensor(i(&[], &[place])), unknown.clone()]).is_err()
            );
        }
        let list = call("TensorListPushBack", &[], &[list, tensor(f(&[2], &[7., 8.]))]).unwrap().remove(0);
        let popped = call("TensorListPopBack", &float, &[list, unknown]).unwrap();
        same(popped[1].tensor().unwrap(), &[2], &[7., 8.]);
        assert_eq!(popped[0].list().unwrap().items.len(), 3);
    }
    #[test]
    fn lists_are_split_joined_and_put_together() {
        use super::super::testing::{A, rising};
        let float = [("element_dtype", A::Type(1))];
        let tensor = |x: Tensor| Data::Tensor(x);
        let unknown = tensor(i(&[1], &[-1]));
        let lens = tensor(i(&[2], &[1, 2]));
        let list = call("TensorListSplit", &[], &[tensor(rising(&[3])), unknown.clone(), lens]).unwrap().remove(0);
        let joined =
            call("TensorListConcatV2", &float, &[list.clone(), unknown.clone(), tensor(i(&[0], &[]))]).unwrap();
        same(joined[0].tensor().unwrap(), &[3], &[1., 2., 3.]);
        same(joined[1].tensor().unwrap(), &[2], &[1., 2.]);
        let places = || tensor(i(&[2], &[2, 0]));
        let put = [tensor(rising(&[2, 1])), places(), unknown.clone(), tensor(i(&[], &[-1]))];
        let list = call("TensorListScatterV2", &[], &put).unwrap().remove(0);
        assert_eq!(list.list().unwrap().items.len(), 3);
        let taken = call("TensorListGather", &float, &[list.clone(), places(), unknown.clone()]).unwrap();
        same(taken[0].tensor().unwrap(), &[2, 1], &[1., 2.]);
        let far = [list, tensor(i(&[], &[4])), tensor(rising(&[1]))];
        assert!(call("TensorListSetItem", &[], &far).is_err());
        let grows = [("resize_if_index_out_of_bounds", A::Bool(true))];
        assert_eq!(call("TensorListSetItem", &grows, &far).unwrap()[0].list().unwrap().items.len(), 5);
        let split = [tensor(rising(&[3])), unknown, tensor(i(&[1], &[2]))];
        assert!(call("TensorListSplit", &[], &split).is_err());
    }

    #[test]
    fn lists_of_tensorflow_1_flow() {
        use super::super::testing::{A, rising};
        let tensor = |x: Tensor| Data::Tensor(x);
        let float = [("dtype", A::Type(1))];
        let list = call("TensorArrayV3", &float, &[tensor(i(&[], &[2]))]).unwrap();
        let [handle, flow] = &list[..] else { unreachable!() };
        let put = [handle.clone(), tensor(i(&[1], &[1])), tensor(rising(&[1, 2])), flow.clone()];
        let flow = call("TensorArrayScatterV3", &float, &put).unwrap().remove(0);
        let put = [handle.clone(), tensor(i(&[], &[0])), tensor(f(&[2], &[8., 9.])), flow];
        let flow = call("TensorArrayWriteV3", &float, &put).unwrap().remove(0);
        let read = call("TensorArrayReadV3", &float, &[handle.clone(), tensor(i(&[], &[1])), flow.clone()]).unwrap();
        same(read[0].tensor().unwrap(), &[2], &[1., 2.]);
        let all = [handle.clone(), tensor(i(&[2], &[0, 1])), flow.clone()];
        let all = call("TensorArrayGatherV3", &float, &all).unwrap();
        same(all[0].tensor().unwrap(), &[2, 2], &[8., 9., 1., 2.]);
        let size = call("TensorArraySizeV3", &[], &[handle.clone(), flow.clone()]).unwrap();
        same(size[0].tensor().unwrap(), &[], &[2.]);
        assert!(call("TensorArrayReadV3", &float, &[handle.clone(), tensor(i(&[], &[2])), flow]).is_err());
    }
}
