use std::collections::BTreeMap;

/// The classes of a configuration that names none, as Hugging Face has them.
pub(crate) fn two_labels() -> BTreeMap<usize, String> {
    (0..2).map(|class| (class, format!("LABEL_{class}"))).collect()
}
