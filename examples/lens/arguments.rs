//! The command line.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use candle_core::DType;

pub(crate) const USAGE: &str = "\
usage: lens [--model DIR] [--dtype f32|f16|bf16] [--top K] [--layers LIST] [--out DIR] [TEXT]

  TEXT             what the model reads
  --model DIR      a language model as Hugging Face has it: config.json, tokenizer.json, and the weights as
                   model.safetensors, in shards, or as pytorch_model.bin; without one, a small model is trained on the spot
  --dtype D        what the weights become: f32 by default
  --top K          how many tokens each cell of the table has, 1 by default
  --layers LIST    which blocks, such as 0,4,8-11; all by default
  --out DIR        where the pictures go, a file a block; out/lens by default";

#[derive(Debug, PartialEq)]
pub(crate) struct Arguments {
    pub(crate) help: bool,
    pub(crate) model: Option<PathBuf>,
    pub(crate) dtype: DType,
    pub(crate) top: usize,
    pub(crate) layers: Option<Vec<usize>>,
    pub(crate) out: PathBuf,
    pub(crate) text: Option<String>,
}

impl Arguments {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self> {
        let mut parsed = Self {
            help: false,
            model: None,
            dtype: DType::F32,
            top: 1,
            layers: None,
            out: "out/lens".into(),
            text: None,
        };
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("`{argument}` lacks its value\n\n{USAGE}"));
            match argument.as_str() {
                "--help" | "-h" => parsed.help = true,
                "--model" => parsed.model = Some(value()?.into()),
                "--out" => parsed.out = value()?.into(),
                "--layers" => parsed.layers = Some(layers(&value()?)?),
                "--top" => {
                    let number = value()?;
                    match number.parse() {
                        Ok(top @ 1..) => parsed.top = top,
                        _ => bail!("`--top {number}`: give a number of tokens, at least 1"),
                    }
                }
                "--dtype" => {
                    parsed.dtype = match value()?.as_str() {
                        "f32" => DType::F32,
                        "f16" => DType::F16,
                        "bf16" => DType::BF16,
                        other => bail!("`--dtype {other}`: give f32, f16 or bf16"),
                    }
                }
                option if option.starts_with("--") => bail!("there is no option `{option}`\n\n{USAGE}"),
                text if parsed.text.is_none() => parsed.text = Some(text.to_owned()),
                second => bail!("`{second}` is a second text; put the text into quotes\n\n{USAGE}"),
            }
        }
        Ok(parsed)
    }
}

/// The numbers of a list such as `0,4,8-11`, in order, each once.
fn layers(list: &str) -> Result<Vec<usize>> {
    let mut layers = Vec::new();
    for part in list.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        match (first.trim().parse::<usize>(), last.trim().parse::<usize>()) {
            (Ok(first), Ok(last)) if first <= last && last < 10_000 => layers.extend(first..=last),
            _ => bail!("`--layers {list}`: `{part}` is neither a number nor a range such as 8-11"),
        }
    }
    layers.sort_unstable();
    layers.dedup();
    Ok(layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &[&str]) -> Result<Arguments> {
        Arguments::parse(line.iter().map(|&argument| argument.to_owned()))
    }

    #[test]
    fn options_stand_before_and_after_the_text() {
        let line = ["--model", "m", "a b", "--top", "3", "--layers", "8-10,0,9", "--dtype", "bf16", "--out", "o"];
        let parsed = parse(&line).unwrap();
        assert_eq!((parsed.model, parsed.text, parsed.top), (Some("m".into()), Some("a b".into()), 3));
        assert_eq!((parsed.layers, parsed.dtype), (Some(vec![0, 8, 9, 10]), DType::BF16));
        assert_eq!(parsed.out, PathBuf::from("o"));
        assert_eq!(parse(&[]).unwrap().top, 1);
    }

    #[test]
    fn what_is_wrong_is_told() {
        let cases: [(&[&str], &str); 7] = [
            (&["--modle", "m"], "no option `--modle`"),
            (&["a", "b"], "second text"),
            (&["--model"], "lacks its value"),
            (&["--top", "0"], "at least 1"),
            (&["--layers", "3-1"], "`3-1` is neither"),
            (&["--layers", "1,,2"], "`` is neither"),
            (&["--dtype", "i8"], "f32, f16 or bf16"),
        ];
        for (line, part) in cases {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
