//! ResNets of both kinds of blocks, of images with odd sizes and of Hugging Face's configurations, tap by tap.

use candle_core::{DType, Device, Result};
use serde_json::json;
use taper::Weights;
use taper::layers::Conv2d;
use taper_models::Pretrained;
use taper_models::resnet::{BasicBlock, Block, Bottleneck, Config, ResNet};
use taper_tests::fixtures::assert_error;
use taper_tests::originals::{Original, pretrained};
use taper_tests::parity::Golden;
use taper_tests::rows::{Row, compare_all, first_to_diverge, left_over, report, row};

/// What a stage is made of: how many blocks, and whether the first has a downsampling.
type Stage = (usize, bool);

/// Every row in the order of execution. A block calls its one ReLU several times; the reference is of the first call.
fn rows<B: Block>(stages: [Stage; 4]) -> Vec<Row> {
    let mut rows: Vec<_> = ["conv1", "bn1", "relu", "maxpool"].map(|name| row(name, format!("module.{name}"))).into();
    for (i, (blocks, downsamples)) in (1..).zip(stages) {
        for block in 0..blocks {
            let at = format!("layer{i}.{block}");
            let mut names =
                vec![("conv1", "conv1"), ("bn1", "bn1"), ("relu1", "relu"), ("conv2", "conv2"), ("bn2", "bn2")];
            if B::EXPANSION == 4 {
                names.extend([("conv3", "conv3"), ("bn3", "bn3")]);
            }
            if block == 0 && downsamples {
                names.extend([("downsample.conv", "downsample.0"), ("downsample.bn", "downsample.1")]);
                names.push(("downsample.output", "downsample"));
            }
            rows.extend(names.iter().map(|(tap, module)| row(format!("{at}.{tap}"), format!("module.{at}.{module}"))));
            rows.push(row(format!("{at}.output"), format!("module.{at}")));
        }
        rows.push(row(format!("layer{i}.{}.output", blocks - 1), format!("module.layer{i}")));
    }
    rows.extend([row("avgpool", "module.avgpool"), row("fc", "module.fc"), row("output", "output")]);
    rows
}

/// The last of two blocks widens nothing.
const BOTTLENECK: [Stage; 4] = [(1, true), (2, true), (1, true), (1, true)];
const ODD: [Stage; 4] = [(2, true), (1, true), (2, true), (1, true)];

#[test]
fn every_tap_of_bottlenecks_is_that_of_the_original() -> Result<()> {
    let golden = Golden::open("resnet_bottleneck")?;
    compare_all(&pretrained::<ResNet<Bottleneck>>(&golden, |_| ())?, &golden, &rows::<Bottleneck>(BOTTLENECK))
}

#[test]
fn every_tap_of_basic_blocks_is_that_of_the_original() -> Result<()> {
    let golden = Golden::open("resnet_odd")?;
    compare_all(&pretrained::<ResNet<BasicBlock>>(&golden, |_| ())?, &golden, &rows::<BasicBlock>(ODD))
}

/// Hugging Face's modules by torchvision's names.
fn hugging_face_rows<B: Block>(stages: [Stage; 4]) -> Vec<Row> {
    let stem = [("convolution", "conv1"), ("normalization", "bn1"), ("activation", "relu")];
    let stem = stem.map(|(module, tap)| row(tap, format!("module.resnet.embedder.embedder.{module}")));
    let mut rows = Vec::from(stem);
    rows.extend([row("relu", "module.resnet.embedder.embedder"), row("maxpool", "module.resnet.embedder.pooler")]);
    rows.push(row("maxpool", "module.resnet.embedder"));
    for (i, (blocks, downsamples)) in stages.into_iter().enumerate() {
        for block in 0..blocks {
            let (tap, module) =
                (format!("layer{}.{block}", i + 1), format!("module.resnet.encoder.stages.{i}.layers.{block}"));
            // The last layer has no activation of its own.
            let layers: &[[&str; 3]] = match B::EXPANSION {
                4 => &[["conv1", "bn1", "relu1"], ["conv2", "bn2", "relu2"], ["conv3", "bn3", "bn3"]],
                _ => &[["conv1", "bn1", "relu1"], ["conv2", "bn2", "bn2"]],
            };
            for (layer, &[conv, bn, activation]) in layers.iter().enumerate() {
                let parts = [("convolution", conv), ("normalization", bn), ("activation", activation)];
                rows.extend(
                    parts.map(|(part, name)| row(format!("{tap}.{name}"), format!("{module}.layer.{layer}.{part}"))),
                );
                rows.push(row(format!("{tap}.{activation}"), format!("{module}.layer.{layer}")));
            }
            rows.push(row(format!("{tap}.bn{}", layers.len()), format!("{module}.layer")));
            match block {
                0 if downsamples => {
                    let parts = [(".convolution", "conv"), (".normalization", "bn"), ("", "output")];
                    let downsample =
                        |(part, name)| row(format!("{tap}.downsample.{name}"), format!("{module}.shortcut{part}"));
                    rows.extend(parts.map(downsample));
                }
                // What is added as it is.
                0 => rows.push(row("maxpool", format!("{module}.shortcut"))),
                _ => rows.push(row(format!("layer{}.{}.output", i + 1, block - 1), format!("{module}.shortcut"))),
            }
            rows.push(row(format!("{tap}.output"), format!("{module}.activation")));
            rows.push(row(format!("{tap}.output"), module));
        }
        rows.push(row(format!("layer{}.{}.output", i + 1, blocks - 1), format!("module.resnet.encoder.stages.{i}")));
    }
    let last = format!("layer4.{}.output", stages[3].0 - 1);
    rows.extend(["resnet.encoder", "resnet"].map(|module| row(last.clone(), format!("module.{module}"))));
    rows.extend([
        row("avgpool", "module.resnet.pooler"),
        row("fc", "module.classifier.1"),
        row("fc", "module.classifier"),
    ]);
    rows.push(row("output", "output"));
    rows
}

#[test]
fn hugging_faces_names_and_configurations_load() -> Result<()> {
    hugging_face_loads::<Bottleneck>("resnet_hugging_face", BOTTLENECK)?;
    // The first stage halves the image too, so that all of them begin with a downsampling.
    hugging_face_loads::<Bottleneck>("resnet_strides", [(2, true), (1, true), (1, true), (1, true)])?;
    hugging_face_loads::<BasicBlock>("resnet_strides_basic", [(1, true), (2, true), (1, true), (1, true)])
}

fn hugging_face_loads<B: Block>(name: &str, stages: [Stage; 4]) -> Result<()>
where
    ResNet<B>: Original,
{
    let golden = Golden::open(name)?;
    let model = ResNet::<B>::from_folder(golden.file(""), DType::F32, &Device::Cpu)?;
    let rows = hugging_face_rows::<B>(stages);
    // The head flattens first: what it gives has no dimensions of one.
    let flat = row("avgpool", "module.classifier.0");
    assert_eq!(golden.tensor(&flat.golden).elem_count(), golden.tensor("module.resnet.pooler").elem_count());
    let report = report(&model, &golden, &rows)?.into_result()?;
    assert_eq!(left_over(&report), [flat.golden]);
    Ok(())
}

fn first_with<B: Block>(name: &str, stages: [Stage; 4], spoil: impl FnOnce(&mut ResNet<B>)) -> Result<String>
where
    ResNet<B>: Original,
{
    let golden = Golden::open(name)?;
    let mut model = pretrained::<ResNet<B>>(&golden, |_| ())?;
    spoil(&mut model);
    first_to_diverge(&model, &golden, &rows::<B>(stages))
}

#[test]
fn mistakes_diverge_where_they_are() -> Result<()> {
    let golden = Golden::open("resnet_bottleneck")?;
    let epsilon = pretrained::<ResNet<Bottleneck>>(&golden, |config| config.bn_eps = 1e-3)?;
    assert_eq!(first_to_diverge(&epsilon, &golden, &rows::<Bottleneck>(BOTTLENECK))?, "bn1");
    // The stride in the first convolution, as in the paper, and not in the second, as in torchvision.
    let strided = first_with::<Bottleneck>("resnet_bottleneck", BOTTLENECK, |model| {
        let block = &mut model.layer3[0];
        let with_stride = |conv: &Conv2d, stride| {
            let config = candle_nn::Conv2dConfig { stride, ..*conv.config() };
            Conv2d::from(candle_nn::Conv2d::new(conv.weight().clone(), None, config))
        };
        (block.conv1, block.conv2) = (with_stride(&block.conv1, 2), with_stride(&block.conv2, 1));
    })?;
    assert_eq!(strided, "layer3.0.conv1");
    let order = first_with::<BasicBlock>("resnet_odd", ODD, |model| {
        let block = &mut model.layer1[1];
        std::mem::swap(&mut block.bn1, &mut block.bn2);
    })?;
    assert_eq!(order, "layer1.1.bn1");
    Ok(())
}

#[test]
fn configurations_of_timm_are_read_and_those_that_do_not_fit_refused() {
    let read = |json| serde_json::from_value::<Config<Bottleneck>>(json);
    let timm = read(json!({"architecture": "resnet101", "num_classes": 7, "num_features": 2048})).unwrap();
    assert_eq!((timm.blocks, timm.widths, timm.num_classes), ([3, 4, 23, 3], [64, 128, 256, 512], 7));
    let refused = [
        (json!({"architecture": "resnet18", "num_classes": 7}), "the blocks are `basic`"),
        (json!({"architecture": "resnet50d", "num_classes": 7}), "`resnet50d`"),
        (json!({"architecture": "resnet50"}), "missing field `num_classes`"),
        (json!({"stem": 8, "blocks": [1, 1, 1, 1], "num_classes": 3}), "missing field `widths`"),
        (json!({"depths": [1, 1, 1, 1], "hidden_sizes": [4, 4, 4, 4]}), "missing field `embedding_size`"),
    ];
    for (json, part) in refused {
        assert_error(read(json), &[part]);
    }
    let mut gelu = json!({"depths": [1, 1, 1, 1], "hidden_sizes": [8, 8, 8, 8], "embedding_size": 4,
                          "layer_type": "bottleneck", "hidden_act": "gelu"});
    assert_error(read(gelu.clone()), &["`hidden_act` is not `relu`"]);
    gelu["hidden_act"] = json!("relu");
    read(gelu).unwrap();
    let hugging_face = |first: bool, layer_type: &str, width: usize| {
        read(json!({"depths": [1, 1, 1, 1], "hidden_sizes": [width, 8, 8, 8], "embedding_size": 4,
                    "layer_type": layer_type, "downsample_in_first_stage": first}))
    };
    let sizes = hugging_face(false, "bottleneck", 8).unwrap();
    // Classes that are not named are two.
    assert_eq!((sizes.widths, sizes.stem, sizes.num_classes), ([2, 2, 2, 2], 4, 2));
    assert_eq!((sizes.strides, hugging_face(true, "bottleneck", 8).unwrap().strides), ([1, 2, 2, 2], [2, 2, 2, 2]));
    assert_error(hugging_face(false, "basic", 8), &["the blocks are `basic`"]);
    assert_error(hugging_face(false, "bottleneck", 6), &["`hidden_sizes`", "multiples of 4"]);
}

/// A file of the other kind of blocks lacks what is asked for, and the error says what.
#[test]
fn weights_of_the_other_kind_are_refused() -> Result<()> {
    let golden = Golden::open("resnet_odd")?;
    let weights = Weights::safetensors([golden.file("model.safetensors")], DType::F32, &Device::Cpu)?;
    let config = Config { num_classes: 10, ..Config::resnet50() };
    assert_error(
        ResNet::from_weights(weights, &config),
        &["missing `layer1.0.conv3.weight`", "`layer1.0.conv1.weight`"],
    );
    Ok(())
}
