//! Every tensor inside MobileNetV2 against torchvision's, and proof that the comparison finds typical mistakes.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{BatchNorm, VarBuilder};
use serde_json::json;
use taper_models::Pretrained;
use taper_models::mobilenet_v2::{Config, MobileNetV2};
use taper_tests::fixtures::assert_error;
use taper_tests::originals::pretrained;
use taper_tests::parity::Golden;
use taper_tests::rows::{Row, compare_all, first_to_diverge, left_over, report, row};

/// A convolution, its norm and its ReLU6 by the place of the three in the original.
fn conv(tap: &str, module: &str) -> Vec<Row> {
    let at = |part: &str, golden: &str| row(format!("{tap}.{part}"), format!("module.{module}{golden}"));
    vec![at("conv", ".0"), at("bn", ".1"), at("output", ".2"), at("output", "")]
}

/// Every row in the order of execution.
///
/// The original has the parts of a block in a chain, `conv`, whose output is that of its last part; dropout does nothing in
/// evaluation, so its output is what is pooled.
fn rows(model: &MobileNetV2) -> Vec<Row> {
    let mut rows = conv("stem", "features.0");
    for (i, block) in model.blocks.iter().enumerate() {
        let (tap, module) = (format!("blocks.{i}"), format!("features.{}", i + 1));
        let mut parts = 0;
        let mut next = || {
            parts += 1;
            format!("{module}.conv.{}", parts - 1)
        };
        if block.expand.is_some() {
            rows.extend(conv(&format!("{tap}.expand"), &next()));
        }
        rows.extend(conv(&format!("{tap}.depthwise"), &next()));
        rows.push(row(format!("{tap}.project"), format!("module.{}", next())));
        rows.push(row(format!("{tap}.bn"), format!("module.{}", next())));
        rows.push(row(format!("{tap}.bn"), format!("module.{module}.conv")));
        rows.push(row(format!("{tap}.output"), format!("module.{module}")));
    }
    rows.extend(conv("last", &format!("features.{}", model.blocks.len() + 1)));
    rows.extend([
        row("last.output", "module.features"),
        row("pooled", "module.classifier.0"),
        row("classifier", "module.classifier.1"),
        row("classifier", "module.classifier"),
        row("output", "output"),
    ]);
    rows
}

#[test]
fn every_tap_is_that_of_the_original() -> Result<()> {
    for name in ["mobilenet_v2", "mobilenet_v2_odd"] {
        let golden = Golden::open(name)?;
        let model = pretrained::<MobileNetV2>(&golden, |_| ())?;
        compare_all(&model, &golden, &rows(&model))?;
    }
    Ok(())
}

/// A convolution, its norm and its ReLU6, if it has one, as Hugging Face has them.
fn hugging_face_conv(taps: [&str; 3], module: &str) -> Vec<Row> {
    let [conv, bn, output] = taps;
    let at = |tap: &str, part: &str| row(tap, format!("module.mobilenet_v2.{module}{part}"));
    let mut rows = vec![at(conv, ".convolution"), at(bn, ".normalization")];
    if output != bn {
        rows.push(at(output, ".activation"));
    }
    rows.push(at(output, ""));
    rows
}

/// Every row of Hugging Face's in the order of execution: its stem has our stem and our first block.
fn hugging_face_rows(model: &MobileNetV2) -> Vec<Row> {
    let conv = |tap: &str, module: &str| {
        let [conv, bn, output] = ["conv", "bn", "output"].map(|part| format!("{tap}.{part}"));
        hugging_face_conv([&conv, &bn, &output], module)
    };
    let mut rows = conv("stem", "conv_stem.first_conv");
    for i in 0..model.blocks.len() {
        let tap = format!("blocks.{i}");
        let module = if i == 0 { "conv_stem".to_owned() } else { format!("layer.{}", i - 1) };
        if i > 0 {
            rows.extend(conv(&format!("{tap}.expand"), &format!("{module}.expand_1x1")));
        }
        rows.extend(conv(&format!("{tap}.depthwise"), &format!("{module}.conv_3x3")));
        let [project, bn] = ["project", "bn"].map(|part| format!("{tap}.{part}"));
        rows.extend(hugging_face_conv([&project, &bn, &bn], &format!("{module}.reduce_1x1")));
        rows.push(row(format!("{tap}.output"), format!("module.mobilenet_v2.{module}")));
    }
    rows.extend(conv("last", "conv_1x1"));
    rows.extend([
        row("last.output", "module.mobilenet_v2"),
        row("pooled", "module.dropout"),
        row("classifier", "module.classifier"),
        row("output", "output"),
    ]);
    rows
}

#[test]
fn every_tap_of_a_folder_of_hugging_faces_is_that_of_the_original() -> Result<()> {
    for name in ["mobilenet_v2_same", "mobilenet_v2_floor"] {
        let golden = Golden::open(name)?;
        let model = MobileNetV2::from_folder(golden.file(""), DType::F32, &Device::Cpu)?;
        let rows = hugging_face_rows(&model);
        // What is pooled has two dimensions of one there.
        let report = report(&model, &golden, &rows)?.into_result()?;
        assert_eq!(left_over(&report), ["module.mobilenet_v2.pooler"], "{name}");
    }
    Ok(())
}

/// A convolution, its norm and its ReLU6 as timm has them: the last in the norm, behind a dropout that does nothing.
fn timm_conv(tap: &str, conv: &str, norm: &str) -> Vec<Row> {
    let at = |part: &str, golden: String| row(format!("{tap}.{part}"), golden);
    vec![
        at("conv", format!("module.{conv}")),
        at("bn", format!("module.{norm}.drop")),
        at("output", format!("module.{norm}.act")),
        at("output", format!("module.{norm}")),
    ]
}

/// Every row of timm's in the order of execution.
fn timm_rows(model: &MobileNetV2, stages: &[usize]) -> Vec<Row> {
    let mut rows = timm_conv("stem", "conv_stem", "bn1");
    let modules = stages.iter().enumerate().flat_map(|(stage, &len)| (0..len).map(move |i| (stage, i, i + 1 == len)));
    for (i, (stage, place, last)) in modules.enumerate() {
        let (tap, module) = (format!("blocks.{i}"), format!("blocks.{stage}.{place}"));
        let conv = |part: &str, conv: &str, norm: &str| {
            timm_conv(&format!("{tap}.{part}"), &format!("{module}.{conv}"), &format!("{module}.{norm}"))
        };
        let (project, norm) = if model.blocks[i].expand.is_some() {
            rows.extend(conv("expand", "conv_pw", "bn1"));
            rows.extend(conv("depthwise", "conv_dw", "bn2"));
            ("conv_pwl", "bn3")
        } else {
            rows.extend(conv("depthwise", "conv_dw", "bn1"));
            ("conv_pw", "bn2")
        };
        rows.push(row(format!("{tap}.project"), format!("module.{module}.{project}")));
        rows.push(row(format!("{tap}.bn"), format!("module.{module}.{norm}")));
        rows.push(row(format!("{tap}.output"), format!("module.{module}")));
        if last {
            rows.push(row(format!("{tap}.output"), format!("module.blocks.{stage}")));
        }
    }
    rows.push(row(format!("blocks.{}.output", model.blocks.len() - 1), "module.blocks"));
    rows.extend(timm_conv("last", "conv_head", "bn2"));
    rows.extend([row("pooled", "module.global_pool"), row("classifier", "module.classifier"), row("output", "output")]);
    rows
}

#[test]
fn every_tap_of_timms_is_that_of_the_original() -> Result<()> {
    let golden = Golden::open("mobilenet_v2_timm")?;
    let model = pretrained::<MobileNetV2>(&golden, |_| ())?;
    let report = report(&model, &golden, &timm_rows(&model, &[1, 2, 2, 1]))?.into_result()?;
    // What does nothing: parts that other networks of timm's have, and the parts of norms and of the pooling.
    let nothing = [".aa", ".se", ".drop", ".act", ".drop_path", "global_pool.pool", "global_pool.flatten"];
    let rest: Vec<_> =
        left_over(&report).into_iter().filter(|name| !nothing.iter().any(|n| name.ends_with(n))).collect();
    assert!(rest.is_empty(), "{rest:?}");
    Ok(())
}

/// timm's configuration names the sizes.
#[test]
fn configurations_of_timms_are_read_and_those_that_do_not_fit_refused() {
    let read = |fields: serde_json::Value| {
        let mut config = json!({"architecture": "mobilenetv2_140", "num_classes": 7, "num_features": 1792});
        config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value::<Config>(config).map_err(|error| error.to_string())
    };
    let arguments = json!({"in_chans": 3, "num_classes": 7, "global_pool": "avg", "drop_rate": 0.2, "act_layer": null});
    for fields in [json!({}), json!({"model_args": arguments}), json!({"pretrained_cfg": {"input_size": [3, 96, 96]}})]
    {
        let config = read(fields).unwrap();
        assert_eq!((config.width_mult, config.num_classes, config.bn_eps), (1.4, 7, 1e-5));
        assert!(!config.tf_padding && !config.hugging_face);
    }
    for (fields, part) in [
        (json!({"architecture": "mobilenetv2_120d"}), "`architecture` is `mobilenetv2_120d`"),
        (json!({"model_args": {"act_layer": "silu"}}), "`model_args.act_layer` is \"silu\""),
        (json!({"model_args": {"global_pool": "max"}}), "`global_pool` is `max`"),
        (json!({"model_args": {"num_classes": 8}}), "`num_classes` is 7"),
        (json!({"pretrained_cfg": {"input_size": [1, 96, 96]}}), "`in_chans` is 1"),
    ] {
        let error = read(fields).unwrap_err();
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn what_hugging_face_does_otherwise_is_seen() -> Result<()> {
    let first = |name: &str, change: fn(&mut Config)| {
        let golden = Golden::open(name)?;
        let model = pretrained::<MobileNetV2>(&golden, change)?;
        first_to_diverge(&model, &golden, &hugging_face_rows(&model))
    };
    assert_eq!(first("mobilenet_v2_same", |config| config.tf_padding = false)?, "stem.conv");
    assert_eq!(first("mobilenet_v2_floor", |config| config.tf_padding = true)?, "stem.conv");
    // Its first block adds nothing to what it gives, though the shapes are the same.
    assert_eq!(first("mobilenet_v2_floor", |config| config.hugging_face = false)?, "blocks.0.output");
    Ok(())
}

#[test]
fn what_is_not_supported_of_hugging_faces_is_refused_by_name() {
    let read = |field: &str, value: serde_json::Value| {
        let mut config = json!({"model_type": "mobilenet_v2", "depth_multiplier": 1.0});
        config[field] = value;
        serde_json::from_value::<Config>(config)
    };
    let plain = read("depth_multiplier", json!(1.4)).unwrap();
    assert_eq!((plain.last_channel, plain.num_classes, plain.bn_eps), (Some(1792), 2, 1e-3));
    assert!(plain.tf_padding && plain.hugging_face);
    assert_eq!(read("depth_multiplier", json!(0.35)).unwrap().last_channel, Some(1280));
    for (field, value) in [
        ("output_stride", json!(8)),
        ("first_layer_is_expansion", json!(false)),
        ("hidden_act", json!("silu")),
        ("num_channels", json!(1)),
        ("expand_ratio", json!(1.5)),
    ] {
        assert_error(read(field, value), &[&format!("field `{field}`"), "supported"]);
    }
}

/// The first tap to diverge in a model that `change` got at.
fn first_with(change: impl FnOnce(&mut Config), spoil: impl FnOnce(&mut MobileNetV2)) -> Result<String> {
    let golden = Golden::open("mobilenet_v2")?;
    let mut model = pretrained::<MobileNetV2>(&golden, change)?;
    spoil(&mut model);
    first_to_diverge(&model, &golden, &rows(&model))
}

#[test]
fn mistakes_diverge_where_they_are() -> Result<()> {
    assert_eq!(first_with(|config| config.bn_eps = 1e-3, |_| ())?, "stem.bn");
    assert_eq!(first_with(|_| (), |model| model.blocks[2].residual ^= true)?, "blocks.2.output");
    let strided = first_with(|config| config.inverted_residual_setting[3][3] = 2, |_| ())?;
    assert_eq!(strided, format!("blocks.{}.depthwise.conv", 5));
    // A swapped norm.
    let swapped = first_with(
        |_| (),
        |model| {
            let block = &mut model.blocks[1];
            let expand = block.expand.as_mut().expect("the block widens");
            std::mem::swap(&mut expand.bn, &mut block.depthwise.bn);
        },
    )?;
    assert_eq!(swapped, "blocks.1.expand.bn");
    Ok(())
}

/// Channels are those of torchvision's own table.
#[test]
fn the_default_is_torchvisions() -> Result<()> {
    let model = MobileNetV2::load(VarBuilder::zeros(DType::F32, &Device::Cpu), &Config::default())?;
    let widths = |bn: &BatchNorm| bn.running_mean().elem_count();
    assert_eq!(model.blocks.len(), 17);
    assert_eq!(widths(&model.blocks[16].depthwise.bn), 960);
    assert_eq!((widths(&model.stem.bn), widths(&model.last.bn)), (32, 1280));
    assert_eq!(model.classifier.weight().dims(), [1000, 1280]);
    // `_make_divisible` of 24 · 0.35 is 8, of 32 · 0.35 is 16, not 8, which would be less than nine tenths.
    let config = Config { width_mult: 0.35, ..Config::default() };
    let narrow = MobileNetV2::load(VarBuilder::zeros(DType::F32, &Device::Cpu), &config)?;
    assert_eq!((widths(&narrow.stem.bn), widths(&narrow.blocks[1].bn), widths(&narrow.last.bn)), (16, 8, 1280));
    Ok(())
}

#[test]
fn sizes_that_make_no_sense_are_refused() {
    let load = |config| MobileNetV2::load(VarBuilder::zeros(DType::F32, &Device::Cpu), &config);
    assert_error(load(Config { round_nearest: 0, ..Config::default() }), &["in steps of 0"]);
    assert_error(load(Config { width_mult: -1.0, ..Config::default() }), &["times -1"]);
    let config = Config { inverted_residual_setting: vec![[6, 24, 1, 3]], ..Config::default() };
    assert_error(load(config), &["stride is 1 or 2", "6 and 3"]);
}

#[test]
fn logits_do_not_depend_on_the_rest_of_the_batch() -> Result<()> {
    let golden = Golden::open("mobilenet_v2")?;
    let model = pretrained::<MobileNetV2>(&golden, |_| ())?;
    let image = golden.tensor("input.x");
    let both = model.forward(&Tensor::cat(&[image, &image.neg()?], 0)?)?;
    let error = taper_tests::parity::max_error(&both.narrow(0, 0, 1)?, golden.tensor("output"))?;
    assert!(error <= taper_tests::parity::TOLERANCE, "{error}");
    Ok(())
}
