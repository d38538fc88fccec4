//! The models whose references are in `tests/data`, with the weights of the original.

use candle_core::{DType, Device, Error, Result, Tensor};
use taper::{Model, Weights};
use taper_models::bert::Bert;
use taper_models::clip::Clip;
use taper_models::gpt2::Gpt2;
use taper_models::llama::Llama;
use taper_models::mobilenet_v2::MobileNetV2;
use taper_models::neox::NeoX;
use taper_models::pretrained::{Pretrained, read_config};
use taper_models::resnet::{BasicBlock, Block, ResNet};
use taper_models::t5::T5;
use taper_models::vit::{Vit, VitClassifier};
use taper_models::whisper::Whisper;

use crate::parity::Golden;

/// A model of which there are references.
pub trait Original: Model<Output = Tensor, Error = Error> {
    /// The inputs of the references.
    fn args(golden: &Golden) -> Self::Args<'_>;
}

impl Original for Gpt2 {
    fn args(golden: &Golden) -> Self::Args<'_> {
        (golden.tensor("input.input_ids"), None)
    }
}

impl Original for Llama {
    fn args(golden: &Golden) -> Self::Args<'_> {
        (golden.tensor("input.input_ids"), None)
    }
}

impl Original for Bert {
    fn args(golden: &Golden) -> Self::Args<'_> {
        (golden.tensor("input.input_ids"), golden.find("input.token_type_ids"), golden.find("input.attention_mask"))
    }
}

impl Original for NeoX {
    fn args(golden: &Golden) -> Self::Args<'_> {
        (golden.tensor("input.input_ids"), None)
    }
}

impl Original for T5 {
    fn args(golden: &Golden) -> Self::Args<'_> {
        let answer = golden.tensor("input.decoder_input_ids");
        (golden.tensor("input.input_ids"), golden.find("input.attention_mask"), answer)
    }
}

impl Original for Whisper {
    fn args(golden: &Golden) -> Self::Args<'_> {
        (golden.tensor("input.input_features"), golden.tensor("input.decoder_input_ids"))
    }
}

impl<B: Block> Original for ResNet<B>
where
    Self: for<'a> Model<Output = Tensor, Error = Error, Args<'a> = (&'a Tensor,)>,
{
    fn args(golden: &Golden) -> Self::Args<'_> {
        (golden.tensor("input.x"),)
    }
}

impl Original for MobileNetV2 {
    fn args(golden: &Golden) -> Self::Args<'_> {
        (golden.tensor("input.x"),)
    }
}

impl Original for Vit {
    fn args(golden: &Golden) -> Self::Args<'_> {
        (golden.tensor("input.pixel_values"),)
    }
}

impl Original for VitClassifier {
    fn args(golden: &Golden) -> Self::Args<'_> {
        (golden.tensor("input.pixel_values"),)
    }
}

impl Original for Clip {
    fn args(golden: &Golden) -> Self::Args<'_> {
        (golden.tensor("input.pixel_values"), golden.tensor("input.input_ids"), golden.find("input.attention_mask"))
    }
}

fn weights(golden: &Golden) -> Result<Weights> {
    Weights::safetensors([golden.file("model.safetensors")], DType::F32, &Device::Cpu)
}

/// The model of references that came with a configuration, as the configuration changed by `change` makes it.
pub fn pretrained<M: Pretrained>(golden: &Golden, change: impl FnOnce(&mut M::Config)) -> Result<M> {
    let mut config = read_config(golden.file("config.json"))?;
    change(&mut config);
    M::from_weights(weights(golden)?, &config)
}

/// The model of the reference `gpt2`.
pub fn gpt2(golden: &Golden) -> Result<Gpt2> {
    Gpt2::from_weights(weights(golden)?, &read_config(golden.file("config.json"))?)
}

/// The references of the Llama family.
pub const LLAMAS: [&str; 14] = [
    "llama",
    "llama_tied",
    "llama_heads",
    "llama_multi_query",
    "llama_rope_linear",
    "llama_rope_llama3",
    "llama_rope_yarn",
    "qwen2_rope_yarn",
    "mistral",
    "qwen2",
    "qwen2_window",
    "qwen3",
    "gemma",
    "gemma2",
];

/// The model of one of [`LLAMAS`].
pub fn llama(golden: &Golden) -> Result<Llama> {
    Llama::from_weights(weights(golden)?, &read_config(golden.file("config.json"))?)
}

/// The references of GPT-NeoX: attention and MLP side by side, and one after the other; and scaled positions.
pub const NEOXES: [&str; 3] = ["neox", "neox_serial", "neox_rope_yarn"];

/// The model of one of [`NEOXES`].
pub fn neox(golden: &Golden) -> Result<NeoX> {
    NeoX::from_weights(weights(golden)?, &read_config(golden.file("config.json"))?)
}

/// The model of the reference `resnet`.
pub fn resnet(golden: &Golden) -> Result<ResNet<BasicBlock>> {
    pretrained(golden, |_| ())
}
