//! The command line.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use taper_models::Pooling;

pub(crate) const USAGE: &str = "\
usage: embed [--model DIR] [--pooling mean|cls] [--batch N] [--save OUT.safetensors] [--json]
             [FILE]

  FILE             a sentence a line; without one, ten sentences that come with the program
  --model DIR      a model of the BERT family as Hugging Face has it: config.json, tokenizer.json, and the weights as
                   model.safetensors or pytorch_model.bin; without one, a small model is trained on the spot
  --pooling mean   the mean over the tokens; `cls`: the first token's vector. As the folder says by default, else `mean`
  --batch N        so many sentences at once, 32 by default
  --save OUT       the vectors as the tensor `embeddings`, [sentence, channel]
  --json           the sentences, their vectors and the similarities as JSON, and nothing else on the standard output";

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) help: bool,
    pub(crate) model: Option<PathBuf>,
    pub(crate) pooling: Option<Pooling>,
    pub(crate) batch: Option<usize>,
    pub(crate) save: Option<PathBuf>,
    pub(crate) json: bool,
    pub(crate) file: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut parsed = Self::default();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("`{argument}` lacks its value\n\n{USAGE}"));
            match argument.as_str() {
                "--help" | "-h" => parsed.help = true,
                "--model" => parsed.model = Some(value()?.into()),
                "--pooling" => parsed.pooling = Some(value()?.parse()?),
                "--json" => parsed.json = true,
                "--save" => parsed.save = Some(value()?.into()),
                "--batch" => {
                    let number = value()?;
                    match number.parse() {
                        Ok(batch @ 1..) => parsed.batch = Some(batch),
                        _ => bail!("`--batch {number}`: give a number of sentences, at least 1"),
                    }
                }
                option if option.starts_with('-') => bail!("there is no option `{option}`\n\n{USAGE}"),
                file if parsed.file.is_none() => parsed.file = Some(file.into()),
                second => bail!("`{second}` is a second file; give one\n\n{USAGE}"),
            }
        }
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn options_stand_before_and_after_the_file() {
        let arguments = parse("--model m lines.txt --pooling cls --batch 4").unwrap();
        assert_eq!((arguments.model, arguments.file), (Some("m".into()), Some("lines.txt".into())));
        assert_eq!((arguments.pooling, arguments.batch), (Some(Pooling::Cls), Some(4)));
        assert!(!arguments.json && parse("a --json").unwrap().json);
        assert_eq!(parse("").unwrap(), Arguments::default());
    }

    #[test]
    fn what_is_wrong_is_told() {
        let cases = [
            ("--modle m", "no option `--modle`"),
            ("a b", "second file"),
            ("--batch", "lacks its value"),
            ("--batch 0", "at least 1"),
            ("--pooling max", "`max` is no way to pool"),
        ];
        for (line, part) in cases {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
