//! The family's GGUF files, as llama.cpp has them: what its names and its metadata mean here.

use std::path::Path;

use candle_core::quantized::gguf_file::Value;
use candle_core::{DType, Device, Error, Result, Tensor};
use serde_json::{Map, json};
use taper::{Gguf, Weights};

use super::{Config, Llama};
use crate::config::Json;
use crate::pretrained::{Pretrained, check_dtype};
use crate::shared::RotaryScaling;

/// Its `general.architecture`s that are of the family. Mistral is a `llama` there.
const ARCHITECTURES: [&str; 5] = ["llama", "qwen2", "qwen3", "gemma", "gemma2"];

/// What a part of a block is called there, and here.
const PARTS: [(&str, &str); 13] = [
    ("attn_norm", "input_layernorm"),
    ("attn_q", "self_attn.q_proj"),
    ("attn_k", "self_attn.k_proj"),
    ("attn_v", "self_attn.v_proj"),
    ("attn_q_norm", "self_attn.q_norm"),
    ("attn_k_norm", "self_attn.k_norm"),
    ("attn_output", "self_attn.o_proj"),
    ("ffn_gate", "mlp.gate_proj"),
    ("ffn_up", "mlp.up_proj"),
    ("ffn_down", "mlp.down_proj"),
    ("ffn_norm", "post_attention_layernorm"),
    ("post_attention_norm", "post_attention_layernorm"),
    ("post_ffw_norm", "post_feedforward_layernorm"),
];

/// What divides the angles of the rotary pairs, where texts are longer than they were.
const ROPE_FREQS: &str = "rope_freqs.weight";

impl Llama {
    /// The model of a GGUF file. Layers whose weights are quantized stay so; the token embedding, the norms and a tied head
    /// become `dtype`. `q` and `k` have their channels in the order of Hugging Face's files, as all models here.
    ///
    /// ```no_run
    /// # use candle_core::{DType, Device};
    /// use taper_models::llama::Llama;
    ///
    /// let model = Llama::from_gguf("Llama-3.2-1B-Q8_0.gguf", DType::F32, &Device::Cpu)?;
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// A file that can't be read or is not whole, metadata that is missing or not supported, and tensors that are missing,
    /// misshapen or unused. All name the file, and the field or the tensors.
    pub fn from_gguf(path: impl AsRef<Path>, dtype: DType, device: &Device) -> Result<Self> {
        check_dtype(dtype)?;
        let file = Gguf::open(path)?;
        let meta = Metadata::of(&file)?;
        let fields = meta.fields()?;
        let (path, architecture) = (file.path().to_path_buf(), meta.architecture.clone());
        let weights = file.weights(dtype, device);
        let config = config(Json::of(&path, fields), &weights)?;
        let named = |error: Error| error.context(format!("the model of `{}` cannot be loaded", path.display()));
        let weights = weights.allow_unused(|name| name == ROPE_FREQS);
        let weights = weights.renamed(|name| renamed(name, config.post_norm))?;
        // llama.cpp rotates neighbours in this architecture, and halves in the others.
        let weights = if architecture == "llama" { halves(weights, &config)? } else { weights };
        Self::from_weights(weights, &config).map_err(named)
    }
}

/// The configuration: the fields that the metadata says, and what the tensors say.
fn config(fields: Json, weights: &Weights) -> Result<Config> {
    let mut fields = fields;
    let vocabulary = weights.shape("token_embd.weight").and_then(|shape| shape.dims().first().copied());
    let vocabulary = vocabulary.ok_or_else(|| fields.fault("has no tensor `token_embd.weight`"))?;
    fields.set("vocab_size", json!(vocabulary));
    fields.set("tie_word_embeddings", json!(!weights.contains("output.weight")));
    let mut config: Config = fields.parse()?;
    config.qkv_bias = weights.contains("blk.0.attn_q.bias");
    config.proj_bias = weights.contains("blk.0.attn_output.bias");
    config.mlp_bias = weights.contains("blk.0.ffn_up.bias");
    // The one is added already.
    config.norm_plus_one = false;
    if weights.contains(ROPE_FREQS) {
        let all = weights.clone().allow_unused(|_| true);
        let by: Tensor = all.load(|vb| vb.get_unchecked_dtype(ROPE_FREQS, DType::F32))?;
        let by: Vec<f32> = by.flatten_all()?.to_vec1()?;
        if by.len() != config.rotary.channels.div_ceil(2) || by.contains(&0.0) {
            return Err(fields.fault(&format!("has no divisor for each rotary pair in `{ROPE_FREQS}`")));
        }
        config.rotary.scaling = RotaryScaling::Divided { by };
    }
    Ok(config)
}

/// `blk.3.attn_q.weight` to `model.layers.3.self_attn.q_proj.weight`. What is not known keeps its name, and is left over.
fn renamed(name: &str, post_norm: bool) -> String {
    let inside = |name: &str| {
        let (block, rest) = name.strip_prefix("blk.")?.split_once('.')?;
        let (part, end) = rest.rsplit_once('.')?;
        let (_, new) = PARTS.iter().find(|(old, _)| *old == part)?;
        let new = if post_norm && part == "ffn_norm" { "pre_feedforward_layernorm" } else { new };
        Some(format!("model.layers.{block}.{new}.{end}"))
    };
    match name {
        "token_embd.weight" => "model.embed_tokens.weight".to_owned(),
        "output_norm.weight" => "model.norm.weight".to_owned(),
        "output.weight" => "lm_head.weight".to_owned(),
        name => inside(name).unwrap_or_else(|| name.to_owned()),
    }
}

/// Rows of queries and keys in the order in which channel `i` is a pair with that half a head further on.
fn halves(weights: Weights, config: &Config) -> Result<Weights> {
    let half = config.head_dim / 2;
    let (heads, key_heads) = (config.num_attention_heads, config.num_key_value_heads);
    weights.with_rows(|name, rows| {
        let projection = name.rsplit_once('.').map_or(name, |(layer, _)| layer);
        let heads = match projection.rsplit('.').next()? {
            "q_proj" => heads,
            "k_proj" => key_heads,
            _ => return None,
        };
        // Of another shape: the loader says so.
        (rows == heads * half * 2).then(|| {
            let head = |head: usize| (0..2).flat_map(move |i| (0..half).map(move |pair| 2 * (head * half + pair) + i));
            (0..heads).flat_map(head).collect()
        })
    })
}

/// The metadata of one architecture.
struct Metadata<'a> {
    file: &'a Gguf,
    architecture: String,
}

impl<'a> Metadata<'a> {
    fn of(file: &'a Gguf) -> Result<Self> {
        let mut meta = Self { file, architecture: String::new() };
        match file.metadata().get("general.architecture") {
            Some(Value::String(name)) if ARCHITECTURES.contains(&name.as_str()) => meta.architecture = name.clone(),
            Some(Value::String(name)) => {
                let supported = ARCHITECTURES.join("`, `");
                return Err(meta.fault(&format!(
                    "field `general.architecture` is `{name}`, which is not supported; what is: `{supported}`"
                )));
            }
            _ => return Err(meta.fault("has no field `general.architecture` that says of which architecture it is")),
        }
        let parts = file.metadata().get("split.count").and_then(unsigned).unwrap_or(1);
        if parts > 1 {
            return Err(meta.fault(&format!(
                "is one of {parts} files (`split.count`); put them together by `llama-gguf-split --merge`"
            )));
        }
        Ok(meta)
    }

    /// The fields of a `config.json` that means the same.
    fn fields(&self) -> Result<Map<String, serde_json::Value>> {
        let (blocks, width) = (self.size("block_count")?, self.size("embedding_length")?);
        let heads = self.size("attention.head_count")?;
        let head_dim = self.size_if("attention.key_length")?;
        if blocks > 1 << 12 {
            return Err(self.fault(&format!("field `{}` is {blocks}, which no model has", self.key("block_count"))));
        }
        if self.size_if("expert_count")?.is_some_and(|count| count > 0) {
            return Err(
                self.fault(&format!("field `{}`: a mixture of experts is not supported", self.key("expert_count")))
            );
        }
        let head_dim = match head_dim {
            Some(head_dim) => head_dim,
            None if heads > 0 => width / heads,
            None => 0,
        };
        let turning = self.size_if("rope.dimension_count")?.unwrap_or(head_dim);
        if turning != head_dim {
            let key = self.key("rope.dimension_count");
            return Err(
                self.fault(&format!("field `{key}`: only {turning} of the {head_dim} channels turn: not supported"))
            );
        }
        // What `config.json` has by another name for this one: a window is Mistral's.
        let window = self.size_if("attention.sliding_window")?;
        let model_type = match (self.architecture.as_str(), window) {
            ("llama", Some(_)) => "mistral",
            (architecture, _) => architecture,
        };
        let mut fields = json!({
            "model_type": model_type,
            "num_hidden_layers": blocks,
            "hidden_size": width,
            "intermediate_size": self.size("feed_forward_length")?,
            "num_attention_heads": heads,
            "num_key_value_heads": self.size_if("attention.head_count_kv")?.unwrap_or(heads),
            "head_dim": head_dim,
            "rms_norm_eps": self.number("attention.layer_norm_rms_epsilon")?,
            "max_position_embeddings": self.size_if("context_length")?,
            "rope_theta": self.number_if("rope.freq_base")?.unwrap_or(10000.0),
        });
        if let Some(window) = window {
            fields["sliding_window"] = json!(window);
        }
        match self.file.metadata().get(&self.key("rope.scaling.type")) {
            Some(Value::String(kind)) if kind == "linear" => {
                fields["rope_scaling"] = json!({"rope_type": kind, "factor": self.number_if("rope.scaling.factor")?});
            }
            // Others are given by other fields there, which scale by rules of llama.cpp's own.
            Some(Value::String(kind)) if kind != "none" => {
                let field = self.key("rope.scaling.type");
                return Err(
                    self.fault(&format!("field `{field}`: rotary positions of the type `{kind}` are not supported"))
                );
            }
            _ => (),
        }
        if self.architecture == "gemma2" {
            // What the format lacks, as llama.cpp sets it: the largest member has a scale of its own.
            let scaled_by = if blocks == 46 { width / heads.max(1) } else { head_dim };
            fields["query_pre_attn_scalar"] = json!(scaled_by);
            fields["attn_logit_softcapping"] = json!(self.number_if("attn_logit_softcapping")?);
            fields["final_logit_softcapping"] = json!(self.number_if("final_logit_softcapping")?);
        }
        match fields {
            serde_json::Value::Object(mut fields) => {
                fields.retain(|name, value| !value.is_null() || name.ends_with("softcapping"));
                Ok(fields)
            }
            _ => unreachable!("an object was written above"),
        }
    }

    fn key(&self, name: &str) -> String {
        format!("{}.{name}", self.architecture)
    }

    /// A number, or the one that there is for every block.
    fn size_if(&self, name: &str) -> Result<Option<usize>> {
        let Some(value) = self.file.metadata().get(&self.key(name)) else { return Ok(None) };
        let size = match value {
            Value::Array(values) => match values.split_first() {
                Some((first, rest)) if rest.iter().all(|value| unsigned(value) == unsigned(first)) => unsigned(first),
                _ => None,
            },
            value => unsigned(value),
        };
        let size = size.and_then(|size| usize::try_from(size).ok());
        size.map(Some)
            .ok_or_else(|| self.fault(&format!("field `{}` is not one number for all blocks", self.key(name))))
    }

    fn size(&self, name: &str) -> Result<usize> {
        self.size_if(name)?.ok_or_else(|| self.missing(name))
    }

    fn number_if(&self, name: &str) -> Result<Option<f64>> {
        match self.file.metadata().get(&self.key(name)) {
            None => Ok(None),
            // As it was before it was written as an `f32`: 1e-6 and not 0.00000099999999747.
            Some(Value::F32(number)) => Ok(number.to_string().parse().ok()),
            Some(Value::F64(number)) => Ok(Some(*number)),
            Some(other) => match unsigned(other) {
                Some(number) => Ok(Some(number as f64)),
                None => Err(self.fault(&format!("field `{}` is no number", self.key(name)))),
            },
        }
    }

    fn number(&self, name: &str) -> Result<f64> {
        self.number_if(name)?.ok_or_else(|| self.missing(name))
    }

    fn missing(&self, name: &str) -> Error {
        self.fault(&format!("missing field `{}`", self.key(name)))
    }

    fn fault(&self, fault: &str) -> Error {
        Error::Msg(format!("`{}`: {fault}", self.file.path().display()))
    }
}

fn unsigned(value: &Value) -> Option<u64> {
    match *value {
        Value::U8(value) => Some(value.into()),
        Value::U16(value) => Some(value.into()),
        Value::U32(value) => Some(value.into()),
        Value::U64(value) => Some(value),
        Value::I8(value) => value.try_into().ok(),
        Value::I16(value) => value.try_into().ok(),
        Value::I32(value) => value.try_into().ok(),
        Value::I64(value) => value.try_into().ok(),
        _ => None,
    }
}
