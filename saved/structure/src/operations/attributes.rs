//! What operations are told that can't be computed: layouts, paddings, types and the like that have no kernel here.
//!
//! Whoever opens a file asks this, and so does a macro, which has no kernels to ask. A test of `taper-saved` compares it
//! with what its kernels take.

use crate::dtype::Type;
use crate::proto::{Attr, Attrs};
use crate::{Error, Result};

type Check = fn(&Attrs<'_>) -> Result<()>;

/// The operations whose attributes may be such that they can't be computed.
const CHECKS: &[(&[&str], Check)] = &[
    (&["Conv2D", "DepthwiseConv2dNative", "Conv2DBackpropInput"], |attrs| pictures(attrs, &["strides", "dilations"])),
    (&["MaxPool", "AvgPool"], |attrs| pictures(attrs, &["strides", "dilations", "ksize"])),
    (&["MaxPoolV2", "MaxPoolWithArgmax"], |attrs| {
        channels_last(attrs)?;
        windows(attrs, &["strides", "dilations", "ksize"], false)
    }),
    (&["ExtractImagePatches"], |attrs| {
        for name in ["ksizes", "rates"] {
            attrs.ints(name)?.ok_or_else(|| Error::Msg(format!("the attribute `{name}` is missing")))?;
        }
        windows(attrs, &["strides", "ksizes", "rates"], false)
    }),
    (&["Conv3D", "Conv3DBackpropInputV2"], |attrs| volumes(attrs, &["strides", "dilations"])),
    (&["MaxPool3D", "AvgPool3D"], |attrs| volumes(attrs, &["strides", "dilations", "ksize"])),
    (&["SpaceToDepth", "DepthToSpace"], |attrs| {
        let format = attrs.str("data_format")?.unwrap_or("NHWC");
        let block = attrs.int("block_size")?.unwrap_or(0);
        match ["NHWC", "NCHW"].contains(&format) && (1..=1 << 16).contains(&block) {
            true => Ok(()),
            false => Err(Error::Msg(format!("blocks of {block} in the layout {format} are not supported"))),
        }
    }),
    (&["MatrixDiagV3", "MatrixDiagPartV3", "MatrixSetDiagV3"], |attrs| {
        one_of(attrs, "align", &["RIGHT_LEFT", "LEFT_RIGHT", "LEFT_LEFT", "RIGHT_RIGHT"])
    }),
    (&["CropAndResize"], |attrs| one_of(attrs, "method", &["bilinear", "nearest"])),
    (&["ScaleAndTranslate"], |attrs| {
        let kernels = ["lanczos1", "lanczos3", "lanczos5", "gaussian", "box", "triangle", "keyscubic", "mitchellcubic"];
        one_of(attrs, "kernel_type", &kernels)
    }),
    (&["FakeQuantWithMinMaxArgs", "FakeQuantWithMinMaxVars", "FakeQuantWithMinMaxVarsPerChannel"], |attrs| match attrs
        .int("num_bits")?
        .unwrap_or(8)
    {
        2..=16 => Ok(()),
        bits => Err(Error::Msg(format!("integers of {bits} bits are not supported"))),
    }),
    (&["Einsum"], |attrs| match attrs.str("equation")?.unwrap_or_default() {
        equation if equation.split(',').count() > 2 => {
            Err(Error::Msg(format!("the equation `{equation}` is of more than two values, which is not supported")))
        }
        equation if equation.contains("->") => Ok(()),
        equation => Err(Error::Msg(format!("the equation `{equation}` does not say what comes out"))),
    }),
    (&["Bucketize"], |attrs| match attrs.need("boundaries")? {
        Attr::List(_) => Ok(()),
        _ => Err(Error::Msg("the attribute `boundaries` is not a list".to_owned())),
    }),
    (&["LRN"], |attrs| count(attrs, "depth_radius", 5)),
    (&["Split"], |attrs| count(attrs, "num_split", 1)),
    (&["DynamicPartition"], |attrs| count(attrs, "num_partitions", 0)),
    (&["Cast"], |attrs| held(attrs, "DstT", 0)),
    (&["Bincount", "DenseBincount"], |attrs| held(attrs, "T", 1)),
    (&["TensorArrayReadV3", "TensorArrayGatherV3"], |attrs| held(attrs, "dtype", 0)),
    (&["TensorListGetItem", "TensorListPopBack", "TensorListStack", "TensorListGather"], |attrs| {
        held(attrs, "element_dtype", 0)
    }),
];

/// Whether an operation can be computed that is told this.
///
/// # Errors
/// What it is told that it can't be.
pub fn check(op: &str, attrs: &Attrs<'_>) -> Result<()> {
    CHECKS.iter().filter(|(ops, _)| ops.contains(&op)).try_for_each(|(_, check)| check(attrs))
}

fn one_of(attrs: &Attrs<'_>, name: &str, values: &[&str]) -> Result<()> {
    match attrs.str(name)? {
        Some(value) if !values.contains(&value) => {
            Err(Error::Msg(format!("`{name}` is `{value}`, which is not supported: {} are", values.join(", "))))
        }
        _ => Ok(()),
    }
}

fn count(attrs: &Attrs<'_>, name: &str, default: i64) -> Result<()> {
    match attrs.int(name)?.unwrap_or(default) {
        0.. => Ok(()),
        count => Err(Error::Msg(format!("`{name}` is {count}, which is no number of parts"))),
    }
}

/// That values of a type have a tensor.
fn held(attrs: &Attrs<'_>, name: &str, default: i64) -> Result<()> {
    let ty = Type::of(attrs.ty(name)?.unwrap_or(default));
    match ty.held_as() {
        Some(_) => Ok(()),
        None => Err(Error::Msg(format!("values of type {ty} have no tensor of candle"))),
    }
}

fn channels_last(attrs: &Attrs<'_>) -> Result<()> {
    match attrs.str("data_format")?.unwrap_or("NHWC") {
        "NHWC" => Ok(()),
        format => Err(layout(format)),
    }
}

fn layout(format: &str) -> Error {
    Error::Msg(format!("the layout {format} is not supported, which TensorFlow runs on GPUs only"))
}

/// More than any window steps or reaches.
const FAR: i64 = 1 << 20;

/// Windows that slide over pictures, along height and width.
fn pictures(attrs: &Attrs<'_>, lists: &[&str]) -> Result<()> {
    match attrs.str("data_format")?.unwrap_or("NHWC") {
        "NHWC" => windows(attrs, lists, false),
        "NCHW" => windows(attrs, lists, true),
        format => Err(layout(format)),
    }
}

/// The same, with the channels first or last.
fn windows(attrs: &Attrs<'_>, lists: &[&str], is_first: bool) -> Result<()> {
    for name in lists {
        let list = attrs.ints(name)?;
        let middle = match (list.as_deref(), is_first) {
            (None, _) | (Some([]), true) => continue,
            (Some(&[1, height, width, 1]), false) | (Some(&[1, 1, height, width]), true) => [height, width],
            (Some(list), _) => {
                return Err(Error::Msg(format!(
                    "`{name}` is {list:?}, and only that of height and width is supported"
                )));
            }
        };
        if !middle.iter().all(|size| (1..FAR).contains(size)) {
            return Err(Error::Msg(format!("`{name}` is {} and {}", middle[0], middle[1])));
        }
    }
    match attrs.str("padding")?.unwrap_or_default() {
        "SAME" | "VALID" => Ok(()),
        "EXPLICIT" => match (attrs.ints("explicit_paddings")?.as_deref(), is_first) {
            (Some(&[0, 0, top, bottom, left, right, 0, 0]), false)
            | (Some(&[0, 0, 0, 0, top, bottom, left, right]), true)
                if [top, bottom, left, right].iter().all(|size| *size >= 0) =>
            {
                Ok(())
            }
            (other, _) => Err(Error::Msg(format!("`explicit_paddings` is {other:?}"))),
        },
        other => Err(Error::Msg(format!("the padding `{other}` is not supported"))),
    }
}

/// Windows that slide over volumes, along depth, height and width.
fn volumes(attrs: &Attrs<'_>, lists: &[&str]) -> Result<()> {
    let is_first = attrs.str("data_format")? == Some("NCDHW");
    for name in lists {
        let list = attrs.ints(name)?;
        let middle = match (list.as_deref(), is_first) {
            (None | Some([]), _) => continue,
            (Some(&[1, depth, height, width, 1]), false) | (Some(&[1, 1, depth, height, width]), true) => {
                [depth, height, width]
            }
            (Some(list), _) => {
                return Err(Error::Msg(format!(
                    "`{name}` is {list:?}, and only that of depth, height and width is supported"
                )));
            }
        };
        if !middle.iter().all(|size| (1..FAR).contains(size)) {
            return Err(Error::Msg(format!("`{name}` is {middle:?}")));
        }
    }
    match attrs.str("padding")?.unwrap_or_default() {
        "SAME" | "VALID" => Ok(()),
        other => Err(Error::Msg(format!("the padding `{other}` is not supported"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operations::is_supported;

    #[test]
    fn what_is_checked_is_supported() {
        for op in CHECKS.iter().flat_map(|(ops, _)| *ops) {
            assert!(is_supported(op), "{op}");
        }
    }
}
