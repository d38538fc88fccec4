//! A model with its tokenizer.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use candle_core::{DType, Device, Tensor};
use indicatif::{ProgressBar, ProgressStyle};
use taper::Weights;
use taper_models::{AnyModel, Architecture};
use tokenizers::Tokenizer;

use crate::lens::{Lens, Seen};

/// What a folder of Hugging Face's holds.
pub(crate) struct Folder {
    path: PathBuf,
    model: AnyModel,
    tokenizer: Tokenizer,
}

/// A text as the model reads it.
pub(crate) struct Text {
    /// [1, token].
    pub(crate) ids: Tensor,
    /// How each token is shown.
    pub(crate) labels: Vec<String>,
}

impl Folder {
    /// Reads a folder, with a progress bar while it reads the weights.
    pub(crate) fn open(path: &Path, dtype: DType) -> Result<Self> {
        let architecture = Architecture::of(path)?;
        let tokenizer = tokenizer(path)?;
        let weights = Weights::folder(path, dtype, &Device::Cpu)?;
        let bar = ProgressBar::new(0)
            .with_style(ProgressStyle::with_template("reading {msg} {wide_bar} {bytes}/{total_bytes}, {eta} left")?);
        bar.set_message(path.display().to_string());
        let shown = bar.clone();
        let weights = weights.on_progress(move |read, all| {
            shown.set_length(all);
            shown.set_position(read);
        });
        let model = architecture.load(weights);
        bar.finish_and_clear();
        Ok(Self { path: path.to_owned(), model: model?, tokenizer })
    }

    /// The architecture and where it is from.
    pub(crate) fn name(&self) -> String {
        format!("{} of {}", self.model.model_type(), self.path.display())
    }

    /// The tokens of a text, special ones as the tokenizer adds them.
    pub(crate) fn read(&self, text: &str) -> Result<Text> {
        let encoding = self.tokenizer.encode(text, true).map_err(|error| anyhow!("cannot split the text: {error}"))?;
        let ids = encoding.get_ids();
        ensure!(!ids.is_empty(), "the text has no tokens; give one with a letter at least");
        let labels = ids.iter().map(|&id| self.label(id)).collect();
        Ok(Text { ids: Tensor::new(ids, &Device::Cpu)?.unsqueeze(0)?, labels })
    }

    /// How a token is shown: spaces and line ends so that they are seen.
    pub(crate) fn label(&self, id: u32) -> String {
        let piece = self.tokenizer.id_to_token(id).unwrap_or_else(|| format!("#{id}"));
        let decoded = self.tokenizer.decode(&[id], false).unwrap_or_default();
        let shown = match decoded.contains('\u{fffd}') {
            // A part of a letter is nothing by itself.
            true => bytes(&piece).unwrap_or_else(|| piece.clone()),
            false if decoded.is_empty() => piece.clone(),
            false => decoded,
        };
        // Some decoders drop the space before the first word.
        let begins = piece.starts_with(['Ġ', '▁']) && !shown.starts_with([' ', 'Ġ', '▁']);
        let shown = if begins { format!(" {shown}") } else { shown };
        let shown = shown.replace([' ', 'Ġ', '▁'], "·").replace('\n', "\\n").replace('\t', "\\t");
        shown.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
    }

    /// What the lens shows of the model.
    pub(crate) fn look(&self, lens: Lens<'_>) -> Result<Seen> {
        let seen = self.model.with_decoder(lens);
        seen.with_context(|| {
            format!(
                "`{}` is `{}`, which is no language model of tokens alone; the lens is for those",
                self.path.display(),
                self.model.model_type()
            )
        })?
    }
}

fn tokenizer(folder: &Path) -> Result<Tokenizer> {
    let path = folder.join("tokenizer.json");
    ensure!(
        path.is_file(),
        "`{}` is not there; a folder without it can be completed by `AutoTokenizer.from_pretrained(…).save_pretrained(…)`",
        path.display()
    );
    Tokenizer::from_file(&path).map_err(|error| anyhow!("cannot read `{}`: {error}", path.display()))
}

/// A piece of bytes, as GPT-2's alphabet writes them, in their numbers: `\xe4`.
fn bytes(piece: &str) -> Option<String> {
    let is_itself = |byte: &u32| matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
    let byte = |c: char| match u32::from(c) {
        code if is_itself(&code) => Some(code),
        // The others have the letters from U+0100 on, in order.
        code => (0..256).filter(|byte| !is_itself(byte)).nth(code.checked_sub(0x100)? as usize),
    };
    piece.chars().map(|c| byte(c).map(|byte| format!("\\x{byte:02x}"))).collect()
}
