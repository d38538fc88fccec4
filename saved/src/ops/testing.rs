//! What tests of operations are written with.

use candle_core::{Device, Tensor};

use crate::data::Data;
use crate::proto::NodeDef;

/// An attribute.
#[derive(Clone, Copy, Debug)]
pub(crate) enum A<'a> {
    Int(i64),
    Float(f32),
    Bool(bool),
    Str(&'a str),
    Type(i64),
    Ints(&'a [i64]),
}

fn put(out: &mut Vec<u8>, number: u64) {
    let mut left = number;
    while left >= 0x80 {
        out.push(left as u8 | 0x80);
        left >>= 7;
    }
    out.push(left as u8);
}

fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put(out, field << 3 | 2);
    put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_int(out: &mut Vec<u8>, field: u64, value: i64) {
    put(out, field << 3);
    put(out, value.cast_unsigned());
}

/// A node with these attributes, as it stands in a file.
fn node(attrs: &[(&str, A<'_>)]) -> Vec<u8> {
    let mut node = Vec::new();
    for (name, attr) in attrs {
        let mut value = Vec::new();
        match attr {
            A::Int(v) => put_int(&mut value, 3, *v),
            A::Float(v) => {
                put(&mut value, 4 << 3 | 5);
                value.extend(v.to_le_bytes());
            }
            A::Bool(v) => put_int(&mut value, 5, i64::from(*v)),
            A::Str(v) => put_bytes(&mut value, 2, v.as_bytes()),
            A::Type(v) => put_int(&mut value, 6, *v),
            A::Ints(v) => {
                let mut packed = Vec::new();
                v.iter().for_each(|v| put(&mut packed, v.cast_unsigned()));
                let mut list = Vec::new();
                put_bytes(&mut list, 3, &packed);
                put_bytes(&mut value, 1, &list);
            }
        }
        let mut entry = Vec::new();
        put_bytes(&mut entry, 1, name.as_bytes());
        put_bytes(&mut entry, 2, &value);
        put_bytes(&mut node, 5, &entry);
    }
    node
}

/// What an operation gives.
pub(crate) fn outputs(op: &str, attrs: &[(&str, A<'_>)], inputs: impl AsRef<[Tensor]>) -> crate::Result<Vec<Tensor>> {
    let inputs: Vec<Data> = inputs.as_ref().iter().cloned().map(Data::Tensor).collect();
    data(op, attrs, &inputs)?.iter().map(|output| output.tensor().cloned()).collect()
}

/// The same, of lists too.
pub(crate) fn data(op: &str, attrs: &[(&str, A<'_>)], inputs: &[Data]) -> crate::Result<Vec<Data>> {
    let bytes = node(attrs);
    let node = NodeDef::parse(&bytes)?;
    super::make(op, &node.attrs).unwrap_or_else(|| panic!("`{op}` is not in the table"))?.call(
        inputs,
        usize::MAX,
        |_| false,
    )
}

/// Whether there is a kernel for an operation that is told this, and whether one is said to be.
pub(crate) fn made_and_checked(op: &str, attrs: &[(&str, A<'_>)]) -> (bool, bool) {
    let bytes = node(attrs);
    let node = NodeDef::parse(&bytes).unwrap();
    let made = super::make(op, &node.attrs).unwrap_or_else(|| panic!("`{op}` is not in the table"));
    (made.is_ok(), taper_saved_structure::operations::check(op, &node.attrs).is_ok())
}

/// The one value that an operation gives.
pub(crate) fn output(op: &str, attrs: &[(&str, A<'_>)], inputs: impl AsRef<[Tensor]>) -> Tensor {
    let mut outputs = outputs(op, attrs, inputs).unwrap_or_else(|error| panic!("`{op}`: {error}"));
    assert_eq!(outputs.len(), 1, "{op}");
    outputs.remove(0)
}

/// Floats of a shape.
pub(crate) fn f(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

/// Integers of a shape.
pub(crate) fn i(shape: &[usize], values: &[i64]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

/// Truth values of a shape.
pub(crate) fn b(shape: &[usize], values: &[u8]) -> Tensor {
    Tensor::from_slice(values, shape, &Device::Cpu).unwrap()
}

/// Rising floats from 1, of a shape.
pub(crate) fn rising(shape: &[usize]) -> Tensor {
    let values: Vec<f32> = (1..=shape.iter().product::<usize>()).map(|value| value as f32).collect();
    f(shape, &values)
}

/// Shape and values.
pub(crate) fn flat(x: &Tensor) -> (Vec<usize>, Vec<f64>) {
    let values = x.to_dtype(candle_core::DType::F64).unwrap().flatten_all().unwrap().to_vec1().unwrap();
    (x.dims().to_vec(), values)
}

/// Compares with what TensorFlow gives.
#[track_caller]
pub(crate) fn same(x: &Tensor, shape: &[usize], values: &[f64]) {
    let (dims, found) = flat(x);
    assert_eq!(dims, shape);
    assert_eq!(found.len(), values.len());
    for (place, (found, value)) in found.iter().zip(values).enumerate() {
        let near = (found - value).abs() <= 1e-5 * (1. + value.abs()) || found.is_nan() && value.is_nan();
        assert!(near || found == value, "{found} for {value} at {place}: {x}");
    }
}
