//! The names of Rust for what has others in a file.

use std::collections::HashSet;

use proc_macro2::{Ident, Span};

/// Words that no identifier can be, not even behind `r#`.
const NEVER: [&str; 5] = ["self", "Self", "super", "crate", "_"];

/// A name in small letters with `_` between words: `mat_mul` of `MatMul`, `conv2d` of `Conv2D`, `packed_1` of `packed/1`.
pub(crate) fn snake(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (at, &c) in chars.iter().enumerate() {
        if !c.is_ascii_alphanumeric() {
            snake.push('_');
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| chars.get(at)).copied().unwrap_or('_');
        let small_next = chars.get(at + 1).is_some_and(char::is_ascii_lowercase);
        // A word begins at a capital behind a small letter, and at the last capital of several before one.
        if c.is_ascii_uppercase() && (before.is_ascii_lowercase() || before.is_ascii_alphanumeric() && small_next) {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    let words: Vec<&str> = snake.split('_').filter(|word| !word.is_empty()).collect();
    let joined = words.join("_");
    match joined.chars().next() {
        None => "unnamed".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("_{joined}"),
        Some(_) if NEVER.contains(&&*joined) => format!("{joined}_"),
        Some(_) => joined,
    }
}

/// `BatchNormalization1` of `batch_normalization_1`.
pub(crate) fn pascal(snake: &str) -> String {
    let capital = |word: &str| {
        let (first, rest) = word.split_at(word.chars().next().map_or(0, char::len_utf8));
        first.to_uppercase() + rest
    };
    snake.split('_').map(capital).collect()
}

/// An identifier, behind `r#` if it is a word of the language.
pub(crate) fn ident(name: &str, span: Span) -> Ident {
    match syn::parse_str::<Ident>(name) {
        Ok(_) => Ident::new(name, span),
        Err(_) => Ident::new_raw(name, span),
    }
}

/// Names of which each is given once.
#[derive(Debug, Default)]
pub(crate) struct Unique {
    taken: HashSet<String>,
}

impl Unique {
    pub(crate) fn with(taken: &[&str]) -> Self {
        Unique { taken: taken.iter().map(|name| (*name).to_owned()).collect() }
    }

    /// The name, or with `_2`, `_3` and so on behind it if it is taken.
    pub(crate) fn field(&mut self, name: String) -> String {
        self.give(name, "_")
    }

    /// The name, or with 2, 3 and so on behind it if it is taken.
    pub(crate) fn ty(&mut self, name: String) -> String {
        self.give(name, "")
    }

    fn give(&mut self, name: String, before: &str) -> String {
        let name = match self.taken.contains(&name) {
            false => name,
            true => (2..).map(|n| format!("{name}{before}{n}")).find(|n| !self.taken.contains(n)).unwrap_or(name),
        };
        self.taken.insert(name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_tensorflow_become_names_of_rust() {
        for (name, expected) in [
            ("MatMul", "mat_mul"),
            ("Conv2D", "conv2d"),
            ("Conv2DBackpropInput", "conv2d_backprop_input"),
            ("FusedBatchNormV3", "fused_batch_norm_v3"),
            ("TensorArrayV2Stack", "tensor_array_v2_stack"),
            ("LSTMCell", "lstm_cell"),
            ("dense_1", "dense_1"),
            ("packed/1", "packed_1"),
            ("bias#2", "bias_2"),
            ("1", "_1"),
            ("a.b-c__d", "a_b_c_d"),
            ("self", "self_"),
            ("é", "unnamed"),
        ] {
            assert_eq!(snake(name), expected, "{name}");
        }
        assert_eq!(pascal("batch_normalization_1"), "BatchNormalization1");
        assert_eq!(ident("type", Span::call_site()).to_string(), "r#type");
        assert_eq!(ident("mat_mul", Span::call_site()).to_string(), "mat_mul");
    }

    #[test]
    fn a_name_is_given_once() {
        let mut names = Unique::with(&["output"]);
        let given: Vec<_> = ["a", "a", "a_2", "output"].iter().map(|name| names.field((*name).to_owned())).collect();
        assert_eq!(given, ["a", "a_2", "a_2_2", "output_2"]);
    }
}
