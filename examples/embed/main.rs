//! Sentence embeddings of the lines of a file, and how similar the lines are.
//!
//! `cargo run --release --example embed -- --model DIR FILE` reads a model of the BERT family as Hugging Face has it (such
//! as `sentence-transformers/all-MiniLM-L6-v2`) and prints the cosine similarity of each two lines. Sentences are padded
//! and go through the model in batches, which changes no vector by more than 1e-5.
//!
//! Without `--model` it trains a small BERT on sentences about twelve topics first, which takes seconds, and reads that.

mod arguments;
mod encoder;
mod table;
mod train;

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use candle_core::{Tensor, safetensors};
use serde::Serialize;

use arguments::{Arguments, USAGE};
use encoder::Encoder;

/// What is read without a file.
const SENTENCES: &str = include_str!("../data/sentences.txt");
/// Where a model that is trained on the spot is written.
const TRAINED: &str = "out/embed";

fn main() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    if arguments.help {
        println!("{USAGE}");
        return Ok(());
    }
    let texts = texts(arguments.file.as_deref())?;
    let folder = match arguments.model {
        Some(folder) => folder,
        None => {
            eprintln!("no --model: training a small one, which knows a few hundred words, into {TRAINED}");
            train::train(Path::new(TRAINED))?;
            PathBuf::from(TRAINED)
        }
    };
    let encoder = Encoder::open(&folder)?;
    let pooling = arguments.pooling.unwrap_or(encoder.pooling);
    let (vectors, unknown) = encoder.embed(&texts, pooling, arguments.batch.unwrap_or(32))?;
    if unknown > 0 {
        eprintln!("note: {unknown} words are not in the vocabulary of {}", folder.display());
    }
    let similarities = vectors.matmul(&vectors.t()?)?.to_vec2()?;
    if arguments.json {
        println!("{}", json(&texts, &vectors, &similarities)?);
    } else {
        let (sentences, width) = vectors.dims2()?;
        println!("{sentences} sentences as vectors of {width} numbers; cosine similarity:\n");
        print!("{}", table::similarities(&texts, &similarities));
    }
    if let Some(path) = arguments.save {
        safetensors::save(&HashMap::from([("embeddings", vectors)]), &path)
            .with_context(|| format!("cannot write {}", path.display()))?;
        eprintln!("\nwrote {}", path.display());
    }
    Ok(())
}

/// `sentences`, their `embeddings`, [sentence][channel], and their cosine `similarities`, [sentence][sentence].
fn json(texts: &[String], vectors: &Tensor, similarities: &[Vec<f32>]) -> Result<String> {
    #[derive(Serialize)]
    struct Output<'a> {
        sentences: &'a [String],
        embeddings: Vec<Vec<f32>>,
        similarities: &'a [Vec<f32>],
    }
    Ok(serde_json::to_string(&Output { sentences: texts, embeddings: vectors.to_vec2()?, similarities })?)
}

/// The lines of a file that are not empty.
fn texts(file: Option<&Path>) -> Result<Vec<String>> {
    let (name, text) = match file {
        Some(path) => {
            let name = path.display().to_string();
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
            (name, text)
        }
        None => ("the sentences".to_owned(), SENTENCES.to_owned()),
    };
    let texts: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
    ensure!(!texts.is_empty(), "{name} has no line of text");
    Ok(texts)
}

#[cfg(test)]
mod tests;
