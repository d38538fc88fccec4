//! What the forward pass of T5 depends on, and how it is read from Hugging Face's `config.json`.

use serde::{Deserialize, Deserializer};

use crate::shared::Activation;
use crate::shared::attention::AttentionConfig;

/// The part of Hugging Face's `config.json` that the forward pass depends on.
#[derive(Clone, Debug, Deserialize)]
pub struct Config {
    /// Which of the two it is: their heads differ.
    #[serde(default)]
    pub model_type: ModelType,
    /// The number of tokens that there are.
    pub vocab_size: usize,
    /// The width of the stream.
    pub d_model: usize,
    /// The width of a head.
    pub d_kv: usize,
    /// The width inside the MLP.
    pub d_ff: usize,
    /// The number of blocks of the encoder.
    pub num_layers: usize,
    /// The number of blocks of the decoder; that of the encoder if absent.
    pub num_decoder_layers: Option<usize>,
    /// The number of attention heads.
    pub num_heads: usize,
    /// The number of distances that heads tell apart, both directions together.
    #[serde(default = "buckets")]
    pub relative_attention_num_buckets: usize,
    /// The distance from which on all are one.
    #[serde(default = "max_distance")]
    pub relative_attention_max_distance: usize,
    /// Added to the mean of the squares in every norm.
    #[serde(default = "epsilon")]
    pub layer_norm_epsilon: f64,
    /// What the MLPs are; `relu` in T5 and `gated-gelu` in mT5 if absent.
    pub feed_forward_proj: Option<FeedForward>,
    /// Whether the head's weight is that of the token embedding.
    #[serde(default = "yes")]
    pub tie_word_embeddings: bool,
    /// Whether the head reads the stream divided by the root of its width; as `tie_word_embeddings` says if absent, as
    /// before version 5 of Hugging Face's library. `null` in a file is no.
    #[serde(default, deserialize_with = "null_is_no")]
    pub scale_decoder_outputs: Option<bool>,
}

/// What differs in the forward passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ModelType {
    /// A tied head reads the stream divided by the root of its width.
    #[default]
    T5,
    /// The head reads the stream as it is. Whether it is tied, the file says: configurations say either of the same files.
    Mt5,
}

/// What an MLP is: `relu` or another function, or `gated-gelu` (whose GELU is the approximation by tanh) or another gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct FeedForward {
    /// Whether what the activation gives is multiplied by a second layer.
    pub gated: bool,
    /// The function.
    pub activation: Activation,
}

impl TryFrom<String> for FeedForward {
    type Error = serde_json::Error;

    fn try_from(name: String) -> serde_json::Result<Self> {
        let gate = name.strip_prefix("gated-");
        let activation = match gate {
            Some("gelu") => Activation::GeluTanh,
            gate => serde_json::from_value(gate.unwrap_or(&name).into())?,
        };
        Ok(Self { gated: gate.is_some(), activation })
    }
}

// Older files lack what had only one value then.
fn buckets() -> usize {
    32
}
fn max_distance() -> usize {
    128
}
fn epsilon() -> f64 {
    1e-6
}
fn yes() -> bool {
    true
}
fn null_is_no<'de, D: Deserializer<'de>>(value: D) -> Result<Option<bool>, D::Error> {
    Option::deserialize(value).map(|yes| Some(yes.unwrap_or(false)))
}

impl Config {
    /// Scores are not scaled.
    pub(super) fn attention(&self) -> AttentionConfig {
        let (width, heads, inner) = (self.d_model, self.num_heads, self.num_heads * self.d_kv);
        AttentionConfig { width, inner, heads, scale: 1.0, biases: [false; 4], names: ["q", "k", "v", "o"] }
    }

    /// What the MLPs are.
    pub(super) fn mlp(&self) -> FeedForward {
        let default = match self.model_type {
            ModelType::T5 => FeedForward { gated: false, activation: Activation::Relu },
            ModelType::Mt5 => FeedForward { gated: true, activation: Activation::GeluTanh },
        };
        self.feed_forward_proj.unwrap_or(default)
    }

    /// What the head reads is the stream times this.
    pub(super) fn head_scale(&self) -> Option<f64> {
        let scaled = self.scale_decoder_outputs.unwrap_or(self.tie_word_embeddings);
        (scaled && self.model_type == ModelType::T5).then(|| (self.d_model as f64).powf(-0.5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_mlp_is_that_of_the_kind_of_model() {
        let mlp = |model_type| {
            let sizes = r#""vocab_size": 9, "d_model": 4, "d_kv": 2, "d_ff": 8, "num_layers": 1, "num_heads": 2"#;
            let config: Config =
                serde_json::from_str(&format!(r#"{{{sizes}, "model_type": "{model_type}"}}"#)).unwrap();
            (config.mlp().gated, config.mlp().activation)
        };
        assert_eq!(mlp("t5"), (false, Activation::Relu));
        assert_eq!(mlp("mt5"), (true, Activation::GeluTanh));
    }

    #[test]
    fn a_scale_that_is_null_is_none_and_an_absent_one_is_the_tied_heads() {
        let scale = |field: &str| {
            let sizes = r#""vocab_size": 9, "d_model": 4, "d_kv": 2, "d_ff": 8, "num_layers": 1, "num_heads": 2"#;
            let config: Config = serde_json::from_str(&format!(r#"{{{sizes}, "model_type": "t5"{field}}}"#)).unwrap();
            config.head_scale()
        };
        assert_eq!(scale(""), Some(0.5));
        assert_eq!(scale(r#", "scale_decoder_outputs": null"#), None);
        assert_eq!(scale(r#", "scale_decoder_outputs": true"#), Some(0.5));
        assert_eq!(scale(r#", "tie_word_embeddings": false"#), None);
    }
}
