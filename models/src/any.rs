//! Whatever architecture a folder is of.

use std::path::Path;

use candle_core::{DType, Device, Error, Result};
use serde_json::{Map, Value};
use taper::__private::{did_you_mean, near};
use taper::Weights;

use crate::config::Json;
use crate::decoder::Decoder;
use crate::llama::Llama;
use crate::pretrained::{Pretrained, from_parts};
use crate::resnet::{BasicBlock, Bottleneck, ResNet};

/// The model of a folder as Hugging Face has it, of the architecture that its `config.json` says: by `model_type`, or
/// where there is none by `architectures`, or by timm's `architecture`. The weights are read by [`Weights::folder`], as
/// `dtype`, onto `device`. In place of a folder there may be a GGUF file of the Llama family, which [`Llama::from_gguf`]
/// reads.
///
/// ```no_run
/// use candle_core::{DType, Device};
/// use taper_models::AnyModel;
///
/// match taper_models::open("models/gpt2", DType::F32, &Device::Cpu)? {
///     AnyModel::Gpt2(model) => println!("{} blocks", model.blocks.len()),
///     other => println!("{}", other.model_type()),
/// }
/// # Ok::<(), candle_core::Error>(())
/// ```
///
/// # Errors
/// Files that can't be read, a configuration of no architecture of this crate, and those of
/// [`Pretrained::from_weights`]. All name the file, and the field or the tensors.
pub fn open(folder: impl AsRef<Path>, dtype: DType, device: &Device) -> Result<AnyModel> {
    let folder = folder.as_ref();
    if folder.is_file() {
        return Llama::from_gguf(folder, dtype, device).map(|model| AnyModel::Llama(Box::new(model)));
    }
    let architecture = Architecture::of(folder)?;
    architecture.load(Weights::folder(folder, dtype, device)?)
}

/// The architecture of a folder, before its weights are read: [`open`] in two steps, for those who do something with the
/// weights between them.
///
/// ```no_run
/// use candle_core::{DType, Device};
/// use taper::Weights;
/// use taper_models::Architecture;
///
/// let architecture = Architecture::of("models/gpt2")?;
/// let weights = Weights::folder("models/gpt2", DType::F32, &Device::Cpu)?;
/// let model = architecture.load(weights.on_progress(|read, all| eprint!("\r{} %", 100 * read / all.max(1))))?;
/// # Ok::<(), candle_core::Error>(())
/// ```
pub struct Architecture {
    config: Json,
    model_type: &'static str,
}

/// What is done with any language model: a function that is generic over decoders, as an object.
///
/// ```
/// use candle_core::{Result, Tensor};
/// use taper::Model;
/// use taper_models::{Decoder, any::WithDecoder};
///
/// /// The stream after each block: [batch, token, channel].
/// struct Streams<'a>(&'a Tensor);
///
/// impl WithDecoder for Streams<'_> {
///     type Output = Result<Vec<Tensor>>;
///
///     fn run<D: Decoder<Source = ()>>(self, model: &D) -> Self::Output {
///         Model::capture(model, D::args(self.0, &(), None), |t| D::streams(&t))
///     }
/// }
/// ```
pub trait WithDecoder {
    /// What it gives.
    type Output;

    /// Does it.
    fn run<D: Decoder<Source = ()>>(self, model: &D) -> Self::Output;
}

/// One of the architectures.
struct Loader {
    model_types: &'static [&'static str],
    accepts: fn(&Map<String, Value>, &Weights) -> bool,
    load: fn(&Json, Weights) -> Result<AnyModel>,
}

/// Every architecture: the variant, the model, and whether it is a language model.
macro_rules! architectures {
    ($($(#[$doc:meta])* $variant:ident($model:ty) $kind:ident;)*) => {
        /// A model of one of the architectures, as [`open`] gives it.
        #[non_exhaustive]
        pub enum AnyModel {
            $($(#[$doc])* $variant(Box<$model>),)*
        }

        const LOADERS: &[Loader] = &[
            $(Loader {
                model_types: <$model>::MODEL_TYPES,
                accepts: <$model>::accepts,
                load: |config, weights| {
                    from_parts::<$model>(config, weights).map(|model| AnyModel::$variant(Box::new(model)))
                },
            },)*
        ];

        impl AnyModel {
            /// Hugging Face's name of the architecture; the first of them where one file is of several.
            pub fn model_type(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => <$model>::MODEL_TYPES[0],)*
                }
            }

            /// What `f` does with it if it is a language model, which reads tokens and nothing else; else none.
            pub fn with_decoder<F: WithDecoder>(&self, f: F) -> Option<F::Output> {
                match self {
                    $(Self::$variant(_model) => architectures!(@$kind f, _model),)*
                }
            }
        }
    };
    (@decoder $f:ident, $model:ident) => { Some($f.run(&**$model)) };
    (@other $f:ident, $model:ident) => { None };
}

architectures! {
    /// GPT-2.
    Gpt2(crate::gpt2::Gpt2) decoder;
    /// BERT or RoBERTa.
    Bert(crate::bert::Bert) other;
    /// T5, whose decoder is one that reads what its encoder made.
    T5(crate::t5::T5) other;
    /// Whisper, whose decoder is one that reads what its encoder made.
    Whisper(crate::whisper::Whisper) other;
    /// Llama and its relatives.
    Llama(Llama) decoder;
    /// GPT-NeoX, of which Pythia is.
    NeoX(crate::neox::NeoX) decoder;
    /// ViT with a classifier.
    VitClassifier(crate::vit::VitClassifier) other;
    /// ViT without one.
    Vit(crate::vit::Vit) other;
    /// CLIP, both towers.
    Clip(crate::clip::Clip) other;
    /// MobileNetV2.
    MobileNetV2(crate::mobilenet_v2::MobileNetV2) other;
    /// ResNet-50 and larger.
    ResNetOfBottlenecks(ResNet<Bottleneck>) other;
    /// ResNet-18 and 34.
    ResNetOfBasicBlocks(ResNet<BasicBlock>) other;
}

impl Architecture {
    /// That of the `config.json` in `folder`.
    ///
    /// # Errors
    /// A file that can't be read, and one of no architecture of this crate.
    pub fn of(folder: impl AsRef<Path>) -> Result<Self> {
        let mut config = Json::read(folder.as_ref().join("config.json"))?;
        let supported = || LOADERS.iter().flat_map(|loader| loader.model_types.iter().copied());
        let found = match (config.model_type()?, config.class()) {
            (Some(model_type), _) => supported().find(|name| *name == model_type),
            // `GPT2LMHeadModel` is of `gpt2`: of all names that it begins with, the longest.
            (None, Some(class)) => {
                let class = class.to_lowercase();
                let begins = |name: &str| class.starts_with(&name.replace(['-', '_'], ""));
                supported().filter(|name| begins(name)).max_by_key(|name| name.len())
            }
            (None, None) => match config.timm() {
                Some(name) => Some(of_timm(name).ok_or_else(|| {
                    let begins = TIMM.map(|(begins, _)| begins).join("`, `");
                    config.fault(&format!(
                        "timm's `architecture` is `{name}`, which is not supported; those that begin with `{begins}` are"
                    ))
                })?),
                None => {
                    return Err(config.fault(
                        "has neither a field `model_type` nor a field `architectures`, nor timm's `architecture`, so that \
                         nothing says of which architecture it is",
                    ));
                }
            },
        };
        match found {
            Some(model_type) => {
                config.set("model_type", model_type.into());
                Ok(Self { config, model_type })
            }
            None => Err(unknown(&config, &supported().collect::<Vec<_>>())?),
        }
    }

    /// Hugging Face's name of it.
    pub fn model_type(&self) -> &'static str {
        self.model_type
    }

    /// The model.
    ///
    /// # Errors
    /// Those of [`Pretrained::from_weights`], and a configuration that lacks what the architecture needs.
    pub fn load(&self, weights: Weights) -> Result<AnyModel> {
        let mut loaders = LOADERS.iter().filter(|loader| loader.model_types.contains(&self.model_type));
        match loaders.find(|loader| (loader.accepts)(self.config.fields(), &weights)) {
            Some(loader) => (loader.load)(&self.config, weights),
            None => Err(self.config.fault(&format!("is of no kind of `{}` that is supported", self.model_type))),
        }
    }
}

/// How timm's names of the architectures begin, and Hugging Face's names of them.
const TIMM: [(&str, &str); 3] = [("resnet", "resnet"), ("mobilenetv2", "mobilenet_v2"), ("vit_", "vit")];

fn of_timm(name: &str) -> Option<&'static str> {
    TIMM.iter().find(|(begins, _)| name.starts_with(begins)).map(|(_, model_type)| *model_type)
}

/// An architecture that is not here, with the ones that are and the one that may be meant.
fn unknown(config: &Json, supported: &[&str]) -> Result<Error> {
    let (field, name) = match (config.model_type()?, config.class()) {
        (Some(name), _) => ("model_type", name),
        (None, class) => ("architectures", class.unwrap_or_default()),
    };
    // Several models may be of one name.
    let mut supported = supported.to_vec();
    supported.dedup();
    let near = near(name, supported.iter().map(|name| (name, name)));
    Ok(config.fault(&format!(
        "field `{field}` is `{name}`, which is not supported; what is: `{}`{}",
        supported.join("`, `"),
        did_you_mean(&near)
    )))
}
