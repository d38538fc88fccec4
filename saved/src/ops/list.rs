//! Lists of tensors, which loops read from and write to.

use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::{Build, Compute, int, ints, of_lists, room, size};
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
    ("TensorListSetItem", |_| of_lists(set_item)),
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

fn place(list: &List, at: &Data) -> Result<usize> {
    let at = int(at.tensor()?)?;
    let found = usize::try_from(at).ok().filter(|at| *at < list.items.len());
    found.ok_or_else(|| Error::Msg(format!("there is no place {at} in a list of {}", list.items.len())))
}

fn get_item(attrs: &Attrs<'_>) -> Result<Compute> {
    let dtype = element(attrs)?;
    of_lists(move |inputs| {
        let [list, at, shape] = super::take(inputs)?;
        let list = list.list()?;
        Ok(vec![Data::Tensor(match &list.items[place(list, at)?] {
            Some(item) => item.clone(),
            None => zeros(list, shape, dtype)?,
        })])
    })
}

fn set_item(inputs: &[Data]) -> Result<Vec<Data>> {
    let [own, at, item] = super::take(inputs)?;
    let own = own.list()?;
    let at = place(own, at)?;
    let mut items = own.items.to_vec();
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
        let items = list.items.iter().map(|item| match item {
            Some(item) => Ok(item.clone()),
            None => zeros(list, shape, dtype),
        });
        Ok(vec![Data::Tensor(Tensor::stack(&items.collect::<Result<Vec<_>>>()?, 0)?)])
    })
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
}
