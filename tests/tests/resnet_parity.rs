//! Every tensor inside ResNet against torchvision's, tap by tap, and proof that the comparison finds typical mistakes.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, safetensors};
use taper::Weights;
use taper_models::Pretrained;
use taper_models::pretrained::read_config;
use taper_models::resnet::{BasicBlock, BasicBlockTaps, Config, Downsample, DownsampleTaps, ResNet, ResNetTaps};
use taper_tests::fixtures::assert_same;
use taper_tests::originals::resnet;
use taper_tests::parity::{Divergence, Golden, Row, TOLERANCE, compare, max_error, relative_error};

type Net = ResNet<BasicBlock>;
type NetTaps = ResNetTaps<BasicBlock>;

/// The taps of a block in the order of execution, with the references below `layerI.0`.
///
/// A block calls its one ReLU twice: the reference of it is of the first call, and that of the second is the block's.
type BlockRow = (&'static str, &'static str, fn(&BasicBlockTaps) -> &Tensor);
const BEFORE: &[BlockRow] = &[
    ("conv1", ".conv1", |b| &b.conv1),
    ("bn1", ".bn1", |b| &b.bn1),
    ("relu1", ".relu", |b| &b.relu1),
    ("conv2", ".conv2", |b| &b.conv2),
    ("bn2", ".bn2", |b| &b.bn2),
];
const DOWNSAMPLE: &[BlockRow] = &[
    ("downsample.conv", ".downsample.0", |b| &down(b).conv),
    ("downsample.bn", ".downsample.1", |b| &down(b).bn),
    ("downsample.output", ".downsample", |b| &down(b).output),
];
const AFTER: &[BlockRow] = &[("output", "", |b| &b.output)];

fn down(block: &BasicBlockTaps) -> &DownsampleTaps {
    block.downsample.as_ref().expect("the block has a downsampling")
}

/// The blocks of a stage of the taps.
fn stage(taps: &NetTaps, stage: usize) -> &[BasicBlockTaps] {
    [&taps.layer1, &taps.layer2, &taps.layer3, &taps.layer4][stage]
}

/// Every row in the order of execution.
///
/// By definition a stage, `layerI`, gives what its last block does, and `fc` what the whole does.
fn rows() -> Vec<Row<NetTaps>> {
    let mut rows: Vec<Row<NetTaps>> = vec![
        Row::new("conv1", "module.conv1", |t: &NetTaps| t.conv1.clone()),
        Row::new("bn1", "module.bn1", |t: &NetTaps| t.bn1.clone()),
        Row::new("relu", "module.relu", |t: &NetTaps| t.relu.clone()),
        Row::new("maxpool", "module.maxpool", |t: &NetTaps| t.maxpool.clone()),
    ];
    for i in 0..4 {
        let layer = format!("layer{}", i + 1);
        // Only the first stage leaves the shape as it is.
        let downsample = if i == 0 { &[] } else { DOWNSAMPLE };
        for &(tap, module, get) in BEFORE.iter().chain(downsample).chain(AFTER) {
            let golden = format!("module.{layer}.0{module}");
            rows.push(Row::new(format!("{layer}.0.{tap}"), golden, move |t: &NetTaps| get(&stage(t, i)[0]).clone()));
        }
        rows.push(Row::new(format!("{layer}.0.output"), format!("module.{layer}"), move |t: &NetTaps| {
            stage(t, i)[0].output.clone()
        }));
    }
    rows.extend([
        Row::new("avgpool", "module.avgpool", |t: &NetTaps| t.avgpool.clone()),
        Row::new("fc", "module.fc", |t: &NetTaps| t.fc.clone()),
        Row::new("output", "output", |t: &NetTaps| t.output.clone()),
    ]);
    rows
}

/// Compares the model changed by `change`.
fn run(change: impl FnOnce(&mut Config<BasicBlock>, &mut Weights)) -> Result<std::result::Result<(), Divergence>> {
    let golden = Golden::open("resnet")?;
    let mut config = read_config(golden.file("config.json"))?;
    let mut weights = Weights::safetensors([golden.file("model.safetensors")], DType::F32, &Device::Cpu)?;
    change(&mut config, &mut weights);
    let model = weights.load(|vb| ResNet::load(vb, &config))?;
    let (_, taps) = model.forward_with_taps(golden.tensor("input.x"))?;
    Ok(compare(&taps, &rows(), &golden))
}

#[test]
fn every_tap_is_that_of_the_original() -> Result<()> {
    if let Err(divergence) = run(|_, _| ())? {
        panic!("{divergence}");
    }
    Ok(())
}

/// Some values are so small that the tolerance, which is absolute below 1, says little about them.
#[test]
fn every_tap_is_that_of_the_original_by_its_own_measure() -> Result<()> {
    let golden = Golden::open("resnet")?;
    let (_, taps) = resnet(&golden)?.forward_with_taps(golden.tensor("input.x"))?;
    for row in rows() {
        let error = relative_error(&(row.get)(&taps), golden.tensor(&row.golden))?;
        assert!(error <= TOLERANCE, "`{}`: {error:.1e} of its largest value", row.tap);
    }
    Ok(())
}

#[test]
fn no_reference_is_left_over() -> Result<()> {
    let golden = Golden::open("resnet")?;
    let left = golden.left_over(&["module.", "output"], &rows());
    assert!(left.is_empty(), "nothing is compared with {left:?}");
    Ok(())
}

/// A name in a message leads to the tensor that was compared. What lies in a `downsample`, which a block may lack, is
/// found by `find_any`.
#[test]
fn names_are_those_of_the_fields() -> Result<()> {
    let golden = Golden::open("resnet")?;
    let model = resnet(&golden)?;
    let images = golden.tensor("input.x");
    let (_, taps) = model.forward_with_taps(images)?;
    let sites = model.sites();
    for row in rows() {
        let named = sites.find_any(&row.tap)?;
        let found = model.capture(images, |_| named.clone())?;
        assert_eq!(found.len(), 1, "{}", row.tap);
        assert_same(&found[0], &(row.get)(&taps));
    }
    Ok(())
}

#[test]
fn captures_are_those_of_the_whole_and_stop_early() -> Result<()> {
    let golden = Golden::open("resnet")?;
    let mut model = resnet(&golden)?;
    let images = golden.tensor("input.x");
    let (logits, taps) = model.forward_with_taps(images)?;
    assert_same(&logits, &model.forward(images)?);

    let (output, down) = model.capture(images, |t| (t.output, t.layer3.at(-1).downsample.map(|d| d.conv)))?;
    assert_same(&output, &logits);
    assert_same(&down.expect("the third stage downsamples"), &self::down(&taps.layer3[0]).conv);
    assert!(model.capture(images, |t| t.layer1[0].downsample.clone())?.is_none());

    // A third stage that cannot take what the second gives: whoever runs it fails.
    let wide = Tensor::zeros((32, 99, 3, 3), DType::F32, &Device::Cpu)?;
    model.layer3[0].conv1 = candle_nn::Conv2d::new(wide, None, Default::default());
    assert!(model.forward(images).is_err());
    let (relu, second) = model.capture(images, |t| (t.layer1[0].relu1, t.layer2.each(|b| b.output)))?;
    assert_same(&relu, &taps.layer1[0].relu1);
    assert_same(&second[0], &taps.layer2[0].output);
    Ok(())
}

/// As `state_dict` of PyTorch has them.
#[test]
fn counters_of_the_norms_may_be_in_the_file() -> Result<()> {
    let golden = Golden::open("resnet")?;
    let mut tensors: HashMap<String, Tensor> = safetensors::load(golden.file("model.safetensors"), &Device::Cpu)?;
    let norms: Vec<String> =
        tensors.keys().filter_map(|name| name.strip_suffix(".running_mean").map(str::to_owned)).collect();
    assert_eq!(norms.len(), 12);
    for norm in norms {
        tensors.insert(format!("{norm}.num_batches_tracked"), Tensor::new(7i64, &Device::Cpu)?);
    }
    let weights = Weights::from_tensors(tensors, DType::F32, &Device::Cpu);
    Net::from_weights(weights, &read_config(golden.file("config.json"))?).map(|_| ())
}

/// The first tap to diverge is where the mistake is.
fn first_to_diverge(change: impl FnOnce(&mut Config<BasicBlock>, &mut Weights)) -> Result<String> {
    let divergence = run(change)?.expect_err("the mistake was not found");
    assert!(divergence.to_string().contains(&divergence.tap), "{divergence}");
    Ok(divergence.tap)
}

#[test]
fn another_epsilon_diverges_at_the_first_norm() -> Result<()> {
    assert_eq!(first_to_diverge(|config, _| config.bn_eps = 1e-3)?, "bn1");
    Ok(())
}

#[test]
fn a_swapped_norm_diverges_where_it_is() -> Result<()> {
    let swapped = first_to_diverge(|_, weights| {
        let golden = Golden::open("resnet").expect("the reference");
        let file = safetensors::load(golden.file("model.safetensors"), &Device::Cpu).expect("the weights");
        let swap = |name: &str| match name.strip_prefix("layer2.0.bn2.") {
            Some(part) => format!("layer2.0.bn1.{part}"),
            None => name.to_owned(),
        };
        let tensors = file.keys().map(|name| (name.clone(), file[&swap(name)].clone())).collect();
        *weights = Weights::from_tensors(tensors, DType::F32, &Device::Cpu);
    })?;
    assert_eq!(swapped, "layer2.0.bn2");
    Ok(())
}

#[test]
fn a_downsample_is_a_model_of_its_own() -> Result<()> {
    let golden = Golden::open("resnet")?;
    let model = resnet(&golden)?;
    let downsample: &Downsample = model.layer2[0].downsample.as_ref().expect("the second stage downsamples");
    let y = downsample.forward(golden.tensor("module.layer1"))?;
    let error = max_error(&y, golden.tensor("module.layer2.0.downsample"))?;
    assert!(error <= TOLERANCE, "{error}");
    Ok(())
}
