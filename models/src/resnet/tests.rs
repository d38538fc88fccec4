use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use candle_core::{DType, Device, Shape};
use candle_nn::var_builder::SimpleBackend;
use candle_nn::{Init, VarMap};

use super::*;

/// Notes the shape of every tensor that is asked for, and gives one element in its place wherever it can.
#[derive(Clone, Default)]
struct Shapes(Arc<Mutex<BTreeMap<String, Shape>>>);

impl SimpleBackend for Shapes {
    fn get(&self, shape: Shape, name: &str, _: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        self.0.lock().unwrap().insert(name.to_owned(), shape.clone());
        Tensor::ones(1, dtype, device)?.broadcast_as(shape)
    }

    fn get_unchecked(&self, name: &str, _: DType, _: &Device) -> Result<Tensor> {
        bail!("`{name}` is asked for without a shape")
    }

    fn contains_tensor(&self, _: &str) -> bool {
        true
    }
}

fn shapes<B: Block>(config: &Config<B>) -> BTreeMap<String, Vec<usize>> {
    let shapes = Shapes::default();
    ResNet::load(VarBuilder::from_backend(Box::new(shapes.clone()), DType::F32, Device::Cpu), config).unwrap();
    let shapes = shapes.0.lock().unwrap();
    shapes.iter().map(|(name, shape)| (name.clone(), shape.dims().to_vec())).collect()
}

/// torchvision counts what is trained, which running statistics are not.
fn parameters<B: Block>(config: &Config<B>) -> usize {
    let shapes = shapes(config);
    let trained = shapes.iter().filter(|(name, _)| !name.contains(".running_"));
    trained.map(|(_, shape)| shape.iter().product::<usize>()).sum()
}

/// The `num_params` of torchvision's documentation.
#[test]
fn there_are_as_many_parameters_as_in_torchvision() {
    assert_eq!(parameters(&Config::resnet18()), 11_689_512);
    assert_eq!(parameters(&Config::resnet34()), 21_797_672);
    assert_eq!(parameters(&Config::resnet50()), 25_557_032);
    assert_eq!(parameters(&Config::resnet101()), 44_549_160);
    assert_eq!(parameters(&Config::resnet152()), 60_192_808);
}

#[test]
fn names_and_shapes_of_bottlenecks_are_those_of_torchvision() {
    let shapes = shapes(&Config::resnet50());
    let expected: [(&str, &[usize]); 7] = [
        ("conv1.weight", &[64, 3, 7, 7]),
        ("layer1.0.downsample.0.weight", &[256, 64, 1, 1]),
        ("layer1.2.conv1.weight", &[64, 256, 1, 1]),
        ("layer2.0.conv2.weight", &[128, 128, 3, 3]),
        ("layer3.5.bn3.running_var", &[1024]),
        ("layer4.0.downsample.1.running_mean", &[2048]),
        ("fc.weight", &[1000, 2048]),
    ];
    for (name, shape) in expected {
        assert_eq!(shapes[name], shape, "{name}");
    }
    // 53 convolutions, as many norms of 4 tensors, the classifier.
    assert_eq!(shapes.len(), 53 + 53 * 4 + 2);
    assert!(!shapes.contains_key("layer1.1.downsample.0.weight"));
}

fn config<B: Block>() -> Config<B> {
    let (widths, blocks) = ([2, 3, 4, 5], [2, 1, 1, 2]);
    Config { stem: 2, widths, num_classes: 7, bn_eps: 1e-3, ..Config::imagenet(blocks) }
}

#[test]
fn a_stage_without_blocks_is_refused() {
    let config = Config { blocks: [1, 1, 0, 1], ..config::<BasicBlock>() };
    let error = ResNet::load(VarBuilder::zeros(DType::F32, &Device::Cpu), &config).map(|_| ()).unwrap_err();
    assert!(error.to_string().contains("`layer3` has no blocks"), "{error}");
}

fn random(shape: impl Into<Shape>) -> Result<Tensor> {
    Tensor::randn(0f32, 1.0, shape, &Device::Cpu)
}

/// A model with random weights everywhere, also where a new one has ones and zeros.
fn model<B: Block>(config: &Config<B>) -> Result<(VarMap, ResNet<B>)> {
    let vars = VarMap::new();
    let vb = VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu);
    ResNet::load(vb.clone(), config)?;
    for (name, var) in vars.data().lock().unwrap().iter() {
        let value = random(var.shape())?;
        var.set(&if name.ends_with("running_var") { (value.abs()? + 0.5)? } else { value })?;
    }
    Ok((vars, ResNet::load(vb, config)?))
}

/// A bottleneck of torchvision written out from the weights: the norm as in its definition, the stride in the 3 × 3.
fn bottleneck(weights: &HashMap<String, Tensor>, block: &str, x: &Tensor, stride: usize) -> Result<Tensor> {
    let conv = |x: &Tensor, name: &str, stride| {
        let weight = &weights[&format!("{block}.{name}.weight")];
        x.conv2d(weight, weight.dim(2)? / 2, stride, 1, 1)
    };
    let norm = |x: &Tensor, name: &str| {
        let of = |part: &str| weights[&format!("{block}.{name}.{part}")].reshape((1, (), 1, 1));
        let scale = (of("weight")? / (of("running_var")? + 1e-3)?.sqrt()?)?;
        let shift = (of("bias")? - (of("running_mean")? * &scale)?)?;
        x.broadcast_mul(&scale)?.broadcast_add(&shift)
    };
    let first = norm(&conv(x, "conv1", 1)?, "bn1")?.relu()?;
    let second = norm(&conv(&first, "conv2", stride)?, "bn2")?.relu()?;
    let third = norm(&conv(&second, "conv3", 1)?, "bn3")?;
    let identity = match weights.contains_key(&format!("{block}.downsample.0.weight")) {
        true => norm(&conv(x, "downsample.0", stride)?, "downsample.1")?,
        false => x.clone(),
    };
    (third + identity)?.relu()
}

#[test]
fn bottlenecks_are_those_of_the_paper() -> Result<()> {
    let (vars, model) = model(&config::<Bottleneck>())?;
    let (_, taps) = model.forward_with_taps(&random((2, 3, 32, 32))?)?;
    let vars = vars.data().lock().unwrap();
    let weights = vars.iter().map(|(name, var)| (name.clone(), var.as_tensor().clone())).collect();
    let stages = [&taps.layer1, &taps.layer2, &taps.layer3, &taps.layer4];
    let mut x = taps.maxpool;
    for (stage, blocks) in (1..).zip(stages) {
        for (index, block) in blocks.iter().enumerate() {
            let stride = if stage > 1 && index == 0 { 2 } else { 1 };
            let expected = bottleneck(&weights, &format!("layer{stage}.{index}"), &x, stride)?;
            let scale = expected.abs()?.max_all()?.to_scalar::<f32>()?;
            let error = (&block.output - &expected)?.abs()?.max_all()?.to_scalar::<f32>()?;
            assert!(scale > 0.1 && error <= 1e-5 * scale, "layer{stage}.{index}: {error} of {scale}");
            x = block.output.clone();
        }
    }
    assert_eq!(x.dims(), [2, 20, 1, 1]);
    Ok(())
}

#[test]
fn sizes_round_up() -> Result<()> {
    let (_, model) = model(&config::<BasicBlock>())?;
    let images = random((1, 3, 37, 50))?;
    let (pool, last) = model.capture(&images, |t| (t.maxpool, t.layer4.at(-1).output))?;
    assert_eq!((pool.dims(), last.dims()), (&[1, 2, 10, 13][..], &[1, 5, 2, 2][..]));
    assert_eq!(model.forward(&images)?.dims(), [1, 7]);
    Ok(())
}
