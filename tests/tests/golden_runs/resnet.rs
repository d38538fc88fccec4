//! ResNet.

use candle_core::{Result, Tensor};
use taper_models::resnet::{BasicBlock, ResNet, ResNetSites};
use taper_tests::fixtures::assert_same;
use taper_tests::originals;
use taper_tests::parity::{Golden, TOLERANCE, max_error, relative_error};

use super::{Edit, compare_edits, compare_gradients, double, sum_of_squares, zero};

fn open() -> Result<(Golden, ResNet<BasicBlock>, Tensor)> {
    let golden = Golden::open("resnet")?;
    let (model, images) = (originals::resnet(&golden)?, golden.tensor("input.x").clone());
    Ok((golden, model, images))
}

/// A stage gives what its last block does.
const EDITS: &[Edit<ResNetSites<BasicBlock>>] = &[
    Edit { label: "layer1_double", at: |t| t.layer1.at(-1).output, to: double },
    Edit { label: "layer2_zero", at: |t| t.layer2.at(-1).output, to: zero },
];

#[test]
fn edits_are_pytorchs() -> Result<()> {
    let (golden, model, images) = open()?;
    compare_edits(&model, &images, &golden, EDITS)
}

#[test]
fn a_replay_is_the_run_itself() -> Result<()> {
    let (_, model, images) = open()?;
    let recording = model.run().record(&images)?;
    for Edit { at, to, .. } in EDITS {
        let replayed = recording.replay().edit(at, to).forward(&images)?;
        assert_same(&replayed, &model.run().edit(at, to).forward(&images)?);
    }
    Ok(())
}

/// The tap that is the output of a module of the original.
fn tap(module: &str) -> String {
    match module {
        "layer1" | "layer2" | "layer3" | "layer4" => format!("{module}.0.output"),
        _ => module.to_owned(),
    }
}

#[test]
fn gradients_are_pytorchs() -> Result<()> {
    let (golden, model, images) = open()?;
    let (modules, sites) = (golden.names("grad."), model.sites());
    let taps = modules.iter().map(|module| sites.find(&tap(module))).collect::<Result<Vec<_>>>()?;
    let loss = model.run().loss(|t| t.output, sum_of_squares);
    let all = loss.gradients(&images, |_| taps.clone())?;
    compare_gradients(&modules, &all.gradients, &golden)?;
    assert!(relative_error(&all.loss, &sum_of_squares(golden.tensor("output"))?)? <= TOLERANCE);
    // One by one, so that none leans on another's being asked for.
    let single = taps.iter().map(|&tap| Ok(loss.gradients(&images, |_| tap)?.gradients)).collect::<Result<Vec<_>>>()?;
    compare_gradients(&modules, &single, &golden)
}

#[test]
fn the_parts_of_a_block_sum_to_its_output() -> Result<()> {
    let (_, model, images) = open()?;
    let (_, taps) = model.forward_with_taps(&images)?;
    let mut input = taps.maxpool;
    for block in [taps.layer1, taps.layer2, taps.layer3, taps.layer4].concat() {
        let identity = block.downsample.map_or(input, |downsample| downsample.output);
        assert!(max_error(&(&block.bn2 + &identity)?, &block.sum)? <= TOLERANCE);
        assert_same(&block.sum.relu()?, &block.output);
        input = block.output;
    }
    Ok(())
}
