//! What a check found, for people to read.

use std::fmt;

use crate::model::Model;
use crate::names::Describe;

/// What one check of one tap came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Verdict {
    /// These inputs can't tell.
    #[default]
    Unknown,
    /// It holds.
    Holds,
    /// It does not, and what that means.
    Fails(String),
}

impl Verdict {
    pub(super) fn of(holds: bool, otherwise: impl FnOnce() -> String) -> Self {
        if holds { Verdict::Holds } else { Verdict::Fails(otherwise()) }
    }

    fn sign(&self) -> &'static str {
        match self {
            Verdict::Unknown => "–",
            Verdict::Holds => "ok",
            Verdict::Fails(_) => "NO",
        }
    }
}

/// What was found at a tap; the columns are those of [`Check`](super::Check).
#[derive(Clone, Debug)]
pub struct Finding {
    /// The name of the tap.
    pub name: String,
    /// How many values the run gave.
    pub visits: usize,
    /// Whether what is captured was not overwritten later.
    pub kept: Verdict,
    /// Whether a run that stops at the tap gives the same.
    pub stop: Verdict,
    /// Whether the value put in its own place changes nothing.
    pub back: Verdict,
    /// Whether noise reaches the output.
    pub effect: Verdict,
    /// Whether nothing before it changes.
    pub before: Verdict,
    /// Whether a replay gives what a run from the start gives.
    pub replay: Verdict,
    /// Whether the gradient agrees with finite differences.
    pub gradient: Verdict,
}

const COLUMNS: [&str; 7] = ["kept", "stop", "back", "effect", "before", "replay", "gradient"];

impl Finding {
    pub(super) fn of(name: &str) -> Self {
        Finding {
            name: name.to_owned(),
            visits: 0,
            kept: Verdict::Unknown,
            stop: Verdict::Unknown,
            back: Verdict::Unknown,
            effect: Verdict::Unknown,
            before: Verdict::Unknown,
            replay: Verdict::Unknown,
            gradient: Verdict::Unknown,
        }
    }

    fn verdicts(&self) -> [&Verdict; 7] {
        [&self.kept, &self.stop, &self.back, &self.effect, &self.before, &self.replay, &self.gradient]
    }
}

/// What [`check`](super::check) found: a table of the taps, and what is wrong in words.
#[derive(Clone)]
pub struct Report {
    model: &'static str,
    findings: Vec<Finding>,
    wrong: Vec<String>,
    notes: Vec<String>,
}

impl Report {
    pub(super) fn of<M: Model>(model: &M) -> Self {
        Report { model: Describe::type_name(model), findings: Vec::new(), wrong: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn wrong(&mut self, what: &str) {
        self.wrong.push(what.to_owned());
    }

    pub(super) fn note(&mut self, what: &str) {
        self.notes.push(what.to_owned());
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if finding.visits == 0 {
            self.notes.push(format!("`{}` was not reached by these inputs", finding.name));
        }
        self.findings.push(finding);
    }

    /// What was found, tap by tap, in order of declaration.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Whether nothing is wrong.
    pub fn is_sound(&self) -> bool {
        self.failures().next().is_none()
    }

    /// What is wrong, in words.
    pub fn failures(&self) -> impl Iterator<Item = String> + '_ {
        let of_taps = self.findings.iter().flat_map(|finding| {
            finding.verdicts().into_iter().filter_map(move |verdict| match verdict {
                Verdict::Fails(why) => Some(format!("`{}` {why}", finding.name)),
                Verdict::Unknown | Verdict::Holds => None,
            })
        });
        self.wrong.iter().cloned().chain(of_taps)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wrong = self.failures().count();
        let taps = self.findings.len();
        match wrong {
            0 => writeln!(f, "{}: nothing wrong with its {taps} taps", self.model)?,
            1 => writeln!(f, "{}: 1 thing is wrong", self.model)?,
            _ => writeln!(f, "{}: {wrong} things are wrong", self.model)?,
        }
        let width = self.findings.iter().map(|finding| finding.name.chars().count()).max().unwrap_or(0).max(3);
        write!(f, "\n{:width$}  visits", "tap")?;
        COLUMNS.iter().try_for_each(|column| write!(f, "  {column}"))?;
        for finding in &self.findings {
            write!(f, "\n{:width$}  {:>6}", finding.name, finding.visits)?;
            let columns = COLUMNS.iter().zip(finding.verdicts());
            columns.into_iter().try_for_each(|(column, v)| write!(f, "  {:>1$}", v.sign(), column.len()))?;
        }
        for failure in self.failures() {
            write!(f, "\n\n{failure}")?;
        }
        for note in &self.notes {
            write!(f, "\n\nnote: {note}")?;
        }
        Ok(())
    }
}

/// As it is displayed: what a test that fails prints is for people.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
