//! Which of the models that share a type a folder is of.

use candle_core::{DType, Device, Result};
use taper_models::{AnyModel, open};
use taper_tests::parity::{Golden, TOLERANCE, max_error};

#[test]
fn configuration_and_weights_pick_the_model() -> Result<()> {
    for name in ["vit", "vit_wide", "clip", "resnet_hugging_face"] {
        let golden = Golden::open(name)?;
        let images = golden.tensor(if name.starts_with("resnet") { "input.x" } else { "input.pixel_values" });
        let output = match (name, open(golden.file(""), DType::F32, &Device::Cpu)?) {
            ("vit", AnyModel::VitClassifier(model)) => model.forward(images)?,
            ("vit_wide", AnyModel::Vit(model)) => model.forward(images)?,
            ("clip", AnyModel::Clip(model)) => model.forward(images, golden.tensor("input.input_ids"))?,
            ("resnet_hugging_face", AnyModel::ResNetOfBottlenecks(model)) => model.forward(images)?,
            (name, other) => panic!("`{name}` is opened as another model of `{}`", other.model_type()),
        };
        assert!(max_error(&output, golden.tensor("output"))? <= TOLERANCE, "{name}");
    }
    Ok(())
}
