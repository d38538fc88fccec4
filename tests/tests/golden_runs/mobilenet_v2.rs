//! MobileNetV2.

use candle_core::Result;
use taper_models::mobilenet_v2::{MobileNetV2, MobileNetV2Sites};
use taper_tests::originals::pretrained;
use taper_tests::parity::Golden;

use super::{Edit, compare_edits, compare_gradients, compare_replays, double, zero};

fn open(names: [&str; 2]) -> Result<Vec<(Golden, MobileNetV2)>> {
    let open = |name| {
        let golden = Golden::open(name)?;
        let model = pretrained(&golden, |_| ())?;
        Ok((golden, model))
    };
    names.into_iter().map(open).collect()
}

const TORCHVISION: [&str; 2] = ["mobilenet_v2", "mobilenet_v2_odd"];
const HUGGING_FACE: [&str; 2] = ["mobilenet_v2_same", "mobilenet_v2_floor"];

/// The original counts the stem with the blocks.
const EDITS: &[Edit<MobileNetV2Sites>] = &[
    Edit { label: "block1_double", at: |t| t.blocks[0].output, to: double },
    Edit { label: "block2_zero", at: |t| t.blocks[1].output, to: zero },
];

/// Hugging Face counts neither the stem nor the first block.
const HUGGING_FACE_EDITS: &[Edit<MobileNetV2Sites>] = &[
    Edit { label: "stem_double", at: |t| t.blocks[0].output, to: double },
    Edit { label: "layer1_zero", at: |t| t.blocks[2].output, to: zero },
];

#[test]
fn edits_are_pytorchs() -> Result<()> {
    open(TORCHVISION)?.iter().try_for_each(|(golden, model)| compare_edits(model, golden, EDITS))?;
    open(HUGGING_FACE)?.iter().try_for_each(|(golden, model)| compare_edits(model, golden, HUGGING_FACE_EDITS))
}

#[test]
fn a_replay_is_the_run_itself() -> Result<()> {
    open(TORCHVISION)?.iter().try_for_each(|(golden, model)| compare_replays(model, golden, EDITS))
}

/// The tap that is the output of a module of the original. Both references have six blocks, of which the second
/// widens.
fn tap(module: &str) -> String {
    match module.strip_prefix("features.").expect("a feature") {
        "0" => "stem.output".to_owned(),
        "0.0" => "stem.conv".to_owned(),
        "2.conv.2" => "blocks.1.project".to_owned(),
        "7" => "last.output".to_owned(),
        place => format!("blocks.{}.output", place.parse::<usize>().expect("a number") - 1),
    }
}

#[test]
fn gradients_are_pytorchs() -> Result<()> {
    for (golden, model) in open(TORCHVISION)? {
        assert_eq!(model.blocks.len(), 6);
        compare_gradients(&model, &golden, |t| t.output, tap)?;
    }
    let tap = |module: &str| match module.strip_prefix("mobilenet_v2.").expect("a part of the model") {
        "conv_stem" => "blocks.0.output".to_owned(),
        "conv_1x1" => "last.output".to_owned(),
        layer => {
            let layer: usize = layer.strip_prefix("layer.").expect("a layer").parse().expect("a number");
            format!("blocks.{}.output", layer + 1)
        }
    };
    open(HUGGING_FACE)?.iter().try_for_each(|(golden, model)| compare_gradients(model, golden, |t| t.output, tap))
}
