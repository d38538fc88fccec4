use candle_core::Result;
use candle_nn::{Embedding, VarBuilder};
use taper::layers::{Linear, linear_no_bias};

/// The head of a language model: the token embedding's own weight if it is `tied`, else one that is loaded.
pub(crate) fn unembedding(wte: &Embedding, tied: bool, vb: VarBuilder) -> Result<Linear> {
    if tied {
        return Ok(Linear::new(wte.embeddings().clone(), None));
    }
    let (tokens, width) = wte.embeddings().dims2()?;
    linear_no_bias(width, tokens, vb)
}
