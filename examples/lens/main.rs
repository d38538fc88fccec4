//! What a language model would say after each of its blocks, and where its heads look.
//!
//! `cargo run --release --example lens -- --model DIR "text"` reads a model as Hugging Face has it and prints its logit lens
//! (nostalgebraist 2020, “interpreting GPT: the logit lens”): the last norm and the head applied to the stream after each
//! block, a row a block, a column a token. Each block's attention goes to a picture, all heads side by side.
//!
//! Without `--model` it trains a small GPT-2 on the text of the Apache License first, which takes seconds, and reads that.

mod arguments;
mod folder;
mod lens;
mod picture;
mod table;
mod train;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use console::Term;

use arguments::{Arguments, USAGE};
use folder::Folder;
use lens::Lens;

/// Where a model that is trained on the spot is written.
const TRAINED: &str = "out/lens/model";
/// What it is asked without a text.
const TEXT: &str = "You may reproduce and distribute copies of the";
/// What other models are asked without a text.
const OTHER_TEXT: &str = "The Eiffel Tower is in the city of";
/// How wide the tables are where there is no terminal.
const WIDTH: usize = 100;

fn main() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    if arguments.help {
        println!("{USAGE}");
        return Ok(());
    }
    let default_text = if arguments.model.is_some() { OTHER_TEXT } else { TEXT };
    let folder = match arguments.model {
        Some(folder) => folder,
        None => {
            println!("no --model: training a small one on the Apache License, into {TRAINED}");
            train::train(Path::new(TRAINED), train::STEPS)?;
            PathBuf::from(TRAINED)
        }
    };
    let folder = Folder::open(&folder, arguments.dtype)?;
    let text = folder.read(arguments.text.as_deref().unwrap_or(default_text))?;
    let lens = Lens { ids: &text.ids, top: arguments.top.max(table::LAST), layers: arguments.layers };
    let seen = folder.look(lens)?;
    let width = Term::stdout().size_checked().map_or(WIDTH, |(_, columns)| usize::from(columns));
    println!("\n{}: {} tokens, {} of its blocks", folder.name(), text.labels.len(), seen.patterns.len());
    println!("\nthe likeliest next token after each token, by the stream after each block:\n");
    println!("{}", table::by_token(&seen, &text.labels, &folder, arguments.top, width));
    println!("what comes after the whole text, with probabilities:\n");
    println!("{}", table::at_the_end(&seen, &folder, width));

    fs::create_dir_all(&arguments.out).with_context(|| format!("cannot create {}", arguments.out.display()))?;
    for (block, pattern) in &seen.patterns {
        let path = arguments.out.join(format!("attention-{block:02}.png"));
        picture::heads(&format!("{}, block {block}", folder.name()), pattern, &text.labels)?.save(&path)?;
    }
    ensure!(!seen.patterns.is_empty(), "the model has no blocks");
    println!("wrote {} pictures to {}", seen.patterns.len(), arguments.out.join("attention-*.png").display());
    Ok(())
}

#[cfg(test)]
mod tests;
