//! Which of the models that share a type a folder is of.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{VarBuilder, VarMap};
use taper_models::resnet::{Config, ResNet};
use taper_models::{AnyModel, open};
use taper_tests::fixtures::{assert_error, assert_same};
use taper_tests::parity::{Golden, TOLERANCE, max_error};

use super::Folder;

#[test]
fn configuration_and_weights_pick_the_model() -> Result<()> {
    for name in
        ["vit", "vit_wide", "clip", "resnet_hugging_face", "resnet_strides_basic", "mobilenet_v2_same", "vit_timm"]
    {
        let golden = Golden::open(name)?;
        let images = golden.tensor(if name.contains("net") { "input.x" } else { "input.pixel_values" });
        let output = match (name, open(golden.file(""), DType::F32, &Device::Cpu)?) {
            ("vit" | "vit_timm", AnyModel::VitClassifier(model)) => model.forward(images)?,
            ("vit_wide", AnyModel::Vit(model)) => model.forward(images)?,
            ("clip", AnyModel::Clip(model)) => model.forward(images, golden.tensor("input.input_ids"), None)?,
            ("resnet_hugging_face", AnyModel::ResNetOfBottlenecks(model)) => model.forward(images)?,
            ("resnet_strides_basic", AnyModel::ResNetOfBasicBlocks(model)) => model.forward(images)?,
            ("mobilenet_v2_same", AnyModel::MobileNetV2(model)) => model.forward(images)?,
            (name, other) => panic!("`{name}` is opened as another model of `{}`", other.model_type()),
        };
        assert!(max_error(&output, golden.tensor("output"))? <= TOLERANCE, "{name}");
    }
    Ok(())
}

/// timm's configuration names the sizes, and has no `model_type`; its names are torchvision's.
#[test]
fn a_resnet_of_timms_is_opened() -> Result<()> {
    let folder = Folder::new("timm");
    std::fs::write(
        folder.path("config.json"),
        r#"{"architecture": "resnet18", "num_classes": 4, "pretrained_cfg": {}}"#,
    )?;
    let vars = VarMap::new();
    let config = Config { num_classes: 4, ..Config::resnet18() };
    let model = ResNet::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu), &config)?;
    vars.save(folder.path("model.safetensors"))?;
    let AnyModel::ResNetOfBasicBlocks(opened) = open(&folder.0, DType::F32, &Device::Cpu)? else {
        panic!("it is opened as another model");
    };
    let images = Tensor::randn(0f32, 1.0, (1, 3, 40, 33), &Device::Cpu)?;
    assert_same(&opened.forward(&images)?, &model.forward(&images)?);
    // Others of timm's are not told apart by their names.
    let unknown = |architecture: &str| {
        let config = format!(r#"{{"architecture": "{architecture}", "num_classes": 4}}"#);
        std::fs::write(folder.path("config.json"), config).unwrap();
        open(&folder.0, DType::F32, &Device::Cpu).map(|_| ())
    };
    assert_error(unknown("resnet50d"), &["config.json", "`architecture` is `resnet50d`", "`resnet18`, `34`"]);
    assert_error(unknown("convnext_tiny"), &["config.json", "timm's `architecture` is `convnext_tiny`", "`resnet`"]);
    Ok(())
}
