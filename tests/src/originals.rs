//! The models whose references are in `tests/data`, with the weights of the original.

use std::fs;
use std::marker::PhantomData;

use candle_core::{DType, Device, Error, Result, Tensor};
use serde_json::Value;
use taper::{Model, Weights};
use taper_models::gpt2::Gpt2;
use taper_models::llama::Llama;
use taper_models::neox::NeoX;
use taper_models::pretrained::{Pretrained, read_config};
use taper_models::resnet::{BasicBlock, Config, ResNet};

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

impl Original for NeoX {
    fn args(golden: &Golden) -> Self::Args<'_> {
        (golden.tensor("input.input_ids"), None)
    }
}

impl Original for ResNet<BasicBlock> {
    fn args(golden: &Golden) -> Self::Args<'_> {
        (golden.tensor("input.x"),)
    }
}

fn weights(golden: &Golden) -> Result<Weights> {
    Weights::safetensors([golden.file("model.safetensors")], DType::F32, &Device::Cpu)
}

/// The model of the reference `gpt2`.
pub fn gpt2(golden: &Golden) -> Result<Gpt2> {
    Gpt2::from_weights(weights(golden)?, &read_config(golden.file("config.json"))?)
}

/// The references of the Llama family.
pub const LLAMAS: [&str; 12] = [
    "llama",
    "llama_tied",
    "llama_heads",
    "llama_multi_query",
    "llama_rope_linear",
    "llama_rope_llama3",
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

/// The references of GPT-NeoX: attention and MLP side by side, and one after the other.
pub const NEOXES: [&str; 2] = ["neox", "neox_serial"];

/// The model of one of [`NEOXES`].
pub fn neox(golden: &Golden) -> Result<NeoX> {
    NeoX::from_weights(weights(golden)?, &read_config(golden.file("config.json"))?)
}

/// The model of the reference `resnet`.
pub fn resnet(golden: &Golden) -> Result<ResNet<BasicBlock>> {
    weights(golden)?.load(|vb| ResNet::load(vb, &resnet_config(golden)))
}

/// The configuration of the reference `resnet`.
pub fn resnet_config(golden: &Golden) -> Config<BasicBlock> {
    let text = fs::read_to_string(golden.file("config.json")).expect("the configuration");
    let json: Value = serde_json::from_str(&text).expect("a configuration");
    let number = |value: &Value| usize::try_from(value.as_u64().expect("a number")).expect("a size");
    let four = |value: &Value| std::array::from_fn(|i| number(&value[i]));
    Config {
        stem: number(&json["stem"]),
        widths: four(&json["widths"]),
        blocks: four(&json["blocks"]),
        num_classes: number(&json["num_classes"]),
        bn_eps: json["bn_eps"].as_f64().expect("a number"),
        block: PhantomData,
    }
}
