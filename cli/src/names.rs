//! What to say of a name that there is not.

/// How many names are listed.
const LISTED: usize = 8;

/// That there is nothing of this name, and the nearest or all that there are.
pub(crate) fn unknown<'n>(what: &str, name: &str, all: impl Iterator<Item = &'n str>) -> String {
    let mut near: Vec<(usize, &str)> = all.map(|other| (strsim::damerau_levenshtein(name, other), other)).collect();
    let there: Vec<_> = near.iter().take(LISTED).map(|(_, other)| format!("`{other}`")).collect();
    let more = near.len().saturating_sub(LISTED);
    near.retain(|(distance, _)| *distance <= 1 + name.len() / 4);
    near.sort();
    let ends = match (near.first(), there.is_empty(), more) {
        (Some((_, near)), ..) => format!("did you mean `{near}`?"),
        (None, true, _) => "there are none".to_owned(),
        (None, _, 0) => format!("there are {}", there.join(", ")),
        (None, ..) => format!("there are {} and {more} more", there.join(", ")),
    };
    format!("there is no {what} `{name}`; {ends}")
}
