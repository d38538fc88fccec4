//! What the forward pass of the family depends on, and how it is read from Hugging Face's `config.json`.

use serde::{Deserialize, Deserializer};

use crate::shared::{Activation, Rotary, RotaryFields};

/// A model of the family. Read from a `config.json`, whose `model_type` decides what else is implied; made by hand, every
/// difference between the members can be set by itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "Fields")]
pub struct Config {
    /// The number of tokens that there are.
    pub vocab_size: usize,
    /// The width of the stream.
    pub hidden_size: usize,
    /// The width inside the MLP.
    pub intermediate_size: usize,
    /// The number of attention heads.
    pub num_attention_heads: usize,
    /// The number of heads of the keys and values, each of which so many consecutive heads share.
    pub num_key_value_heads: usize,
    /// The width of a head.
    pub head_dim: usize,
    /// Of the gate in the MLP.
    pub hidden_act: Activation,
    /// Added to the mean square in every norm.
    pub rms_norm_eps: f64,
    /// Whether the head's weight is that of the token embedding.
    pub tie_word_embeddings: bool,
    /// Whether queries, keys and values have biases: Qwen2, and Llama by `attention_bias`.
    pub qkv_bias: bool,
    /// Whether the attention's output has one: Llama by `attention_bias`.
    pub proj_bias: bool,
    /// Whether the MLP's layers have biases: Llama by `mlp_bias`.
    pub mlp_bias: bool,
    /// The positions.
    pub rotary: Rotary,
    /// What scores are multiplied by: one over the square root of the heads' width, or of `query_pre_attn_scalar` in
    /// Gemma 2.
    pub attn_scale: f64,
    /// Scores are kept between minus this and this, by tanh: Gemma 2.
    pub attn_softcap: Option<f64>,
    /// Logits are kept between minus this and this, by tanh: Gemma 2.
    pub final_softcap: Option<f64>,
    /// How many tokens a token reads, itself with them, in the blocks that have a window.
    pub window: Option<usize>,
    /// Whether each block has the window; one entry a block.
    pub windowed: Vec<bool>,
    /// Whether queries and keys are normalized in each head: Qwen3.
    pub qk_norm: bool,
    /// Whether what attention and MLP write is normalized too: Gemma 2.
    pub post_norm: bool,
    /// Whether norms multiply by 1 + their stored weight: Gemma.
    pub norm_plus_one: bool,
    /// What embeddings are multiplied by: the square root of the stream's width in Gemma.
    pub embed_scale: Option<f64>,
}

/// The members, by `model_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Member {
    Llama,
    Mistral,
    Qwen2,
    Qwen3,
    Gemma,
    Gemma2,
}

/// What `layer_types` says of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LayerType {
    FullAttention,
    SlidingAttention,
}

/// The fields of `config.json`. Those that a member does not have are not looked at, as in the original.
#[derive(Deserialize)]
struct Fields {
    model_type: Member,
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    hidden_act: Option<Activation>,
    hidden_activation: Option<Activation>,
    max_position_embeddings: Option<usize>,
    rms_norm_eps: Option<f64>,
    tie_word_embeddings: Option<bool>,
    attention_bias: Option<bool>,
    mlp_bias: Option<bool>,
    rope_theta: Option<f64>,
    rope_scaling: Option<RotaryFields>,
    rope_parameters: Option<RotaryFields>,
    #[serde(default, deserialize_with = "present")]
    sliding_window: Option<Option<usize>>,
    use_sliding_window: Option<bool>,
    max_window_layers: Option<usize>,
    layer_types: Option<Vec<LayerType>>,
    query_pre_attn_scalar: Option<f64>,
    #[serde(default, deserialize_with = "present")]
    attn_logit_softcapping: Option<Option<f64>>,
    #[serde(default, deserialize_with = "present")]
    final_logit_softcapping: Option<Option<f64>>,
    use_bidirectional_attention: Option<bool>,
}

/// Tells `null`, which turns something off, from a field that is absent.
fn present<'de, T: Deserialize<'de>, D: Deserializer<'de>>(value: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(value).map(Some)
}

impl TryFrom<Fields> for Config {
    type Error = String;

    /// Fields that are absent are what they are by default in the original's classes.
    fn try_from(fields: Fields) -> Result<Self, String> {
        let member = fields.model_type;
        let gemma = matches!(member, Member::Gemma | Member::Gemma2);
        let gemma2 = member == Member::Gemma2;
        if fields.use_bidirectional_attention == Some(true) {
            return Err("field `use_bidirectional_attention`: attention to later tokens is not supported".to_owned());
        }

        let heads = fields.num_attention_heads;
        let key_heads = fields.num_key_value_heads.unwrap_or(match member {
            Member::Mistral => 8,
            Member::Gemma2 => 4,
            _ => heads,
        });
        if key_heads == 0 || !heads.is_multiple_of(key_heads) {
            return Err(format!("the {heads} heads cannot share {key_heads} heads of keys evenly"));
        }
        let head_dim = match (fields.head_dim, member) {
            (Some(head_dim), _) => head_dim,
            (None, Member::Qwen3) => 128,
            (None, Member::Gemma | Member::Gemma2) => 256,
            (None, _) if heads == 0 || !fields.hidden_size.is_multiple_of(heads) => {
                return Err(format!("the width {} cannot be divided among {heads} heads", fields.hidden_size));
            }
            (None, _) => fields.hidden_size / heads,
        };

        let hidden_act = match member {
            // The exact GELU that early files of Gemma name was never meant.
            Member::Gemma => match fields.hidden_activation.or(fields.hidden_act) {
                None | Some(Activation::Gelu) => Activation::GeluTanh,
                Some(act) => act,
            },
            Member::Gemma2 => fields.hidden_activation.unwrap_or(Activation::GeluTanh),
            _ => fields.hidden_act.unwrap_or(Activation::Silu),
        };
        let attention_bias = fields.attention_bias == Some(true) && !matches!(member, Member::Mistral | Member::Qwen2);

        let (window, windowed) = windows(&fields)?;
        let rotary = fields.rope_scaling.or(fields.rope_parameters).unwrap_or_default().rotary(
            head_dim,
            fields.rope_theta.unwrap_or(10000.0),
            1.0,
            fields.max_position_embeddings,
        )?;
        if rotary.channels != head_dim {
            return Err(format!("only {} of the {head_dim} channels of a head turn: not supported", rotary.channels));
        }
        let scaled_by = if gemma2 { fields.query_pre_attn_scalar.unwrap_or(256.0) } else { head_dim as f64 };

        Ok(Self {
            vocab_size: fields.vocab_size,
            hidden_size: fields.hidden_size,
            intermediate_size: fields.intermediate_size,
            num_attention_heads: heads,
            num_key_value_heads: key_heads,
            head_dim,
            hidden_act,
            rms_norm_eps: fields.rms_norm_eps.unwrap_or(1e-6),
            tie_word_embeddings: fields.tie_word_embeddings.unwrap_or(gemma),
            qkv_bias: attention_bias || member == Member::Qwen2,
            proj_bias: attention_bias,
            mlp_bias: fields.mlp_bias == Some(true) && member == Member::Llama,
            rotary,
            attn_scale: scaled_by.powf(-0.5),
            attn_softcap: fields.attn_logit_softcapping.unwrap_or(Some(50.0)).filter(|_| gemma2),
            final_softcap: fields.final_logit_softcapping.unwrap_or(Some(30.0)).filter(|_| gemma2),
            window,
            windowed,
            qk_norm: member == Member::Qwen3,
            post_norm: gemma2,
            norm_plus_one: gemma,
            embed_scale: gemma.then(|| (fields.hidden_size as f64).sqrt()),
        })
    }
}

/// The window, and which blocks have it.
fn windows(fields: &Fields) -> Result<(Option<usize>, Vec<bool>), String> {
    let blocks = fields.num_hidden_layers;
    let size = fields.sliding_window.unwrap_or(Some(4096));
    let size = match fields.model_type {
        Member::Llama | Member::Gemma => None,
        Member::Mistral | Member::Gemma2 => size,
        Member::Qwen2 | Member::Qwen3 => size.filter(|_| fields.use_sliding_window == Some(true)),
    };
    let has: &dyn Fn(usize) -> bool = match fields.model_type {
        Member::Llama | Member::Gemma | Member::Mistral => &|_| size.is_some(),
        Member::Qwen2 | Member::Qwen3 => &|i| size.is_some() && i >= fields.max_window_layers.unwrap_or(28),
        Member::Gemma2 => &|i| i % 2 == 0,
    };
    let mut windowed: Vec<bool> = (0..blocks).map(has).collect();
    if let Some(types) = &fields.layer_types {
        if types.len() != blocks {
            return Err(format!("field `layer_types` is of {} layers, and there are {blocks}", types.len()));
        }
        let said: Vec<bool> = types.iter().map(|&kind| kind == LayerType::SlidingAttention).collect();
        // These have one kind of layer, whatever is written here.
        let same = matches!(fields.model_type, Member::Llama | Member::Gemma | Member::Mistral);
        if same && said != windowed {
            return Err("field `layer_types` is not supported for this `model_type`".to_owned());
        }
        windowed = said;
    }
    match size {
        Some(0) => Err("field `sliding_window` is 0: a token reads itself at least".to_owned()),
        None if windowed.contains(&true) => Err("layers have a window, and `sliding_window` does not say which".into()),
        _ => Ok((size, windowed)),
    }
}
