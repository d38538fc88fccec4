//! A model of the BERT family with its tokenizer: texts become vectors.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use candle_core::{DType, Device, Tensor};
use serde_json::Value;
use taper_models::bert::{Bert, Config};
use taper_models::pretrained::read_config;
use taper_models::{Pooling, Pretrained};
use tokenizers::{Encoding, Tokenizer, TruncationParams};

/// What a folder of Hugging Face's or of sentence-transformers holds.
pub(crate) struct Encoder {
    model: Bert,
    tokenizer: Tokenizer,
    /// The token that fills a batch up.
    padding: u32,
    /// Whether texts are put in lower case before the tokenizer sees them.
    lower: bool,
    /// How the folder says that its vectors are pooled.
    pub(crate) pooling: Pooling,
}

impl Encoder {
    pub(crate) fn open(folder: &Path) -> Result<Self> {
        let config: Config = read_config(folder.join("config.json"))?;
        let model = Bert::from_folder(folder, DType::F32, &Device::Cpu)?;
        let tokenizer = tokenizer(folder, longest(folder, &config)?)?;
        Ok(Self { model, tokenizer, padding: config.padding(), lower: lower(folder)?, pooling: pooling(folder)? })
    }

    /// A vector of length one for each text, [text, channel], and how many tokens were not known.
    pub(crate) fn embed(&self, texts: &[String], pooling: Pooling, batch: usize) -> Result<(Tensor, usize)> {
        ensure!(!texts.is_empty() && batch > 0, "there is nothing to embed");
        let as_read = |text: &String| if self.lower { text.to_lowercase() } else { text.clone() };
        let encodings =
            self.tokenizer.encode_batch(texts.iter().map(as_read).collect(), true).map_err(|error| anyhow!(error))?;
        let unknown = encodings.iter().flat_map(Encoding::get_tokens);
        let unknown = unknown.filter(|token| ["[UNK]", "<unk>"].contains(&token.as_str())).count();
        // Texts of like lengths together need the least padding.
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&i| encodings[i].len());
        let mut vectors = vec![None; texts.len()];
        for batch in order.chunks(batch) {
            let pooled = self.batch(&batch.iter().map(|&i| &encodings[i]).collect::<Vec<_>>(), pooling)?;
            for (row, &i) in batch.iter().enumerate() {
                vectors[i] = Some(pooled.get(row)?);
            }
        }
        Ok((Tensor::stack(&vectors.into_iter().flatten().collect::<Vec<_>>(), 0)?, unknown))
    }

    fn batch(&self, encodings: &[&Encoding], pooling: Pooling) -> Result<Tensor> {
        let len = encodings.iter().map(|encoding| encoding.len()).max().unwrap_or(0);
        ensure!(encodings.iter().all(|encoding| !encoding.is_empty()), "the tokenizer makes no tokens of a text");
        let padded = |ids: fn(&Encoding) -> &[u32], with: u32| {
            let rows = encodings.iter().flat_map(|encoding| {
                let ids = ids(encoding);
                ids.iter().copied().chain(std::iter::repeat_n(with, len - ids.len()))
            });
            Tensor::from_vec(rows.collect(), (encodings.len(), len), &Device::Cpu)
        };
        let (ids, mask) = (padded(Encoding::get_ids, self.padding)?, padded(Encoding::get_attention_mask, 0)?);
        let stream = self.model.forward(&ids, None, Some(&mask))?;
        Ok(pooling.of(&stream, Some(&mask))?)
    }
}

/// The tokenizer of a folder, which cuts texts to so many tokens and does not pad.
fn tokenizer(folder: &Path, longest: usize) -> Result<Tokenizer> {
    let path = folder.join("tokenizer.json");
    ensure!(
        path.is_file(),
        "{} is not there; a folder without it can be completed by `AutoTokenizer.from_pretrained(…).save_pretrained(…)`",
        path.display()
    );
    let read = || -> tokenizers::Result<Tokenizer> {
        let mut tokenizer = Tokenizer::from_file(&path)?;
        tokenizer.with_padding(None);
        tokenizer.with_truncation(Some(TruncationParams { max_length: longest, ..TruncationParams::default() }))?;
        Ok(tokenizer)
    };
    read().map_err(|error| anyhow!("cannot read {}: {error}", path.display()))
}

/// The most tokens of a text: what sentence-transformers says, else what the tokenizer does, as in its folders from its
/// version 6 on; never more than the positions that there are.
fn longest(folder: &Path, config: &Config) -> Result<usize> {
    let positions = config.longest();
    for (file, field) in
        [("sentence_bert_config.json", "max_seq_length"), ("tokenizer_config.json", "model_max_length")]
    {
        let Some((path, settings)) = json(&folder.join(file))? else { continue };
        match &settings[field] {
            Value::Null => {}
            // A tokenizer that has no limit says 1e30, which is no integer of Rust's.
            longest => match longest.as_f64() {
                Some(longest) if longest >= 1.0 => return Ok(positions.min(longest as usize)),
                _ => bail!("{path}: field `{field}` is {longest}, and should be a number of tokens"),
            },
        }
    }
    Ok(positions)
}

/// Whether sentence-transformers puts texts in lower case itself.
fn lower(folder: &Path) -> Result<bool> {
    let settings = json(&folder.join("sentence_bert_config.json"))?;
    Ok(settings.is_some_and(|(_, settings)| settings["do_lower_case"] == Value::Bool(true)))
}

/// How sentence-transformers pools with this model; the mean where the folder says nothing. What it does after that is to
/// be nothing but a division by the length.
fn pooling(folder: &Path) -> Result<Pooling> {
    let mut pooling = Pooling::Mean;
    let Some((path, modules)) = json(&folder.join("modules.json"))? else { return Ok(pooling) };
    for module in modules.as_array().with_context(|| format!("{path} is no list of modules"))? {
        let kind = module["type"].as_str().unwrap_or_default();
        match kind.rsplit('.').next().unwrap_or_default() {
            "Transformer" | "Normalize" => {}
            "Pooling" => {
                let path = folder.join(module["path"].as_str().unwrap_or_default()).join("config.json");
                let (path, modes) = json(&path)?.with_context(|| format!("{} is not there", path.display()))?;
                pooling = pooling_mode(&modes).with_context(|| format!("cannot pool as {path} says"))?;
            }
            _ => bail!("{path}: field `type` is `{kind}`, which is not supported; its layer would be left out"),
        }
    }
    Ok(pooling)
}

/// What a `1_Pooling/config.json` asks for: by a flag for each way in older folders, by a name or a list of names in newer
/// ones, in which flags say nothing.
fn pooling_mode(modes: &Value) -> Result<Pooling> {
    let chosen: Vec<&str> = match &modes["pooling_mode"] {
        Value::Null => {
            let on = modes.as_object().into_iter().flatten().filter(|(_, on)| **on == Value::Bool(true));
            on.filter_map(|(name, _)| name.strip_prefix("pooling_mode_")).collect()
        }
        Value::String(mode) => vec![mode],
        mode => {
            let names = mode.as_array().and_then(|all| all.iter().map(Value::as_str).collect());
            names.with_context(|| format!("field `pooling_mode` is {mode}, and should be a name or a list of names"))?
        }
    };
    match chosen[..] {
        ["mean" | "mean_tokens"] => Ok(Pooling::Mean),
        ["cls" | "cls_token"] => Ok(Pooling::Cls),
        _ => bail!("of the pooling modes `mean` or `cls` alone is supported, and here they are {chosen:?}"),
    }
}

/// A file of JSON, if it is there, and its name.
fn json(path: &Path) -> Result<Option<(String, Value)>> {
    if !path.is_file() {
        return Ok(None);
    }
    let name = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    let value = serde_json::from_str(&text).with_context(|| format!("{name} is no JSON"))?;
    Ok(Some((name, value)))
}
