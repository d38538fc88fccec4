//! Names in the files of Hugging Face's MobileNetV2 and of timm's, as torchvision has them.

use super::BlockConfig;
use crate::shared::replaced;

/// A name in a file of Hugging Face's, where the last convolution is number `last`.
pub(super) fn of_hugging_face(name: &str, last: usize) -> String {
    const NAMES: &[(&str, &str)] = &[
        ("mobilenet_v2.", ""),
        ("conv_stem.first_conv.", "features.0."),
        // The first block, which has no `expand_1x1`.
        ("conv_stem.conv_3x3.", "features.1.conv.0."),
        ("conv_stem.reduce_1x1.convolution.", "features.1.conv.1."),
        ("conv_stem.reduce_1x1.normalization.", "features.1.conv.2."),
        (".expand_1x1.", ".conv.0."),
        (".conv_3x3.", ".conv.1."),
        (".reduce_1x1.convolution.", ".conv.2."),
        (".reduce_1x1.normalization.", ".conv.3."),
        (".convolution.", ".0."),
        (".normalization.", ".1."),
    ];
    let name = replaced(&name.replace("conv_1x1.", &format!("features.{last}.")), NAMES);
    match name.split_once('.') {
        Some(("classifier", part @ ("weight" | "bias"))) => format!("classifier.1.{part}"),
        Some(("layer", rest)) => match rest.split_once('.') {
            // Theirs are counted without the stem and the first block.
            Some((block, rest)) => {
                let block = block.parse::<usize>().map_or(block.to_owned(), |block| (block + 2).to_string());
                format!("features.{block}.{rest}")
            }
            None => name,
        },
        _ => name,
    }
}

/// A name in a file of timm's, where the stages have so many blocks. What is in none of them stays.
pub(super) fn of_timm(name: &str, stages: &[usize], blocks: &[BlockConfig]) -> String {
    const WIDENING: &[(&str, &str)] = &[
        ("conv_pw.", "conv.0.0."),
        ("bn1.", "conv.0.1."),
        ("conv_dw.", "conv.1.0."),
        ("bn2.", "conv.1.1."),
        ("conv_pwl.", "conv.2."),
        ("bn3.", "conv.3."),
    ];
    const OTHER: &[(&str, &str)] =
        &[("conv_dw.", "conv.0.0."), ("bn1.", "conv.0.1."), ("conv_pw.", "conv.1."), ("bn2.", "conv.2.")];
    let in_block = || {
        let mut parts = name.strip_prefix("blocks.")?.splitn(3, '.');
        let mut number = || parts.next()?.parse::<usize>().ok();
        let (stage, block) = (number()?, number()?);
        let block = stages.get(..stage)?.iter().sum::<usize>() + block;
        let names = if blocks.get(block)?.expands() { WIDENING } else { OTHER };
        Some(format!("features.{}.{}", block + 1, replaced(parts.next()?, names)))
    };
    let last = blocks.len() + 1;
    in_block().unwrap_or_else(|| match name.split_once('.') {
        Some(("conv_stem", part)) => format!("features.0.0.{part}"),
        Some(("bn1", part)) => format!("features.0.1.{part}"),
        Some(("conv_head", part)) => format!("features.{last}.0.{part}"),
        Some(("bn2", part)) => format!("features.{last}.1.{part}"),
        Some(("classifier", part)) => format!("classifier.1.{part}"),
        _ => name.to_owned(),
    })
}
