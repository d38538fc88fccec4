use candle_core::{DType, Device, Result, Tensor};

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
    fn a_window_counts_the_token_itself() {
        assert_eq!(mask(4, 0, Some(2)), ["o...", "oo..", ".oo.", "..oo"]);
        assert_eq!(mask(1, 3, Some(2)), ["..oo"]);
        assert_eq!(mask(2, 0, Some(9)), mask(2, 0, None));
    }
}
