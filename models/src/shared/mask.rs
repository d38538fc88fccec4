use candle_core::{DType, Device, Result, Tensor, bail};

/// What is added to the scores of `tokens` tokens that follow `past` others, [query, key]: −∞ where the key is later than
/// the query, or so much earlier that a `window` of tokens, the query with them, does not reach it; else 0.
pub(crate) fn causal_mask(
    tokens: usize,
    past: usize,
    window: Option<usize>,
    dtype: DType,
    device: &Device,
) -> Result<Tensor> {
    let keys = past + tokens;
    let reads = |query: usize, key: usize| key <= query && window.is_none_or(|window| key + window > query);
    let entries = (past..keys).flat_map(|query| (0..keys).map(move |key| (query, key)));
    let entries = entries.map(|(query, key)| if reads(query, key) { 0.0 } else { f32::NEG_INFINITY }).collect();
    Tensor::from_vec(entries, (tokens, keys), device)?.to_dtype(dtype)
}

/// What is added to the scores of texts of which a part is padding, [batch, 1, 1, key]: the lowest number of `dtype` where
/// `mask`, [batch, token], is 0, so that also a text of nothing but padding gives numbers; else 0.
///
/// # Errors
/// Those of [`is_padding`].
pub(crate) fn padding_mask(mask: &Tensor, (batch, len): (usize, usize), dtype: DType) -> Result<Tensor> {
    (is_padding(mask, (batch, len))?.to_dtype(dtype)? * lowest(dtype))?.reshape((batch, 1, 1, len))
}

/// The same for texts of which each token reads what is not later, [batch, 1, query, key]: the lowest number where the key
/// is padding or later than the query. A token that is left with none, as padding before a text is, reads all alike, as in
/// the original.
///
/// # Errors
/// Those of [`is_padding`].
pub(crate) fn causal_padding_mask(mask: &Tensor, (batch, len): (usize, usize), dtype: DType) -> Result<Tensor> {
    let padding = is_padding(mask, (batch, len))?.reshape((batch, 1, 1, len))?;
    let later = causal_mask(len, 0, None, DType::F32, mask.device())?.lt(0f32)?;
    padding.broadcast_maximum(&later)?.to_dtype(dtype)? * lowest(dtype)
}

/// A number that is lower than any score, and can be calculated with.
fn lowest(dtype: DType) -> f64 {
    match dtype {
        DType::F16 => -65504.0,
        // A bfloat16 has the exponents of an f32, and fewer digits: its lowest is above that of an f32.
        _ => -3.38e38,
    }
}

/// 1 where `mask`, integers of [batch, token], is 0, else 0, as `u8`.
///
/// # Errors
/// A mask of floats, which is likelier one to be added than one of zeros and ones, and one of another shape.
pub(crate) fn is_padding(mask: &Tensor, (batch, len): (usize, usize)) -> Result<Tensor> {
    if mask.dtype().is_float() {
        bail!("the mask is {:?}: give integers, 1 for a token and 0 for padding", mask.dtype());
    }
    if mask.dims() != [batch, len] {
        bail!("the mask is {:?} for {batch} texts of {len} tokens: give one number for each token", mask.shape());
    }
    mask.eq(0u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(tokens: usize, past: usize, window: Option<usize>) -> Vec<String> {
        let mask = causal_mask(tokens, past, window, DType::F32, &Device::Cpu).unwrap().to_vec2::<f32>().unwrap();
        let row = |row: &Vec<f32>| row.iter().map(|&x| if x == 0.0 { 'o' } else { '.' }).collect();
        mask.iter().map(row).collect()
    }

    #[test]
    fn a_token_reads_itself_and_what_is_earlier() {
        assert_eq!(mask(3, 0, None), ["o..", "oo.", "ooo"]);
        assert_eq!(mask(2, 2, None), ["ooo.", "oooo"]);
    }

    #[test]
    fn padding_is_out_of_reach_in_every_type() {
        let mask = Tensor::new(&[[1i64, 1, 0], [0, 0, 0]], &Device::Cpu).unwrap();
        for dtype in [DType::F32, DType::F64, DType::BF16, DType::F16] {
            let mask = padding_mask(&mask, (2, 3), dtype).unwrap();
            assert_eq!((mask.dims(), mask.dtype()), (&[2, 1, 1, 3][..], dtype));
            let rows = mask.to_dtype(DType::F64).unwrap().reshape((2, 3)).unwrap().to_vec2::<f64>().unwrap();
            assert!(rows[0][0] == 0.0 && rows[0][1] == 0.0 && rows[0][2] < -6e4, "{rows:?}");
            assert!(rows[1].iter().all(|&x| x == rows[0][2] && x.is_finite()), "{rows:?}");
        }
    }

    #[test]
    fn what_is_later_and_what_is_padding_is_out_of_reach() {
        let mask = Tensor::new(&[[1i64, 1, 0], [0, 1, 1]], &Device::Cpu).unwrap();
        for dtype in [DType::F32, DType::F64, DType::BF16, DType::F16] {
            let mask = causal_padding_mask(&mask, (2, 3), dtype).unwrap();
            assert_eq!((mask.dims(), mask.dtype()), (&[2, 1, 3, 3][..], dtype));
            let rows = mask.to_dtype(DType::F64).unwrap().reshape((6, 3)).unwrap().to_vec2::<f64>().unwrap();
            let read = |row: Vec<f64>| row.iter().map(|&x| if x == 0.0 { 'o' } else { '.' }).collect::<String>();
            assert!(rows.iter().flatten().all(|&x| x == 0.0 || (x < -6e4 && x.is_finite())), "{rows:?}");
            assert_eq!(rows.into_iter().map(read).collect::<Vec<_>>(), ["o..", "oo.", "oo.", "...", ".o.", ".oo"]);
        }
    }

    #[test]
    fn a_mask_to_be_added_is_refused() {
        let mask = Tensor::zeros((1, 2), DType::F32, &Device::Cpu).unwrap();
        assert!(is_padding(&mask, (1, 2)).unwrap_err().to_string().contains("give integers"));
        let mask = mask.to_dtype(DType::U8).unwrap();
        assert!(is_padding(&mask, (1, 3)).unwrap_err().to_string().contains("1 texts of 3 tokens"));
        assert!(is_padding(&mask, (1, 2)).is_ok());
    }

    #[test]
    fn a_window_counts_the_token_itself() {
        assert_eq!(mask(4, 0, Some(2)), ["o...", "oo..", ".oo.", "..oo"]);
        assert_eq!(mask(1, 3, Some(2)), ["..oo"]);
        assert_eq!(mask(2, 0, Some(9)), mask(2, 0, None));
    }
}
