//! Patterns of names.

/// Whether `name` matches: `*` any part between dots, `**` anything, `?` one character other than a dot.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    matches_parts(pattern, name, '.')
}

/// The same of names whose parts stand between other characters than dots.
pub fn matches_parts(pattern: &str, name: &str, between: char) -> bool {
    let (Some(first), rest) = split(pattern) else { return name.is_empty() };
    let matches = |pattern, name| matches_parts(pattern, name, between);
    match first {
        '*' if rest.starts_with('*') => {
            let rest = rest.trim_start_matches('*');
            suffixes(name).any(|name| matches(rest, name))
        }
        '*' => suffixes(name).take_while(|n| !name[..name.len() - n.len()].contains(between)).any(|n| matches(rest, n)),
        '?' => split(name).0.is_some_and(|c| c != between) && matches(rest, split(name).1),
        c => name.strip_prefix(c).is_some_and(|name| matches(rest, name)),
    }
}

fn split(text: &str) -> (Option<char>, &str) {
    let mut chars = text.chars();
    (chars.next(), chars.as_str())
}

fn suffixes(name: &str) -> impl Iterator<Item = &str> {
    name.char_indices().map(|(i, _)| &name[i..]).chain([""])
}

#[cfg(test)]
mod tests {
    use super::{matches, matches_parts};

    #[test]
    fn a_star_stays_within_a_part() {
        assert!(matches("blocks.*.attn.pattern", "blocks.3.attn.pattern"));
        assert!(!matches("blocks.*.pattern", "blocks.3.attn.pattern"));
        assert!(matches("*", "output") && !matches("*", "a.output"));
        assert!(matches("blocks.1?.output", "blocks.12.output") && !matches("blocks.1?.output", "blocks.1.output"));
    }

    #[test]
    fn two_stars_cross_dots() {
        assert!(matches("**.output", "blocks.3.attn.output"));
        assert!(matches("**", "a.b.c") && matches("a**", "a"));
        assert!(!matches("**.output", "output"));
    }

    #[test]
    fn parts_may_stand_between_other_characters() {
        assert!(matches_parts("a/*/c", "a/b.b/c", '/') && !matches_parts("a/*", "a/b/c", '/'));
    }

    #[test]
    fn everything_else_is_literal() {
        assert!(matches("a.b", "a.b") && !matches("a.b", "axb") && !matches("a", "ab"));
    }
}
