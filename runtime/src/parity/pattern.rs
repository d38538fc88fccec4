//! Names with placeholders: `blocks.{i}.attn` of a tap, `module.h.{i}.attn` of its reference.

use std::iter;

/// A name with placeholders.
#[derive(Debug)]
pub(super) struct Pattern {
    text: String,
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Text(String),
    /// `{name}`, `{name*}` if it takes dots too, `{name+1}` for a number larger by that.
    Hole {
        name: String,
        dots: bool,
        plus: usize,
    },
}

/// What the placeholders stand for.
pub(super) type Holes<'n> = Vec<(String, &'n str)>;

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (inside, after) = after.split_once('}').ok_or_else(|| format!("`{text}` has a `{{` without a `}}`"))?;
            if !before.is_empty() {
                parts.push(Part::Text(before.to_owned()));
            }
            parts.push(Part::hole(inside).ok_or_else(|| {
                format!("`{{{inside}}}` in `{text}` is no placeholder: it is written `{{i}}`, `{{path*}}` or `{{i+1}}`")
            })?);
            rest = after;
        }
        if !rest.is_empty() {
            parts.push(Part::Text(rest.to_owned()));
        }
        Ok(Pattern { text: text.to_owned(), parts })
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it stands for whatever there is, with a `{path*}`.
    pub(super) fn is_open(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Hole { dots: true, .. }))
    }

    /// Whether `other` fills in nothing but what this pattern finds.
    pub(super) fn check_fills(&self, other: &Pattern) -> Result<(), String> {
        let names = |pattern: &Pattern| -> Vec<String> {
            let names = pattern.parts.iter().filter_map(|part| match part {
                Part::Hole { name, .. } => Some(name.clone()),
                Part::Text(_) => None,
            });
            names.collect()
        };
        let found = names(self);
        match names(other).into_iter().find(|name| !found.contains(name)) {
            Some(name) => Err(format!("`{{{name}}}` in `{}` stands for nothing in `{}`", other.text, self.text)),
            None => Ok(()),
        }
    }

    /// What the placeholders stand for, if the name matches.
    pub(super) fn find<'n>(&self, name: &'n str) -> Option<Holes<'n>> {
        let mut holes = Vec::new();
        find(&self.parts, name, &mut holes).then_some(holes)
    }

    /// The name with the placeholders filled in.
    pub(super) fn fill(&self, holes: &Holes<'_>) -> Result<String, String> {
        let fill = |part: &Part| match part {
            Part::Text(text) => Ok(text.clone()),
            Part::Hole { name, plus, .. } => {
                let value = holes.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value);
                match (plus, value.parse::<usize>()) {
                    (0, _) => Ok(value.to_owned()),
                    (plus, Ok(number)) => Ok((number + plus).to_string()),
                    (plus, Err(_)) => {
                        Err(format!("`{{{name}+{plus}}}` in `{}` is of a number, and `{value}` is none", self.text))
                    }
                }
            }
        };
        self.parts.iter().map(fill).collect()
    }
}

impl Part {
    fn hole(inside: &str) -> Option<Self> {
        let (name, dots, plus) = match (inside.strip_suffix('*'), inside.split_once('+')) {
            (Some(name), _) => (name, true, 0),
            (None, Some((name, plus))) => (name, false, plus.parse().ok()?),
            (None, None) => (inside, false, 0),
        };
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || c == '_');
        is_name.then(|| Part::Hole { name: name.to_owned(), dots, plus })
    }
}

fn find<'n>(parts: &[Part], name: &'n str, holes: &mut Holes<'n>) -> bool {
    match parts {
        [] => name.is_empty(),
        [Part::Text(text), rest @ ..] => name.strip_prefix(text.as_str()).is_some_and(|name| find(rest, name, holes)),
        [Part::Hole { name: hole, dots, .. }, rest @ ..] => {
            // The longest first, so that `{path*}.output` is of the last `.output`.
            let ends = name.char_indices().map(|(at, _)| at).skip(1).chain(iter::once(name.len()));
            let ends: Vec<usize> = ends.filter(|&end| end > 0 && (*dots || !name[..end].contains('.'))).collect();
            ends.into_iter().rev().any(|end| {
                let (value, after) = name.split_at(end);
                if holes.iter().any(|(n, other)| n == hole && *other != value) {
                    return false;
                }
                let before = holes.len();
                holes.push((hole.clone(), value));
                let found = find(rest, after, holes);
                if !found {
                    holes.truncate(before);
                }
                found
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn translated(tap: &str, reference: &str, name: &str) -> Option<String> {
        let (tap, reference) = (Pattern::parse(tap).unwrap(), Pattern::parse(reference).unwrap());
        tap.check_fills(&reference).unwrap();
        Some(reference.fill(&tap.find(name)?).unwrap())
    }

    #[test]
    fn a_placeholder_is_one_part_between_dots() {
        let map = |name| translated("blocks.{i}.attn", "h.{i}.self_attn", name);
        assert_eq!(map("blocks.11.attn").unwrap(), "h.11.self_attn");
        assert_eq!(map("blocks.1.1.attn"), None);
        assert_eq!(map("blocks..attn"), None);
        assert_eq!(translated("layer{i}.{j}.{k}", "{k}.{j}.{i}", "layer1.2.bn").unwrap(), "bn.2.1");
    }

    #[test]
    fn a_star_takes_dots() {
        assert_eq!(translated("{path*}.output", "module.{path*}", "a.output.output").unwrap(), "module.a.output");
        assert_eq!(translated("{path*}.output", "module.{path*}", "output"), None);
        assert_eq!(translated("{path*}", "{path*}", "a.b").unwrap(), "a.b");
    }

    #[test]
    fn what_is_said_twice_is_the_same() {
        assert_eq!(translated("{a}.{b}.{a}", "{b}", "x.y.x").unwrap(), "y");
        assert_eq!(translated("{a}.{b}.{a}", "{b}", "x.y.z"), None);
        // The first guess for `a` is too long.
        assert_eq!(translated("{a*}.{b*}.{a*}", "{b*}", "x.y.x").unwrap(), "y");
    }

    #[test]
    fn numbers_can_be_shifted() {
        assert_eq!(translated("shared.{i}", "relu#{i+1}", "shared.9").unwrap(), "relu#10");
        let (tap, reference) = (Pattern::parse("{i}").unwrap(), Pattern::parse("{i+1}").unwrap());
        assert!(reference.fill(&tap.find("a").unwrap()).unwrap_err().contains("`a` is none"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for (text, part) in [("a.{i", "without a `}`"), ("{}", "no placeholder"), ("{i+x}", "no placeholder")] {
            assert!(Pattern::parse(text).unwrap_err().contains(part), "{text}");
        }
        let (tap, reference) = (Pattern::parse("a.{i}").unwrap(), Pattern::parse("b.{j}").unwrap());
        assert!(tap.check_fills(&reference).unwrap_err().contains("`{j}`"));
    }
}
