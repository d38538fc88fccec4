//! Names that may be meant by one that there is not.

/// How many an error lists.
const LISTED: usize = 3;

/// How many slips make `other` of `name`: letters that are wrong, lacking, too many or swapped. None if they are more than
/// `most`.
pub(crate) fn slips(name: &str, other: &str, most: usize) -> Option<usize> {
    // Bytes are at most four times as many as letters.
    if name.len().abs_diff(other.len()) > most.saturating_mul(4) {
        return None;
    }
    Some(strsim::damerau_levenshtein(name, other)).filter(|slips| *slips <= most)
}

/// What stands beside the names most like `name`, the likest first, each name once: of those that a slip in every few letters
/// makes of it.
pub fn near<N: AsRef<str>, T>(name: &str, among: impl IntoIterator<Item = (N, T)>) -> Vec<T> {
    let len = name.chars().count();
    // Of a short name, half the letters: any is near to any else.
    least(name, among, (2 + len / 4).min(len.div_ceil(2)))
}

/// The same of all names, however far they are.
pub(crate) fn nearest<N: AsRef<str>, T>(name: &str, among: impl IntoIterator<Item = (N, T)>) -> Vec<T> {
    least(name, among, usize::MAX)
}

fn least<N: AsRef<str>, T>(name: &str, among: impl IntoIterator<Item = (N, T)>, most: usize) -> Vec<T> {
    let found = among.into_iter().filter_map(|(other, with)| Some((slips(name, other.as_ref(), most)?, other, with)));
    let mut found: Vec<_> = found.collect();
    found.sort_by_key(|(slips, ..)| *slips);
    let (mut seen, mut near) = (Vec::new(), Vec::new());
    for (_, other, with) in found {
        if near.len() < LISTED && !seen.iter().any(|seen: &N| seen.as_ref() == other.as_ref()) {
            seen.push(other);
            near.push(with);
        }
    }
    near
}

/// The end of an error's sentence: what may be meant, or nothing.
pub fn did_you_mean<N: std::fmt::Display>(near: &[N]) -> String {
    match near {
        [] => String::new(),
        near => format!("; did you mean {}?", quoted(near)),
    }
}

/// Names as an error lists them.
pub(crate) fn quoted<N: std::fmt::Display>(names: &[N]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of<'n>(name: &str, among: &[&'n str]) -> Vec<&'n str> {
        near(name, among.iter().map(|&name| (name, name)))
    }

    #[test]
    fn the_likest_come_first_and_each_once() {
        let names = ["attn.pattern", "attn.patten", "mlp.act", "attn.pattern", "attn.scores"];
        assert_eq!(of("attn.patern", &names), ["attn.pattern", "attn.patten"]);
        assert_eq!(nearest("attn.patern", names.map(|name| (name, name))).len(), LISTED);
    }

    #[test]
    fn of_a_short_name_not_everything_is_near() {
        assert_eq!(of("gpt3", &["gpt2", "vit", "t5", "bert"]), ["gpt2"]);
        assert_eq!(of("q", &["k", "attn"]), ["k"]);
        assert!(of("", &["k"]).is_empty());
        assert_eq!((slips("ab", "ba", 1), slips("ab", "cd", 1)), (Some(1), None));
    }

    #[test]
    fn an_error_lists_them_or_says_nothing() {
        assert_eq!(did_you_mean(&["a", "b"]), "; did you mean `a`, `b`?");
        assert_eq!(did_you_mean::<&str>(&[]), "");
    }
}
