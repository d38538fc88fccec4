//! Text by a decoder, token by token.

use candle_core::{DType, IndexOp, Result, Tensor, bail};
use taper::{Run, Selection};

use crate::decoder::Decoder;
use crate::past::Past;

/// A text that a decoder goes on with, reading every token once: what it needs of the earlier ones is kept as a [`Past`].
///
/// It is made of a run: of a plain one, `model.run()`, or of one with edits and replacements, which are then in force in
/// every step. A step sees the tokens that were not read yet: all of the text in the first, one in every later step.
/// **An edit by the position of a token** must count from there. What is changed at `k` and `v` of an attention is kept
/// changed; a change at its `keys` and `values`, which are those of all tokens, is made anew in every step.
///
/// ```
/// use candle_core::{DType, Device, Tensor};
/// use candle_nn::VarBuilder;
/// use taper_models::Generation;
/// use taper_models::gpt2::{Config, Gpt2};
///
/// # let json = r#"{"vocab_size": 11, "n_positions": 8, "n_embd": 4, "n_layer": 2, "n_head": 2}"#;
/// # let config: Config = serde_json::from_str(json).unwrap();
/// let model = Gpt2::load(VarBuilder::zeros(DType::F32, &Device::Cpu), &config)?;
/// let ids = Tensor::new(&[[3u32, 1, 4]], &Device::Cpu)?;
/// let steering = Tensor::new(&[0f32, 0., 1., 0.], &Device::Cpu)?;
///
/// let run = model.run().edit(|t| t.blocks[0].output, |x| x.broadcast_add(&steering));
/// let mut text = Generation::new(&run, &ids, ());
/// text.greedy(2)?;
/// assert_eq!(text.ids().dims(), [1, 5]);
///
/// // One step by hand, with what is to be seen of it.
/// let (logits, patterns) = text.step(|t| t.blocks.each(|b| b.attn.pattern))?;
/// assert_eq!((logits.dims(), patterns[1].dims()), (&[1, 11][..], &[1, 2, 1, 5][..]));
/// text.push(&logits.argmax(1)?)?;
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Generation<'r, 'm, 'e, D: Decoder> {
    run: &'r Run<'m, 'e, D>,
    source: D::Source,
    ids: Tensor,
    past: Option<Past>,
}

impl<'r, 'm, 'e, D: Decoder> Generation<'r, 'm, 'e, D> {
    /// The text so far, [batch, token], at least one each, and what else the decoder reads: `()` for a language model.
    pub fn new(run: &'r Run<'m, 'e, D>, ids: &Tensor, source: D::Source) -> Self {
        Self { run, source, ids: ids.clone(), past: None }
    }

    /// Reads what was not read yet, and gives the logits of the next token, [batch, vocabulary], and what the closure selects.
    ///
    /// # Errors
    /// Those of the run; a text whose every token is read: [`push`](Self::push) the next.
    pub fn step<S: Selection>(&mut self, select: impl FnOnce(D::Sites) -> S) -> Result<(Tensor, S::Value)> {
        let (_, len) = self.ids.dims2()?;
        let read = Past::tokens(self.past.as_ref());
        if read == len {
            bail!("every token of the text is read: `push` the next one before the next step");
        }
        let unread = self.ids.narrow(1, read, len - read)?;
        let run = self.run.on(D::args(&unread, &self.source, self.past.as_ref()));
        let (logits, blocks, selected) = run.capture(|t| (D::logits(&t), D::keys_values(&t), select(t)))?;
        self.past = Some(match &self.past {
            None => Past::new(blocks)?,
            Some(past) => past.then(blocks)?,
        });
        Ok((logits.i((.., len - read - 1, ..))?, selected))
    }

    /// Appends the next token of every text, as many as there are.
    ///
    /// # Errors
    /// Another number of tokens than there are texts.
    pub fn push(&mut self, next: &Tensor) -> Result<()> {
        let next = next.to_dtype(self.ids.dtype())?.unsqueeze(1)?;
        self.ids = Tensor::cat(&[&self.ids, &next], 1)?;
        Ok(())
    }

    /// Goes on by so many tokens, each the likeliest.
    ///
    /// # Errors
    /// Those of [`step`](Self::step).
    pub fn greedy(&mut self, tokens: usize) -> Result<()> {
        self.generate(tokens, &[], |logits| logits.argmax(1))
    }

    /// Goes on by at most so many tokens, each as `choose` has it: the logits of every text, [batch, vocabulary], to one
    /// token for each. It ends early once every text has come to one of `ends`; those that came to it earlier go on with
    /// the others.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # use taper_models::{Generation, gpt2::{Config, Gpt2}};
    /// # let json = r#"{"vocab_size": 11, "n_positions": 8, "n_embd": 4, "n_layer": 2, "n_head": 2}"#;
    /// # let config: Config = serde_json::from_str(json).unwrap();
    /// # let model = Gpt2::load(candle_nn::VarBuilder::zeros(DType::F32, &Device::Cpu), &config)?;
    /// # let run = model.run();
    /// let mut text = Generation::new(&run, &Tensor::new(&[[3u32, 1]], &Device::Cpu)?, ());
    /// // The Gumbel trick: the largest of logits with this noise is a sample at temperature 0.8.
    /// text.generate(4, &[10], |logits| {
    ///     let uniform = logits.rand_like(1e-6, 1.0)?;
    ///     ((logits / 0.8)? - uniform.log()?.neg()?.log()?)?.argmax(1)
    /// })?;
    /// assert!(text.ids().dim(1)? <= 6);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`step`](Self::step), of `choose` and of [`push`](Self::push).
    pub fn generate(
        &mut self,
        tokens: usize,
        ends: &[u32],
        mut choose: impl FnMut(&Tensor) -> Result<Tensor>,
    ) -> Result<()> {
        let mut ended = vec![false; self.ids.dim(0)?];
        for _ in 0..tokens {
            let (logits, ()) = self.step(|_| ())?;
            let next = choose(&logits)?;
            self.push(&next)?;
            for (ended, token) in ended.iter_mut().zip(next.to_dtype(DType::U32)?.to_vec1::<u32>()?) {
                *ended |= ends.contains(&token);
            }
            if ended.iter().all(|&ended| ended) {
                break;
            }
        }
        Ok(())
    }

    /// The text so far: [batch, token].
    pub fn ids(&self) -> &Tensor {
        &self.ids
    }

    /// What is kept of the tokens that were read; nothing before the first step.
    pub fn past(&self) -> Option<&Past> {
        self.past.as_ref()
    }
}
