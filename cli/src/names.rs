//! What to say of a name that there is not.

use taper::__private::{did_you_mean, near};

/// How many names are listed.
const LISTED: usize = 8;

/// That there is nothing of this name, and the nearest or all that there are.
pub(crate) fn unknown<'n>(what: &str, name: &str, all: impl Iterator<Item = &'n str> + Clone) -> String {
    let near = near(name, all.clone().map(|other| (other, other)));
    let there: Vec<_> = all.clone().take(LISTED).map(|other| format!("`{other}`")).collect();
    let more = all.count() - there.len();
    let ends = match (near.is_empty(), there.is_empty(), more) {
        (false, ..) => did_you_mean(&near),
        (true, true, _) => "; there are none".to_owned(),
        (true, false, 0) if there.len() == 1 => format!("; there is only {}", there[0]),
        (true, false, 0) => format!("; there are {}", there.join(", ")),
        (true, false, _) => format!("; there are {} and {more} more", there.join(", ")),
    };
    format!("there is no {what} `{name}`{ends}")
}
