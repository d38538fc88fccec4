use candle_core::{DType, Result, Tensor, bail};

/// The numbers of texts and of tokens in `ids`, [batch, token], each of which has a row in `table`, [vocabulary, channel].
///
/// # Errors
/// Ids of another rank, none, those that are no integers, and one that the vocabulary does not have. Where the embedding
/// itself stops at such an id, on CUDA, they are not read back: a pass waits for nothing there.
pub(crate) fn batch_and_len(ids: &Tensor, table: &Tensor) -> Result<(usize, usize)> {
    let [batch, len] = ids.dims()[..] else {
        bail!("the ids are {:?} and should be [batch, token]: `unsqueeze(0)` makes a batch of one text", ids.dims());
    };
    if batch == 0 || len == 0 {
        bail!("the ids are {:?}, which is no token: give [batch, token], at least one each", ids.dims());
    }
    check("id", "vocabulary", ids, table)?;
    Ok((batch, len))
}

/// That the types of tokens, [batch, token], are as many as the tokens, and each has a row in `table`, [type, channel].
///
/// # Errors
/// Another shape than that of `ids`, and those of [`batch_and_len`].
pub(crate) fn check_types(types: &Tensor, ids: &Tensor, table: &Tensor) -> Result<()> {
    if types.dims() != ids.dims() {
        bail!("the token types are {:?} and the ids {:?}: give a type for each token", types.dims(), ids.dims());
    }
    check("token type", "types", types, table)
}

fn check(what: &str, all: &str, numbers: &Tensor, table: &Tensor) -> Result<()> {
    if numbers.dtype().is_float() {
        bail!("the {what}s are {:?}: give integers, such as u32", numbers.dtype());
    }
    let rows = table.dim(0)?;
    // candle's embedding gives zeros for the largest integer, and on Metal the last row for others that are too large.
    if numbers.device().is_cuda() {
        return Ok(());
    }
    for (text, numbers) in numbers.to_dtype(DType::I64)?.to_vec2::<i64>()?.iter().enumerate() {
        let beyond = |number: &i64| usize::try_from(*number).map_or(true, |number| number >= rows);
        if let Some(token) = numbers.iter().position(beyond) {
            bail!(
                "the {what} {} at text {text}, token {token}, is outside of the {all}, which are {rows}: 0 to {}",
                numbers[token],
                rows.saturating_sub(1)
            );
        }
    }
    Ok(())
}

/// The places of `len` tokens that follow `start` others, [1, token], each of which has a row in `table`, [position,
/// channel].
///
/// # Errors
/// More tokens than there are positions.
pub(crate) fn positions(start: usize, len: usize, table: &Tensor) -> Result<Tensor> {
    check_length(start + len, table.dim(0)?)?;
    Tensor::arange(start as u32, (start + len) as u32, table.device())?.unsqueeze(0)
}

/// An error if a text is longer than there are positions.
pub(crate) fn check_length(len: usize, most: usize) -> Result<()> {
    if len > most {
        bail!("a text of {len} tokens is longer than the {most} positions that the model has: cut it");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;

    fn table(rows: usize) -> Tensor {
        Tensor::zeros((rows, 2), DType::F32, &Device::Cpu).unwrap()
    }

    fn error(ids: Result<Tensor>) -> String {
        batch_and_len(&ids.unwrap(), &table(9)).unwrap_err().to_string()
    }

    #[test]
    fn an_id_that_is_not_there_is_named_with_its_place() {
        let ids = |last: i64| Tensor::new(&[[0i64, 1, 2], [3, 4, last]], &Device::Cpu);
        assert_eq!(batch_and_len(&ids(8).unwrap(), &table(9)).unwrap(), (2, 3));
        // The largest of a type would be read as zeros.
        for last in [9, -1, i64::MAX] {
            let error = error(ids(last));
            let parts = [&format!("id {last} at text 1, token 2"), "vocabulary, which are 9: 0 to 8"];
            assert!(parts.iter().all(|part| error.contains(*part)), "{error}");
        }
        assert!(error(Tensor::new(&[[u32::MAX]], &Device::Cpu)).contains("id 4294967295 at text 0, token 0"));
        assert!(error(Tensor::new(&[[u8::MAX]], &Device::Cpu)).contains("id 255 at"));
    }

    #[test]
    fn ids_are_integers_of_two_dimensions() {
        let zeros = |dims: &[usize]| Tensor::zeros(dims, DType::U32, &Device::Cpu);
        assert!(error(zeros(&[5])).contains("are [5] and should be [batch, token]"));
        assert!(error(zeros(&[1, 2, 3])).contains("are [1, 2, 3] and should be [batch, token]"));
        assert!(error(zeros(&[1, 0])).contains("no token"));
        assert!(error(Tensor::zeros((1, 2), DType::F32, &Device::Cpu)).contains("F32: give integers"));
    }

    #[test]
    fn a_text_is_no_longer_than_its_positions() {
        assert_eq!(positions(2, 3, &table(5)).unwrap().to_vec2::<u32>().unwrap(), [[2, 3, 4]]);
        let error = positions(3, 3, &table(5)).unwrap_err().to_string();
        assert!(error.contains("6 tokens") && error.contains("5 positions"), "{error}");
    }
}
