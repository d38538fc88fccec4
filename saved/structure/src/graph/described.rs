//! The outputs of operations that a file does not describe. TensorFlow 1 leaves out those that only functions use; nearly
//! all have one output, and the others stand here.

use crate::proto::Parameter;

const T: Parameter<'static> = Parameter::typed("output", "T");

/// The outputs of an operation.
pub(super) fn outputs(op: &str) -> &'static [Parameter<'static>] {
    const INT32: i64 = 3;
    match op {
        "Split" | "SplitV" => const { &[Parameter::repeated("output", "T", "num_split")] },
        "Unpack" => const { &[Parameter::repeated("output", "T", "num")] },
        "DynamicPartition" => const { &[Parameter::repeated("outputs", "T", "num_partitions")] },
        "ShapeN" => const { &[Parameter::repeated("output", "out_type", "N")] },
        "IdentityN" => const { &[Parameter::listed("output", "T")] },
        "If" | "StatelessIf" | "Case" | "StatelessCase" | "PartitionedCall" | "StatefulPartitionedCall" => {
            const { &[Parameter::listed("output", "Tout")] }
        }
        "While" | "StatelessWhile" => const { &[Parameter::listed("output", "T")] },
        "Switch" => const { &[Parameter::typed("output_false", "T"), Parameter::typed("output_true", "T")] },
        "Merge" => const { &[T, Parameter::fixed("value_index", INT32)] },
        "TopKV2" => const { &[Parameter::typed("values", "T"), Parameter::fixed("indices", INT32)] },
        "Unique" => const { &[Parameter::typed("y", "T"), Parameter::typed("idx", "out_idx")] },
        "UniqueWithCounts" => {
            const { &[Parameter::typed("y", "T"), Parameter::typed("idx", "out_idx"), Parameter::typed("count", "out_idx")] }
        }
        "ListDiff" => const { &[Parameter::typed("out", "T"), Parameter::typed("idx", "out_idx")] },
        "SoftmaxCrossEntropyWithLogits" | "SparseSoftmaxCrossEntropyWithLogits" => {
            const { &[Parameter::typed("loss", "T"), Parameter::typed("backprop", "T")] }
        }
        "BroadcastGradientArgs" => const { &[Parameter::typed("r0", "T"), Parameter::typed("r1", "T")] },
        "MaxPoolWithArgmax" => const { &[T, Parameter::typed("argmax", "Targmax")] },
        "TensorListPopBack" => {
            const { &[Parameter::fixed("output_handle", 21), Parameter::typed("tensor", "element_dtype")] }
        }
        "TensorListConcat" | "TensorListConcatV2" => {
            const { &[Parameter::typed("tensor", "element_dtype"), Parameter::fixed("lengths", 9)] }
        }
        "FusedBatchNorm" | "FusedBatchNormV2" | "FusedBatchNormV3" => {
            const {
                &[
                    Parameter::typed("y", "T"),
                    Parameter::typed("batch_mean", "T"),
                    Parameter::typed("batch_variance", "T"),
                    Parameter::typed("reserve_space_1", "T"),
                    Parameter::typed("reserve_space_2", "T"),
                ]
            }
        }
        _ => &[],
    }
}
