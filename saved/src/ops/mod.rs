//! The operations that can be computed: one table.
//!
//! To add one: write a function in the file whose idea it is, which reads the attributes and gives a function of the
//! tensors; put its name in the file's `OPERATIONS`, and in the list of `taper-saved-structure`, which macros read (a test
//! compares them); and add a line to the test of that file. An attribute that it does not take goes into `check` there.

mod binary;
mod blocks;
mod conv;
mod conv_back;
mod count;
mod curve;
mod diagonal;
mod einsum;
mod gather;
mod halves;
mod integer;
mod layout;
mod list;
mod loss;
mod matrix;
mod norm;
mod picture;
mod pool;
mod quantize;
mod rank;
mod reduce;
mod resize;
mod room;
mod scatter;
mod segment;
mod shape;
mod slice;
mod stitch;
mod unary;
mod volume;
mod window;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod testing;

use std::borrow::Cow;

use candle_core::Tensor;

use room::{room, room_for};

use crate::data::Data;
use crate::limits::NUMBERS;
use crate::proto::Attrs;
use crate::{Error, Result};

/// A function of values of a type.
type Function<T> = Box<dyn Fn(&[T]) -> Result<Vec<T>> + Send + Sync>;

/// An operation with its attributes: of the values that go in, those that come out.
pub(crate) enum Compute {
    /// Of tensors, as nearly all are.
    Tensors(Function<Tensor>),
    /// Of lists, too.
    Data(Function<Data>),
}

impl Compute {
    /// What it gives, of which no value may take more than `most` bytes; `fixed` says which of the inputs are weights and
    /// constants.
    pub(crate) fn call(&self, inputs: &[Data], most: usize, fixed: impl Fn(usize) -> bool) -> Result<Vec<Data>> {
        room::within(inputs, most, fixed, || {
            let inputs = &*in_one_place(inputs)?;
            match self {
                Compute::Data(f) => f(inputs),
                Compute::Tensors(f) => {
                    let inputs = inputs.iter().map(|input| input.tensor().cloned()).collect::<Result<Vec<_>>>()?;
                    Ok(f(&inputs)?.into_iter().map(Data::Tensor).collect())
                }
            }
        })
    }
}

/// The values on one device: some operations make shapes, places and the like on the CPU, which others take beside what is
/// elsewhere.
fn in_one_place(inputs: &[Data]) -> Result<Cow<'_, [Data]>> {
    let devices = || inputs.iter().flat_map(Data::tensors).map(Tensor::device);
    let Some(device) = devices().find(|device| !device.is_cpu()).cloned() else { return Ok(Cow::Borrowed(inputs)) };
    match devices().all(|other| other.same_device(&device)) {
        true => Ok(Cow::Borrowed(inputs)),
        false => inputs.iter().map(|input| input.to_device(&device)).collect(),
    }
}

/// Reads the attributes.
pub(crate) type Build = fn(&Attrs<'_>) -> Result<Compute>;

/// Operations by TensorFlow's names for them.
type Table = &'static [(&'static str, Build)];

/// Those that compute: values of half precision in single precision, rounded once, as TensorFlow does.
const COMPUTING: &[Table] = &[
    unary::OPERATIONS,
    binary::OPERATIONS,
    conv::OPERATIONS,
    conv_back::OPERATIONS,
    curve::OPERATIONS,
    einsum::OPERATIONS,
    loss::OPERATIONS,
    matrix::OPERATIONS,
    norm::OPERATIONS,
    picture::OPERATIONS,
    pool::OPERATIONS,
    quantize::OPERATIONS,
    reduce::OPERATIONS,
    segment::OPERATIONS,
    volume::OPERATIONS,
];

/// Those that move values about, or see to their types themselves.
const MOVING: &[Table] = &[
    unary::PASSING,
    blocks::OPERATIONS,
    count::OPERATIONS,
    diagonal::OPERATIONS,
    gather::OPERATIONS,
    list::OPERATIONS,
    rank::OPERATIONS,
    resize::OPERATIONS,
    scatter::OPERATIONS,
    shape::OPERATIONS,
    slice::OPERATIONS,
    stitch::OPERATIONS,
];

/// Those that are made for the channels last: which of the inputs are pictures, and which is a shape of pictures.
const PICTURES: &[(&str, &[usize], Option<usize>)] = &[
    ("Conv2D", &[0], None),
    ("DepthwiseConv2dNative", &[0], None),
    ("Conv2DBackpropInput", &[2], Some(0)),
    ("MaxPool", &[0], None),
    ("AvgPool", &[0], None),
    ("SpaceToDepth", &[0], None),
    ("DepthToSpace", &[0], None),
];

fn named(tables: &[Table], op: &str) -> Option<Build> {
    tables.iter().copied().flatten().find(|(name, _)| *name == op).map(|(_, build)| *build)
}

/// The operation of a name, with its attributes; `None` if it is not supported.
pub(crate) fn make(op: &str, attrs: &Attrs<'_>) -> Option<Result<Compute>> {
    let build = |attrs: &Attrs<'_>, build: Build| match PICTURES.iter().find(|(name, ..)| *name == op) {
        Some((_, inputs, sizes)) => layout::pictures(attrs, inputs, *sizes, build),
        None => build(attrs),
    };
    if let Some(found) = named(MOVING, op) {
        return Some(build(attrs, found));
    }
    Some(build(attrs, named(COMPUTING, op)?).map(halves::in_single))
}

/// The names of the operations that can be computed.
pub fn supported() -> impl Iterator<Item = &'static str> {
    COMPUTING.iter().chain(MOVING).copied().flatten().map(|(name, _)| *name)
}

/// Of one value, one.
fn one(f: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'static) -> Result<Compute> {
    several(move |inputs| {
        let [x] = take(inputs)?;
        Ok(vec![f(x)?])
    })
}

/// Of two values, one.
fn two(f: impl Fn(&Tensor, &Tensor) -> Result<Tensor> + Send + Sync + 'static) -> Result<Compute> {
    several(move |inputs| {
        let [a, b] = take(inputs)?;
        Ok(vec![f(a, b)?])
    })
}

/// Of three values, one.
fn three(f: impl Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor> + Send + Sync + 'static) -> Result<Compute> {
    several(move |inputs| {
        let [a, b, c] = take(inputs)?;
        Ok(vec![f(a, b, c)?])
    })
}

/// Of any number of values, one.
fn many(f: impl Fn(&[Tensor]) -> Result<Tensor> + Send + Sync + 'static) -> Result<Compute> {
    several(move |inputs| Ok(vec![f(inputs)?]))
}

/// Of any number of values, any number.
fn several(f: impl Fn(&[Tensor]) -> Result<Vec<Tensor>> + Send + Sync + 'static) -> Result<Compute> {
    Ok(Compute::Tensors(Box::new(f)))
}

/// Of any number of tensors and lists, any number.
fn of_lists(f: impl Fn(&[Data]) -> Result<Vec<Data>> + Send + Sync + 'static) -> Result<Compute> {
    Ok(Compute::Data(Box::new(f)))
}

fn take<T, const N: usize>(inputs: &[T]) -> Result<&[T; N]> {
    inputs.try_into().map_err(|_| Error::Msg(format!("it takes {N} values, and gets {}", inputs.len())))
}

/// The numbers in a value of integers.
fn ints(x: &Tensor) -> Result<Vec<i64>> {
    if x.elem_count() > NUMBERS {
        return Err(Error::Msg(format!("{} numbers are no shape and no list of axes", x.elem_count())));
    }
    x.flatten_all()?.to_vec1::<i64>()
}

/// The one number in a value.
pub(crate) fn int(x: &Tensor) -> Result<i64> {
    match ints(x)?.as_slice() {
        [value] => Ok(*value),
        values => Err(Error::Msg(format!("one number belongs here, and there are {}", values.len()))),
    }
}

/// An axis counted from the front.
fn axis(axis: i64, rank: usize) -> Result<usize> {
    let from_front = if axis < 0 { axis.checked_add(rank as i64) } else { Some(axis) };
    let found = from_front.and_then(|axis| usize::try_from(axis).ok()).filter(|axis| *axis < rank);
    found.ok_or_else(|| Error::Msg(format!("there is no axis {axis} in a value of {rank} axes")))
}

/// A size that a value is to have.
fn size(size: i64) -> Result<usize> {
    usize::try_from(size).map_err(|_| Error::Msg(format!("{size} is no size")))
}

/// The shape that two are broadcast to.
fn broadcast(a: &[usize], b: &[usize]) -> Result<Vec<usize>> {
    let rank = a.len().max(b.len());
    let at = |sizes: &[usize], place: usize| (place + sizes.len()).checked_sub(rank).map_or(1, |place| sizes[place]);
    let sizes = (0..rank).map(|place| match (at(a, place), at(b, place)) {
        (a, b) if a == b => Ok(a),
        (1, size) | (size, 1) => Ok(size),
        _ => Err(Error::Msg(format!("{a:?} and {b:?} can't be broadcast"))),
    });
    let sizes: Vec<usize> = sizes.collect::<Result<_>>()?;
    room(&sizes)?;
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_stands_in_the_table_once() {
        let mut names: Vec<_> = supported().collect();
        names.sort_unstable();
        let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn shapes_are_broadcast_from_the_right() {
        assert_eq!(broadcast(&[2, 1, 3], &[4, 1]).unwrap(), [2, 4, 3]);
        assert_eq!(broadcast(&[], &[0]).unwrap(), [0]);
        assert!(broadcast(&[2], &[3]).is_err());
        assert!(broadcast(&[1 << 40, 1], &[1, 1 << 40]).is_err());
    }

    /// Macros, which have no kernels, ask the checks of the structure.
    #[test]
    fn what_is_told_is_checked_as_the_kernels_take_it() {
        use testing::A::{Bool, Float, Int, Ints, Str, Type};
        const LISTS: &[&[i64]] = &[
            &[],
            &[1, 2, 3, 1],
            &[1, 1, 2, 3],
            &[2, 1, 1, 1],
            &[1, 0, 1, 1],
            &[1, 1, 0, 1],
            &[1, 1 << 20, 1, 1],
            &[1, 2, 1],
            &[1, 2, 2, 2, 1],
            &[1, 1, 2, 2, 2],
            &[1, 2, 0, 2, 1],
            &[0, 0, 1, 1, 2, 2, 0, 0],
            &[0, 0, 0, 0, 1, 1, 2, 2],
            &[0, 0, 1, -1, 2, 2, 0, 0],
        ];
        let strings = [
            ("data_format", &["NHWC", "NCHW", "NDHWC", "NCDHW", "NCHW_VECT_C"][..]),
            ("padding", &["SAME", "VALID", "EXPLICIT", "FULL"]),
            ("align", &["LEFT_LEFT", "MIDDLE"]),
            ("method", &["nearest", "bilinear", "area"]),
            ("kernel_type", &["box", "lanczos3", "lanczos7"]),
            ("equation", &["ab,bc->ac", "ab->ba", "ab,bc", "a,b,c->abc"]),
            ("mode", &["REFLECT", "SYMMETRIC"]),
        ];
        let ints = ["block_size", "num_bits", "depth_radius", "num_split", "num_partitions", "batch_dims", "N"];
        let types = ["T", "DstT", "SrcT", "dtype", "element_dtype", "out_type", "Tidx"];
        let lists = ["strides", "ksize", "dilations", "ksizes", "rates", "explicit_paddings", "squeeze_dims"];
        let mut told: Vec<(&str, testing::A<'_>)> = Vec::new();
        told.extend(strings.iter().flat_map(|(name, values)| values.iter().map(|value| (*name, Str(value)))));
        told.extend(ints.iter().flat_map(|name| [-1, 0, 1, 2, 17, 1 << 20].map(|value| (*name, Int(value)))));
        told.extend(types.iter().flat_map(|name| [0, 1, 3, 7, 10, 20, 21].map(|value| (*name, Type(value)))));
        told.extend(lists.iter().flat_map(|name| LISTS.iter().map(|value| (*name, Ints(value)))));
        told.extend([("keep_dims", Bool(true)), ("epsilon", Float(0.)), ("boundaries", Ints(&[]))]);
        let four: &[i64] = &[1, 2, 2, 1];
        let around: [&[(&str, testing::A<'_>)]; 4] = [
            &[],
            &[("padding", Str("SAME")), ("ksizes", Ints(four)), ("rates", Ints(four)), ("block_size", Int(2))],
            &[("padding", Str("EXPLICIT")), ("data_format", Str("NCHW"))],
            &[("padding", Str("VALID")), ("data_format", Str("NCDHW")), ("DstT", Type(1)), ("element_dtype", Type(1))],
        ];
        let mut refused = 0;
        for op in supported() {
            for around in around {
                // Convolutions have no windows of another size than the kernel's, and pools none with gaps.
                let foreign = if op.contains("Pool") { "dilations" } else { "ksize" };
                for &(name, value) in told.iter().filter(|(name, _)| *name != foreign) {
                    let others = around.iter().copied().filter(|(other, _)| *other != name);
                    let attrs: Vec<_> = others.chain([(name, value)]).collect();
                    let (made, checked) = testing::made_and_checked(op, &attrs);
                    assert_eq!(checked, made, "{op} {attrs:?}");
                    refused += usize::from(!made);
                }
            }
        }
        assert!(refused > 1000, "{refused}");
    }

    /// Macros, which do not know the table, know this list.
    #[test]
    fn the_list_of_names_is_that_of_the_table() {
        let mut names: Vec<_> = supported().collect();
        names.sort_unstable();
        let listed = taper_saved_structure::operations::OPERATIONS;
        let missing: Vec<_> = names.iter().filter(|name| !listed.contains(name)).collect();
        assert!(missing.is_empty(), "add these to saved/structure/src/operations.rs, in order: {missing:?}");
        assert_eq!(names, listed);
    }
}
