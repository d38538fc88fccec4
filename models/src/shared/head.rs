use candle_core::{Result, Tensor};
use candle_nn::{Embedding, VarBuilder};
use taper::layers::{Linear, linear_no_bias};

/// The head of a language model: the token embedding's own weight if it is `tied`, else one that is loaded. A tied head
/// that the file has too, with other numbers, is not tied, whatever the configuration says, as in the original.
pub(crate) fn unembedding(wte: &Embedding, tied: bool, vb: VarBuilder) -> Result<Linear> {
    let embeddings = wte.embeddings();
    if tied && !vb.contains_tensor("weight") {
        return Ok(Linear::new(embeddings.clone(), None));
    }
    let (tokens, width) = embeddings.dims2()?;
    let own = linear_no_bias(width, tokens, vb)?;
    if tied && same(own.weight(), embeddings)? {
        return Ok(Linear::new(embeddings.clone(), None));
    }
    Ok(own)
}

/// Whether all numbers are the same.
pub(crate) fn same(a: &Tensor, b: &Tensor) -> Result<bool> {
    Ok(a.ne(b)?.max_all()?.to_scalar::<u8>()? == 0)
}
