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
    #[serde(default, deserialize_with = "present")]
    num_key_value_heads: Option<Option<usize>>,
    head_dim: Option<usize>,
    hidden_act: Option<Activation>,
    hidden_activation: Option<Activation>,
    max_position_embeddings: Option<usize>,
    original_max_position_embeddings: Option<usize>,
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
        let absent = match member {
            Member::Llama => None,
            Member::Mistral => Some(8),
            Member::Qwen2 | Member::Qwen3 => Some(32),
            Member::Gemma => Some(16),
            Member::Gemma2 => Some(4),
        };
        let key_heads = fields.num_key_value_heads.unwrap_or(absent).unwrap_or(heads);
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
            // The exact GELU that early files of Gemma name was never meant. `hidden_activation` is of a version that had both.
            Member::Gemma => match fields.hidden_act.or(fields.hidden_activation) {
                None | Some(Activation::Gelu) => Activation::GeluTanh,
                Some(act) => act,
            },
            Member::Gemma2 => fields.hidden_activation.unwrap_or(Activation::GeluTanh),
            _ => fields.hidden_act.unwrap_or(Activation::Silu),
        };
        let attention_bias = fields.attention_bias == Some(true) && !matches!(member, Member::Mistral | Member::Qwen2);

        let (window, windowed) = windows(&fields)?;
        let rotary = fields.rope_scaling.or(fields.rope_parameters).unwrap_or_default();
        let rotary = rotary.of_length(fields.original_max_position_embeddings).rotary(
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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::shared::RotaryScaling;

    /// A small model with these fields too.
    fn read(fields: Value) -> Result<Config, String> {
        let mut config = json!({
            "model_type": "llama",
            "vocab_size": 11,
            "hidden_size": 8,
            "intermediate_size": 16,
            "num_hidden_layers": 3,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 32,
        });
        config.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        serde_json::from_value(config).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_absent_is_what_it_is_in_the_original() {
        let llama = read(json!({})).unwrap();
        assert_eq!((llama.head_dim, llama.rms_norm_eps, llama.hidden_act), (2, 1e-6, Activation::Silu));
        assert_eq!((llama.rotary.theta, llama.rotary.scaling), (10000.0, RotaryScaling::None));
        assert_eq!((llama.window, &llama.windowed[..]), (None, &[false; 3][..]));
        assert!(!llama.tie_word_embeddings && !llama.qkv_bias && !llama.proj_bias && !llama.mlp_bias);
        // As in the first files of Llama.
        assert_eq!(read(json!({"num_key_value_heads": null})).unwrap().num_key_value_heads, 4);

        let mistral = read(json!({"model_type": "mistral"})).unwrap();
        assert_eq!((mistral.window, &mistral.windowed[..]), (Some(4096), &[true; 3][..]));
        assert_eq!(read(json!({"model_type": "mistral", "sliding_window": null})).unwrap().windowed, [false; 3]);

        let qwen2 = read(json!({"model_type": "qwen2"})).unwrap();
        assert!(qwen2.qkv_bias && !qwen2.proj_bias && qwen2.window.is_none());
        let qwen3 = read(json!({"model_type": "qwen3"})).unwrap();
        assert!(!qwen3.qkv_bias && qwen3.qk_norm && qwen3.head_dim == 128);

        let gemma = read(json!({"model_type": "gemma", "hidden_act": "gelu"})).unwrap();
        assert_eq!((gemma.hidden_act, gemma.head_dim), (Activation::GeluTanh, 256));
        assert!(gemma.tie_word_embeddings && gemma.attn_softcap.is_none() && gemma.final_softcap.is_none());
        let both = json!({"model_type": "gemma", "hidden_act": "gelu_pytorch_tanh", "hidden_activation": "silu"});
        assert_eq!(read(both).unwrap().hidden_act, Activation::GeluTanh);
        let gemma2 = read(json!({"model_type": "gemma2"})).unwrap();
        assert_eq!((gemma2.attn_softcap, gemma2.final_softcap), (Some(50.0), Some(30.0)));
        assert_eq!((gemma2.attn_scale, gemma2.window), (1.0 / 16.0, Some(4096)));
        assert_eq!(gemma2.windowed, [true, false, true]);
        let off = read(json!({"model_type": "gemma2", "attn_logit_softcapping": null})).unwrap();
        assert_eq!((off.attn_softcap, off.final_softcap), (None, Some(30.0)));
    }

    #[test]
    fn rotary_positions_have_two_spellings() {
        let llama3 = json!({"factor": 8, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "rope_type": "llama3"});
        let old = read(json!({"rope_theta": 500000.0, "rope_scaling": llama3})).unwrap();
        let mut both = llama3;
        both["rope_theta"] = json!(500000.0);
        assert_eq!(old.rotary, read(json!({"rope_parameters": both})).unwrap().rotary);
        let scaling = RotaryScaling::Llama3 { factor: 8.0, low_freq_factor: 1.0, high_freq_factor: 4.0, tokens: 32 };
        assert_eq!(old.rotary, Rotary { channels: 2, theta: 500000.0, scaling });
        let beside = json!({"rope_scaling": {"type": "yarn", "factor": 2.0, "original_max_position_embeddings": 16}, "original_max_position_embeddings": 8});
        let RotaryScaling::Yarn { tokens: 8, .. } = read(beside).unwrap().rotary.scaling else {
            panic!("not of the file")
        };
        assert!(read(json!({"rope_theta": 1e6, "rope_scaling": null})).is_ok_and(|c| c.rotary.theta == 1e6));
    }

    #[test]
    fn windows_are_of_the_blocks_that_say_so() {
        let qwen2 = json!({"model_type": "qwen2", "use_sliding_window": true, "sliding_window": 4});
        let with = |field: &str, value: Value| {
            let mut fields = qwen2.clone();
            fields[field] = value;
            read(fields)
        };
        assert_eq!(with("max_window_layers", json!(1)).unwrap().windowed, [false, true, true]);
        let types = json!(["sliding_attention", "full_attention", "full_attention"]);
        assert_eq!(with("layer_types", types.clone()).unwrap().windowed, [true, false, false]);
        assert!(with("layer_types", json!(["full_attention"])).unwrap_err().contains("`layer_types` is of 1 layers"));
        assert!(with("sliding_window", json!(0)).unwrap_err().contains("`sliding_window` is 0"));
        // Without a window to have.
        let none = read(json!({"model_type": "qwen2", "layer_types": types})).unwrap_err();
        assert!(none.contains("`sliding_window` does not say"), "{none}");
        let mistral = read(json!({"model_type": "mistral", "layer_types": types})).unwrap_err();
        assert!(mistral.contains("`layer_types` is not supported"), "{mistral}");
    }

    #[test]
    fn what_is_not_supported_is_refused_by_name() {
        let refused = |fields: Value, part: &str| {
            let error = read(fields).unwrap_err();
            assert!(error.contains(part), "{error}");
        };
        refused(json!({"model_type": "mixtral"}), "`mixtral`");
        refused(json!({"hidden_act": "snake"}), "`snake`");
        refused(json!({"rope_scaling": {"type": "su", "factor": 4.0}}), "`su` are not supported");
        refused(json!({"rope_parameters": {"partial_rotary_factor": 0.5}, "head_dim": 8}), "only 4 of the 8 channels");
        refused(json!({"num_key_value_heads": 3}), "4 heads cannot share 3");
        refused(json!({"num_attention_heads": 3, "num_key_value_heads": 3}), "cannot be divided among 3 heads");
        refused(json!({"head_dim": 5}), "5 of the 5 channels");
        refused(json!({"layer_types": ["chunked_attention"]}), "`chunked_attention`");
        refused(json!({"model_type": "gemma2", "use_bidirectional_attention": true}), "later tokens");
        refused(json!({"hidden_size": "8"}), "invalid type: string");
    }
}
