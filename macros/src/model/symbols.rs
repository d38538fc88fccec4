//! Every name that an attribute of `#[derive(Model)]` knows. Parsing, "did you mean" and the messages about a key on
//! the wrong place all read these tables.

/// Where a key of `#[model(...)]` may stand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Place {
    Struct,
    Field,
}

/// The keys of `#[model(...)]`, each with how it is written.
pub(crate) const KEYS: &[(&str, Place, &str)] = &[
    ("crate", Place::Struct, "crate = path"),
    ("sequential", Place::Struct, "sequential` or `sequential(train)"),
    ("config", Place::Struct, "config = Type"),
    ("vb", Place::Struct, "vb = Type"),
    ("no_module", Place::Struct, "no_module"),
    ("stateful", Place::Struct, "stateful"),
    ("unchecked", Place::Struct, "unchecked"),
    ("taps", Place::Struct, "taps = Name"),
    ("sites", Place::Struct, "sites = Name"),
    ("rename", Place::Struct, "rename(capture = \"…\")"),
    ("leaf", Place::Field, "leaf` or `leaf = Type"),
    ("untapped", Place::Field, "untapped"),
    ("partial", Place::Field, "partial"),
    ("repeated", Place::Field, "repeated"),
];

/// The generated functions that `rename(...)` can rename.
pub(crate) const RENAMES: &[&str] = &["load", "forward_with_taps", "capture", "capture_attached", "run", "sites"];

/// The attributes that stand on fields only.
pub(crate) const FIELD_ATTRIBUTES: &[&str] = &["load", "prefix", "then"];

/// The loaders of `#[load(...)]` that are not constructors, each with how it is written.
pub(crate) const LOADERS: &[(&str, &str)] = &[
    ("each", "each(n)` or `each(n, |i| ctor(…))"),
    ("maybe", "maybe(condition)` or `maybe(condition, ctor(…))"),
    ("tensor", "tensor(shape)"),
    ("config", "config = …"),
    ("value", "value = …"),
    ("expr", "expr = …"),
];

/// How the key `name` is written.
pub(crate) fn written(name: &str) -> &'static str {
    KEYS.iter().find(|(key, ..)| *key == name).map_or("", |(.., written)| written)
}

/// How the loader `name` is written.
pub(crate) fn loader_written(name: &str) -> Option<&'static str> {
    LOADERS.iter().find(|(loader, _)| *loader == name).map(|(_, written)| *written)
}
