//! Every tensor inside ResNet against torchvision's, tap by tap, and proof that the comparison finds typical mistakes.

use std::collections::HashMap;

use candle_core::{DType, Device, Result, Tensor, safetensors};
use taper::Weights;
use taper::parity::{Parity, Reference, Report, TOLERANCE};
use taper_models::Pretrained;
use taper_models::pretrained::read_config;
use taper_models::resnet::{BasicBlock, BasicBlockTaps, Config, Downsample, DownsampleTaps, ResNet};
use taper_tests::fixtures::assert_same;
use taper_tests::originals::resnet;
use taper_tests::parity::{Golden, max_error};

type Net = ResNet<BasicBlock>;

fn down(block: &BasicBlockTaps) -> &DownsampleTaps {
    block.downsample.as_ref().expect("the block has a downsampling")
}

/// Every tensor of the reference.
///
/// A block calls its one ReLU twice: the reference of it is of the first call, and that of the second is the block's. By
/// definition a stage gives what its last block does, and `fc` what the whole does.
fn parity<'a>(model: &'a Net, reference: &'a Reference) -> Parity<'a, Net> {
    Parity::of(model, reference)
        .same_names()
        .map("layer{i}.{j}.relu1", "module.layer{i}.{j}.relu")
        .map("layer{i}.{j}.downsample.conv", "module.layer{i}.{j}.downsample.0")
        .map("layer{i}.{j}.downsample.bn", "module.layer{i}.{j}.downsample.1")
        .map("layer{i}.{j}.output", "module.layer{i}.{j}")
        .map("layer{i}.0.output", "module.layer{i}")
}

/// Compares the model changed by `change`.
fn run(change: impl FnOnce(&mut Config<BasicBlock>, &mut Weights)) -> Result<Report> {
    let golden = Golden::open("resnet")?;
    let mut config = read_config(golden.file("config.json"))?;
    let mut weights = Weights::safetensors([golden.file("model.safetensors")], DType::F32, &Device::Cpu)?;
    change(&mut config, &mut weights);
    let model = weights.load(|vb| ResNet::load(vb, &config))?;
    let reference = golden.reference()?;
    parity(&model, &reference).run(&reference.tensor("input.x")?)
}

#[test]
fn every_tap_is_that_of_the_original() -> Result<()> {
    let report = run(|_, _| ())?.into_result()?;
    assert_eq!(report.rows().len(), 44);
    assert!(report.left_over().is_empty(), "{report}");
    assert!(report.without_reference().iter().all(|tap| tap.ends_with(".sum")), "{report}");
    Ok(())
}

/// Some values are so small that the tolerance, which is absolute below 1, says little about them.
#[test]
fn every_tap_is_that_of_the_original_by_its_own_measure() -> Result<()> {
    let golden = Golden::open("resnet")?;
    for row in run(|_, _| ())?.rows() {
        let largest = golden.tensor(&row.reference).abs()?.max_all()?.to_scalar::<f32>()?;
        let error = row.difference.as_ref().unwrap().absolute / f64::from(largest);
        assert!(error <= TOLERANCE, "`{}`: {error:.1e} of its largest value", row.tap);
    }
    Ok(())
}

#[test]
fn gradients_are_those_of_the_original() -> Result<()> {
    let golden = Golden::open("resnet")?;
    let (model, reference) = (resnet(&golden)?, golden.reference()?);
    let x = reference.tensor("input.x")?;
    let squares = |y: &Tensor| y.sqr()?.sum_all();
    let report = parity(&model, &reference).gradients(&x, |t| t.output, squares)?.into_result()?;
    assert!(report.left_over().is_empty(), "{report}");
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
    model.layer3[0].conv1 = candle_nn::Conv2d::new(wide, None, Default::default()).into();
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
    Ok(run(change)?.first_divergence().expect("the mistake was not found").tap.clone())
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
