//! ResNet.

use candle_core::Result;
use taper_models::resnet::{BasicBlock, Bottleneck, ResNet, ResNetSites};
use taper_tests::fixtures::assert_same;
use taper_tests::originals::{self, pretrained};
use taper_tests::parity::{Golden, TOLERANCE, max_error};

use super::{Edit, compare_edits, compare_gradients, compare_replays, double, zero};

fn open() -> Result<(Golden, ResNet<BasicBlock>)> {
    let golden = Golden::open("resnet")?;
    let model = originals::resnet(&golden)?;
    Ok((golden, model))
}

/// A stage gives what its last block does.
const EDITS: &[Edit<ResNetSites<BasicBlock>>] = &[
    Edit { label: "layer1_double", at: |t| t.layer1.at(-1).output, to: double },
    Edit { label: "layer2_zero", at: |t| t.layer2.at(-1).output, to: zero },
];

const BOTTLENECK_EDITS: &[Edit<ResNetSites<Bottleneck>>] = &[
    Edit { label: "layer1_double", at: |t| t.layer1.at(-1).output, to: double },
    Edit { label: "layer2_zero", at: |t| t.layer2.at(-1).output, to: zero },
];

#[test]
fn edits_are_pytorchs() -> Result<()> {
    let (golden, model) = open()?;
    compare_edits(&model, &golden, EDITS)?;
    let golden = Golden::open("resnet_odd")?;
    compare_edits(&pretrained::<ResNet<BasicBlock>>(&golden, |_| ())?, &golden, EDITS)?;
    let golden = Golden::open("resnet_bottleneck")?;
    compare_edits(&pretrained::<ResNet<Bottleneck>>(&golden, |_| ())?, &golden, BOTTLENECK_EDITS)?;
    // Hugging Face counts stages from 0.
    let golden = Golden::open("resnet_strides")?;
    let edits =
        [Edit { label: "stage0_double", ..BOTTLENECK_EDITS[0] }, Edit { label: "stage1_zero", ..BOTTLENECK_EDITS[1] }];
    compare_edits(&pretrained::<ResNet<Bottleneck>>(&golden, |_| ())?, &golden, &edits)
}

#[test]
fn a_replay_is_the_run_itself() -> Result<()> {
    let (golden, model) = open()?;
    compare_replays(&model, &golden, EDITS)
}

/// The tap that is the output of a module of the original, where `long` are the stages of two blocks and not of one.
fn tap(module: &str, long: &[&str]) -> String {
    match module {
        "layer1" | "layer2" | "layer3" | "layer4" => format!("{module}.{}.output", u8::from(long.contains(&module))),
        _ => module.to_owned(),
    }
}

/// Also where the sizes of the images are odd, and height and width are not in step.
#[test]
fn gradients_are_pytorchs() -> Result<()> {
    let (golden, model) = open()?;
    compare_gradients(&model, &golden, |t| t.output, |module| tap(module, &[]))?;
    let golden = Golden::open("resnet_odd")?;
    let model = pretrained::<ResNet<BasicBlock>>(&golden, |_| ())?;
    compare_gradients(&model, &golden, |t| t.output, |module| tap(module, &["layer1", "layer3"]))?;
    let golden = Golden::open("resnet_bottleneck")?;
    let model = pretrained::<ResNet<Bottleneck>>(&golden, |_| ())?;
    compare_gradients(&model, &golden, |t| t.output, |module| tap(module, &["layer2"]))?;
    // Strides in the first stage and in the first convolutions.
    let golden = Golden::open("resnet_strides")?;
    let model = pretrained::<ResNet<Bottleneck>>(&golden, |_| ())?;
    compare_gradients(
        &model,
        &golden,
        |t| t.output,
        |module| match module.rsplit_once("stages.") {
            Some((_, stage)) => tap(&format!("layer{}", stage.parse::<usize>().expect("a number") + 1), &["layer1"]),
            None => "conv1".to_owned(),
        },
    )
}

#[test]
fn the_parts_of_a_block_sum_to_its_output() -> Result<()> {
    let (golden, model) = open()?;
    let (_, taps) = model.forward_with_taps(golden.tensor("input.x"))?;
    let mut input = taps.maxpool;
    for block in [taps.layer1, taps.layer2, taps.layer3, taps.layer4].concat() {
        let identity = block.downsample.map_or(input, |downsample| downsample.output);
        assert!(max_error(&(&block.bn2 + &identity)?, &block.sum)? <= TOLERANCE);
        assert_same(&block.sum.relu()?, &block.output);
        input = block.output;
    }
    Ok(())
}
