//! What operations give, for files that do not say. A file describes the operations of its graph and of the functions that
//! it calls, and none of those that stand only in functions of branches and loops; TensorFlow 1 leaves out those of all
//! functions.

use std::sync::LazyLock;

use crate::proto::{OpDef, Parameter};

const FLOAT_OR_OTHER: i64 = 0;
const INT32: i64 = 3;
const INT64: i64 = 9;
const BOOL: i64 = 10;
const VARIANT: i64 = 21;

/// The type of an output.
#[derive(Clone, Copy)]
enum Ty {
    Is(i64),
    /// An attribute, or this type if there is none.
    Attr(&'static str, i64),
    /// As many of the type of the first attribute as the second says.
    Several(&'static str, &'static str),
    /// All of an attribute.
    List(&'static str),
}

use Ty::{Attr, Is, List, Several};

/// What an operation gives: names and types.
type Outputs = &'static [(&'static str, Ty)];

const LIST: Outputs = &[("handle", Is(VARIANT))];
const NEW_LIST: Outputs = &[("output_handle", Is(VARIANT))];
const COMPARED: Outputs = &[("z", Is(BOOL))];
const ASKED: Outputs = &[("y", Is(BOOL))];
const BOTH: Outputs = &[("output", Is(BOOL))];
const T: Ty = Attr("T", FLOAT_OR_OTHER);
const CALLED: Outputs = &[("output", List("Tout"))];
const U: Ty = Attr("U", FLOAT_OR_OTHER);

/// Those with several outputs, or with outputs of another type than the attribute `T` or `dtype`.
const KNOWN: &[(&[&str], Outputs)] = &[
    (&["Less", "LessEqual", "Greater", "GreaterEqual", "Equal", "NotEqual", "LogicalAnd", "LogicalOr"], COMPARED),
    (&["LogicalNot", "IsNan", "IsInf", "IsFinite"], ASKED),
    (&["All", "Any"], BOTH),
    (&["Cast"], &[("y", Attr("DstT", FLOAT_OR_OTHER))]),
    (&["Shape", "Size"], &[("output", Attr("out_type", INT32))]),
    (&["Rank"], &[("output", Is(INT32))]),
    (&["ArgMax", "ArgMin"], &[("output", Attr("output_type", INT64))]),
    (&["Range"], &[("output", Attr("Tidx", INT32))]),
    (&["Where"], &[("index", Is(INT64))]),
    (&["Gather", "GatherV2", "GatherNd"], &[("output", Attr("Tparams", FLOAT_OR_OTHER))]),
    (&["Split", "SplitV"], &[("output", Several("T", "num_split"))]),
    (&["Unpack"], &[("output", Several("T", "num"))]),
    (&["DynamicPartition"], &[("outputs", Several("T", "num_partitions"))]),
    (&["ShapeN"], &[("output", Several("out_type", "N"))]),
    (&["Switch"], &[("output_false", T), ("output_true", T)]),
    (&["Merge"], &[("output", T), ("value_index", Is(INT32))]),
    (&["UniqueWithCounts"], &[("y", T), ("idx", Attr("out_idx", INT32)), ("count", Attr("out_idx", INT32))]),
    (&["ListDiff"], &[("out", T), ("idx", Attr("out_idx", INT32))]),
    (&["SoftmaxCrossEntropyWithLogits", "SparseSoftmaxCrossEntropyWithLogits"], &[("loss", T), ("backprop", T)]),
    (&["BroadcastGradientArgs"], &[("r0", T), ("r1", T)]),
    (&["IdentityN"], &[("output", List("T"))]),
    (&["TopK"], &[("values", T), ("indices", Is(INT32))]),
    (&["TopKV2"], &[("values", T), ("indices", Attr("index_type", INT32))]),
    (&["Unique"], &[("y", T), ("idx", Attr("out_idx", INT32))]),
    (&["MaxPoolWithArgmax"], &[("output", T), ("argmax", Attr("Targmax", INT64))]),
    (
        &["FusedBatchNorm"],
        &[("y", T), ("batch_mean", T), ("batch_variance", T), ("reserve_space_1", T), ("reserve_space_2", T)],
    ),
    (
        &["FusedBatchNormV2"],
        &[("y", T), ("batch_mean", U), ("batch_variance", U), ("reserve_space_1", U), ("reserve_space_2", U)],
    ),
    (
        &["FusedBatchNormV3"],
        &[
            ("y", T),
            ("batch_mean", U),
            ("batch_variance", U),
            ("reserve_space_1", U),
            ("reserve_space_2", U),
            ("reserve_space_3", U),
        ],
    ),
    (&["EmptyTensorList", "TensorListReserve"], LIST),
    (&["TensorListFromTensor", "TensorListSetItem", "TensorListPushBack"], NEW_LIST),
    (&["TensorListPopBack"], &[("output_handle", Is(VARIANT)), ("tensor", Attr("element_dtype", FLOAT_OR_OTHER))]),
    (&["TensorListGetItem"], &[("item", Attr("element_dtype", FLOAT_OR_OTHER))]),
    (&["TensorListStack"], &[("tensor", Attr("element_dtype", FLOAT_OR_OTHER))]),
    (
        &["TensorListConcat", "TensorListConcatV2"],
        &[("tensor", Attr("element_dtype", FLOAT_OR_OTHER)), ("lengths", Is(INT64))],
    ),
    (&["TensorListLength"], &[("length", Is(INT32))]),
    (&["While", "StatelessWhile"], &[("output", List("T"))]),
    (&["If", "StatelessIf", "Case", "StatelessCase"], CALLED),
    (&["PartitionedCall", "StatefulPartitionedCall"], CALLED),
];

static DESCRIBED: LazyLock<Vec<OpDef<'static>>> = LazyLock::new(|| {
    let all = KNOWN.iter().flat_map(|(names, outputs)| names.iter().map(move |name| (*name, *outputs)));
    all.map(|(name, outputs)| {
        let outputs = outputs.iter().map(|(name, ty)| match *ty {
            Is(ty) => Parameter::new(name, ty, "", "", ""),
            Attr(attr, otherwise) => Parameter::new(name, otherwise, attr, "", ""),
            Several(attr, number) => Parameter::new(name, 0, attr, number, ""),
            List(attr) => Parameter::new(name, 0, "", "", attr),
        });
        OpDef { name, outputs: outputs.collect(), ..OpDef::default() }
    })
    .collect()
});

/// The descriptions.
pub(super) fn known() -> impl Iterator<Item = &'static OpDef<'static>> {
    DESCRIBED.iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_described_once() {
        let mut names: Vec<_> = known().map(|op| op.name).collect();
        names.sort_unstable();
        let twice: Vec<_> = names.windows(2).filter(|pair| pair[0] == pair[1]).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }
}
