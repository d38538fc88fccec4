//! Architectures that people use, written with [`taper`]: each is one readable file, loads the checkpoints of its
//! original, and gives every tensor inside it by its field.
//!
//! ```no_run
//! use candle_core::{DType, Device, Tensor};
//! use taper::interventions::{at, zero};
//! use taper_models::{Generation, Pretrained, gpt2::Gpt2};
//!
//! // A folder as Hugging Face has it. `taper_models::open` picks the architecture by the configuration.
//! let model = Gpt2::from_folder("models/gpt2", DType::F32, &Device::Cpu)?;
//! let ids = Tensor::new(&[[464u32, 3797, 3332]], &Device::Cpu)?;
//!
//! // Every tensor of one pass; the second argument is the past of a text that is gone on with.
//! let (logits, taps) = model.forward_with_taps(&ids, None)?;
//! println!("{} {}", logits, taps.blocks[5].attn.pattern);
//!
//! // Generation, from any run: here with a head switched off.
//! let run = model.run().edit(|t| t.blocks[5].attn.z, at(1, 3, zero()));
//! let mut text = Generation::new(&run, &ids, ());
//! text.greedy(20)?;
//! println!("{}", text.ids());
//! # Ok::<(), candle_core::Error>(())
//! ```
//!
//! | module | checkpoints | original |
//! |---|---|---|
//! | [`gpt2`] | GPT-2, DistilGPT-2 | `GPT2LMHeadModel` |
//! | [`neox`] | GPT-NeoX, Pythia | `GPTNeoXForCausalLM` |
//! | [`llama`] | Llama 2 and 3, Mistral, Qwen2, Qwen3, Gemma, Gemma 2; as GGUF too | `LlamaForCausalLM` and the like |
//! | [`bert`] | BERT, RoBERTa; sentence embeddings by [`Pooling`] | `BertModel`, `RobertaModel` |
//! | [`t5`] | T5, T5 v1.1, Flan-T5, mT5 | `T5ForConditionalGeneration`, `MT5ForConditionalGeneration` |
//! | [`whisper`] | Whisper | `WhisperForConditionalGeneration` |
//! | [`vit`] | ViT | `ViTForImageClassification`, `ViTModel`; timm's |
//! | [`clip`] | CLIP, both towers | `CLIPModel` |
//! | [`resnet`] | ResNet 18, 34, 50, 101, 152 | torchvision's `resnet18` …, Hugging Face's, timm's |
//! | [`mobilenet_v2`] | MobileNetV2 | torchvision's `mobilenet_v2`, `MobileNetV2ForImageClassification`, timm's |
//!
//! Fields have the same names in every architecture where they are the same thing, and [`names`] maps them to those of
//! TransformerLens and of Hugging Face. What decoders share is [`Decoder`].

pub mod any;
pub mod bert;
pub mod clip;
mod config;
pub mod decoder;
pub mod generate;
pub mod gpt2;
#[cfg(feature = "hub")]
pub mod hub;
pub mod llama;
pub mod mobilenet_v2;
pub mod neox;
pub mod past;
pub mod pooling;
#[doc = include_str!("../docs/names.md")]
pub mod names {}
pub mod pretrained;
pub mod resnet;
pub mod shared;
pub mod source;
pub mod t5;
pub mod vit;
pub mod whisper;

// Here, because it speaks of the models too.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub use any::{AnyModel, Architecture, open};
pub use decoder::Decoder;
pub use generate::Generation;
#[cfg(feature = "hub")]
pub use hub::open_hub;
pub use past::Past;
pub use pooling::Pooling;
pub use pretrained::Pretrained;
pub use source::Source;
