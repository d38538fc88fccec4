//! Near names for a misspelled one.

/// How alike two words must be (Jaro-Winkler, 1 is equal) for one to be offered for the other.
const ALIKE: f64 = 0.8;

/// The candidate nearest to `word`, if one is near.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (likeness(&word, &candidate.to_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness > ALIKE)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// One slip of the keyboard counts as near even in a short word, where Jaro-Winkler is strict.
fn likeness(word: &str, candidate: &str) -> f64 {
    let slips = strsim::damerau_levenshtein(word, candidate);
    let by_slips = if slips <= 1 && candidate.len() > 2 { 0.9 } else { 0.0 };
    strsim::jaro_winkler(word, candidate).max(by_slips)
}

/// `; did you mean `x`?`, or `otherwise` when nothing is near.
pub(crate) fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    match did_you_mean(word, candidates) {
        Some(near) => format!("; did you mean `{near}`?"),
        None => otherwise.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        let words = ["sequential", "config", "vb", "leaf"];
        assert_eq!(did_you_mean("sequental", words), Some("sequential"));
        assert_eq!(did_you_mean("Config", words), Some("config"));
        assert_eq!(did_you_mean("laef", words), Some("leaf"));
        assert_eq!(did_you_mean("zzz", words), None);
        assert_eq!(did_you_mean("linear", ["each", "maybe", "tensor"]), None);
    }
}
