/// A name in a file with each of these parts replaced by another, in this order.
pub(crate) fn replaced(name: &str, parts: &[(&str, &str)]) -> String {
    parts.iter().fold(name.to_owned(), |name, (theirs, ours)| name.replace(theirs, ours))
}
