//! Where an input comes from, as it is written.

use std::path::{Path, PathBuf};

use crate::failure::{Failure, Outcome};

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Source {
    Npy(PathBuf),
    Npz(PathBuf, Option<String>),
    Safetensors(PathBuf, Option<String>),
    Random(Random),
}

/// `random:SEED`, and what may come after it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Random {
    pub(super) seed: u64,
    pub(super) shape: Option<Vec<usize>>,
    /// From where, and up to where.
    pub(super) range: Option<(f64, f64)>,
}

impl Source {
    pub(super) fn parse(text: &str) -> Outcome<Self> {
        if let Some(rest) = text.strip_prefix("random") {
            match rest.strip_prefix(':') {
                Some(rest) => return Random::parse(text, rest).map(Self::Random),
                None if rest.is_empty() => {
                    return Err(Failure::usage("`random` has no seed; give one, `random:0`"));
                }
                None => {}
            }
        }
        let (path, member) = split(text);
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let (path, member) = (path.to_owned(), member.map(str::to_owned));
        match (extension, member) {
            ("npy", None) => Ok(Self::Npy(path)),
            ("npy", Some(_)) => {
                Err(Failure::usage(format!("`{}` holds one array; leave out what is behind the colon", path.display())))
            }
            ("npz", member) => Ok(Self::Npz(path, member)),
            ("safetensors", member) => Ok(Self::Safetensors(path, member)),
            _ => Err(Failure::usage(format!(
                "`{text}` is no input; give a file (`.npy`, `.npz`, `.safetensors`) or `random:SEED`"
            ))),
        }
    }
}

/// The file, and which of its arrays.
pub(super) fn split(text: &str) -> (&Path, Option<&str>) {
    for extension in [".npz:", ".safetensors:", ".npy:"] {
        // A file that is called so is meant.
        if let Some((before, member)) = text.split_once(extension)
            && !Path::new(text).exists()
        {
            return (Path::new(&text[..before.len() + extension.len() - 1]), Some(member));
        }
    }
    (Path::new(text), None)
}

impl Random {
    fn parse(text: &str, rest: &str) -> Outcome<Self> {
        let wrong = |what: &str| {
            Failure::usage(format!(
                "`{text}`: {what}; give `random:SEED`, `random:SEED:1,224,224,3` or `random:SEED:1,128:0..30522`"
            ))
        };
        let mut parts = rest.splitn(3, ':');
        let seed = parts.next().unwrap_or_default();
        let seed = seed.parse().map_err(|_| wrong(&format!("the seed `{seed}` is no whole number from 0 on")))?;
        let mut random = Random { seed, shape: None, range: None };
        for part in parts {
            if let Some((from, to)) = part.split_once("..") {
                let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
                let range = number(from).zip(number(to)).filter(|(from, to)| from < to);
                random.range = Some(range.ok_or_else(|| wrong(&format!("`{part}` is no range")))?);
            } else if random.range.is_none() && random.shape.is_none() {
                let sizes = part.split(',').map(str::trim).filter(|size| !size.is_empty());
                let sizes = sizes.map(|size| size.parse().map_err(|_| wrong(&format!("`{size}` is no size"))));
                random.shape = Some(sizes.collect::<Outcome<_>>()?);
            } else {
                return Err(wrong(&format!("`{part}` is one part too many")));
            }
        }
        Ok(random)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_read_as_they_are_written() {
        let random = |seed, shape, range| Source::Random(Random { seed, shape, range });
        let parsed = |text| Source::parse(text).unwrap();
        assert_eq!(parsed("a/x.npy"), Source::Npy("a/x.npy".into()));
        assert_eq!(parsed("x.npz"), Source::Npz("x.npz".into(), None));
        assert_eq!(parsed("x.npz:a/b:c"), Source::Npz("x.npz".into(), Some("a/b:c".to_owned())));
        assert_eq!(
            parsed("C:\\x.safetensors:k"),
            Source::Safetensors("C:\\x.safetensors".into(), Some("k".to_owned()))
        );
        assert_eq!(parsed("random:3"), random(3, None, None));
        assert_eq!(parsed("random:3:1,2"), random(3, Some(vec![1, 2]), None));
        assert_eq!(parsed("random:3:1,2:-1..0.5"), random(3, Some(vec![1, 2]), Some((-1., 0.5))));
        assert_eq!(parsed("random:3:0..9"), random(3, None, Some((0., 9.))));
        assert_eq!(parsed("random:3:"), random(3, Some(vec![]), None));
        for wrong in
            ["random", "random:", "random:x", "random:1:a", "random:1:2:3", "random:1:9..0", "x.bin", "x.npy:a", ""]
        {
            assert!(Source::parse(wrong).is_err(), "{wrong}");
        }
    }
}
