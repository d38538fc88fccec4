//! A small BERT, trained on the spot to tell topics apart: two sentences about one topic are to be closer than two about
//! two.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use candle_core::{D, DType, Device, Tensor};
use candle_nn::loss::cross_entropy;
use candle_nn::{AdamW, Optimizer, ParamsAdamW, VarBuilder, VarMap};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use taper_models::Pooling;
use taper_models::bert::{Bert, Config};

use crate::encoder::Encoder;

const TOPICS: &str = include_str!("../data/topics.txt");
/// What says nothing of the topic.
const OPENINGS: [&str; 5] = ["", "yesterday", "this morning", "as always", "after a long day"];
const ENDINGS: [&str; 5] = ["", "in the evening", "with great care", "for a friend", "for the first time"];
const SPECIAL: [&str; 4] = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"];
const STEPS: usize = 150;
/// What similarities are divided by before the softmax.
const TEMPERATURE: f64 = 0.1;

/// The sentences about a topic, of a subject, a verb and an object each.
struct Topic([Vec<&'static str>; 3]);

fn topics() -> Vec<Topic> {
    let parts = |line: &'static str| line.split('|').skip(1).map(|part| part.split(',').map(str::trim).collect());
    TOPICS.lines().map(|line| Topic(std::array::from_fn(|i| parts(line).nth(i).unwrap_or_default()))).collect()
}

impl Topic {
    /// A sentence; one of those that are kept for testing, or one of the others.
    fn sentence(&self, test: bool, rng: &mut impl Rng) -> String {
        let Self(parts) = self;
        loop {
            let [subject, verb, object] = parts.each_ref().map(|part| rng.random_range(0..part.len()));
            if ((subject + verb + object) % 5 == 0) == test {
                let words = [
                    OPENINGS[rng.random_range(0..OPENINGS.len())],
                    parts[0][subject],
                    parts[1][verb],
                    parts[2][object],
                    ENDINGS[rng.random_range(0..ENDINGS.len())],
                ];
                return words.into_iter().filter(|words| !words.is_empty()).collect::<Vec<_>>().join(" ");
            }
        }
    }
}

/// Trains a model and writes it to a folder, as Hugging Face has them. Prints how well it finds topics in sentences that
/// it was not trained on.
pub(crate) fn train(folder: &Path) -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let topics = topics();
    let vocabulary = vocabulary(&topics);
    let config = json!({
        "model_type": "bert", "vocab_size": vocabulary.len(), "hidden_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 4, "intermediate_size": 128, "hidden_act": "gelu", "max_position_embeddings": 64,
        "type_vocab_size": 1, "layer_norm_eps": 1e-12, "pad_token_id": 0
    });
    let variables = VarMap::new();
    let builder = VarBuilder::from_varmap(&variables, DType::F32, &Device::Cpu);
    let model = Bert::load(builder, &serde_json::from_value::<Config>(config.clone())?)?;
    taper_examples::initialize(&variables, 1.0, &mut rng)?;

    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let write = |name: &str, value: &Value| {
        let path = folder.join(name);
        fs::write(&path, value.to_string()).with_context(|| format!("cannot write {}", path.display()))
    };
    write("config.json", &config)?;
    write("tokenizer.json", &tokenizer(&vocabulary))?;
    let weights = folder.join("model.safetensors");
    variables.save(&weights)?;
    let before = accuracy(&Encoder::open(folder)?, &topics)?;

    let embed = |texts: &[String]| {
        let (ids, mask) = tokens(texts, &vocabulary)?;
        anyhow::Ok(Pooling::Mean.of(&model.forward(&ids, None, Some(&mask))?, Some(&mask))?)
    };
    let mut optimizer = AdamW::new(variables.all_vars(), ParamsAdamW { lr: 2e-3, ..ParamsAdamW::default() })?;
    let targets = Tensor::arange(0, topics.len() as u32, &Device::Cpu)?;
    for _ in 0..STEPS {
        // A pair of sentences of each topic: each is to find its other half among all.
        let [ones, others] =
            [(); 2].map(|()| topics.iter().map(|topic| topic.sentence(false, &mut rng)).collect::<Vec<_>>());
        let similarities = (embed(&ones)?.matmul(&embed(&others)?.t()?)? / TEMPERATURE)?;
        optimizer.backward_step(&cross_entropy(&similarities, &targets)?)?;
    }
    variables.save(&weights)?;
    let after = accuracy(&Encoder::open(folder)?, &topics)?;
    eprintln!(
        "nearest sentence is of the same topic, of sentences not trained on: {before:.2} before, {after:.2} after"
    );
    ensure!(after > 0.95, "the training did not go well");
    Ok(())
}

/// How often the nearest of all other sentences is one of the same topic.
fn accuracy(encoder: &Encoder, topics: &[Topic]) -> Result<f64> {
    const EACH: usize = 8;
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let texts: Vec<_> = topics.iter().flat_map(|topic| [(); EACH].map(|()| topic.sentence(true, &mut rng))).collect();
    let (vectors, _) = encoder.embed(&texts, Pooling::Mean, 32)?;
    let itself = (Tensor::eye(texts.len(), DType::F32, &Device::Cpu)? * 2.0)?;
    let nearest = (vectors.matmul(&vectors.t()?)? - itself)?.argmax(D::Minus1)?.to_vec1::<u32>()?;
    let right = nearest.iter().enumerate().filter(|&(i, &nearest)| nearest as usize / EACH == i / EACH).count();
    Ok(right as f64 / texts.len() as f64)
}

/// Every word by its number.
fn vocabulary(topics: &[Topic]) -> BTreeMap<&'static str, u32> {
    let parts = topics.iter().flat_map(|Topic(parts)| parts.iter().flatten());
    let mut words: Vec<_> = parts.chain(&OPENINGS).chain(&ENDINGS).flat_map(|part| part.split_whitespace()).collect();
    words.sort_unstable();
    words.dedup();
    SPECIAL.into_iter().chain(words).zip(0..).collect()
}

/// What the tokenizer of the folder makes of the sentences, without it.
fn tokens(texts: &[String], vocabulary: &BTreeMap<&str, u32>) -> Result<(Tensor, Tensor)> {
    let number = |word: &str| vocabulary.get(word).copied().ok_or_else(|| anyhow!("no word {word:?}"));
    let texts = texts.iter().map(|text| ["[CLS]"].into_iter().chain(text.split(' ')).chain(["[SEP]"]));
    let texts = texts.map(|words| words.map(number).collect::<Result<Vec<_>>>()).collect::<Result<Vec<_>>>()?;
    let len = texts.iter().map(Vec::len).max().unwrap_or(0);
    let padded = |text: &Vec<u32>| text.iter().copied().chain(std::iter::repeat_n(0, len - text.len())).collect();
    let ids = Tensor::new(texts.iter().map(padded).collect::<Vec<Vec<u32>>>(), &Device::Cpu)?;
    let mask = ids.ne(0u32)?;
    Ok((ids, mask))
}

/// A `tokenizer.json` that splits as BERT's does, and knows whole words.
fn tokenizer(vocabulary: &BTreeMap<&str, u32>) -> Value {
    let special = |(id, content): (usize, &&str)| {
        json!({"id": id, "content": content, "single_word": false, "lstrip": false, "rstrip": false,
            "normalized": false, "special": true})
    };
    json!({
        "version": "1.0", "truncation": null, "padding": null, "decoder": null,
        "added_tokens": SPECIAL.iter().enumerate().map(special).collect::<Vec<_>>(),
        "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
            "strip_accents": null, "lowercase": true},
        "pre_tokenizer": {"type": "BertPreTokenizer"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}
    })
}
