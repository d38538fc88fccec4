//! What a comparison came to, for people to read.

use std::fmt;

use super::difference::Difference;
use crate::{Error, Result};

/// A tap and its reference, compared.
#[derive(Clone, Debug)]
pub struct Row {
    /// The name of the tap, visits numbered.
    pub tap: String,
    /// The name of its reference.
    pub reference: String,
    /// The shape of the tap, as it was compared.
    pub shape: Vec<usize>,
    /// The shape of the reference, as it was compared.
    pub expected: Vec<usize>,
    /// How far they are apart; `None` if their shapes differ.
    pub difference: Option<Difference>,
    /// Whether they agree within the tolerance.
    pub agrees: bool,
}

/// What [`Parity::run`](super::Parity::run) found: a table from first to last, and what was not compared.
#[derive(Clone)]
pub struct Report {
    pub(super) model: &'static str,
    pub(super) tolerance: f64,
    /// What is compared, `taps` or `gradients`.
    pub(super) what: &'static str,
    pub(super) rows: Vec<Row>,
    pub(super) without_reference: Vec<String>,
    pub(super) left_over: Vec<String>,
    pub(super) notes: Vec<String>,
}

impl Report {
    /// What was compared: taps in the order in which the model produced them, gradients from the last to the first.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// The first row that does not agree, behind which the mistake is: whatever comes before is as it should be.
    pub fn first_divergence(&self) -> Option<&Row> {
        self.rows.iter().find(|row| !row.agrees)
    }

    /// Whether every row agrees.
    pub fn agrees(&self) -> bool {
        self.first_divergence().is_none()
    }

    /// The taps that were produced and that nothing is compared with, in the order of production.
    pub fn without_reference(&self) -> &[String] {
        &self.without_reference
    }

    /// The references that no tap is compared with, in alphabetical order: a part of the original that the model may
    /// lack.
    pub fn left_over(&self) -> &[String] {
        &self.left_over
    }

    /// The report if every row agrees, for tests: `parity.run(&x)?.into_result()?`.
    ///
    /// # Errors
    /// The report otherwise. Its first line says what diverges first.
    pub fn into_result(self) -> Result<Self> {
        match self.agrees() {
            true => Ok(self),
            // Without the backtrace that `wrap` would add: the report is for people.
            false => Err(Error::Wrapped(Box::new(self))),
        }
    }

    /// The essence: what diverges first, in its first line.
    fn headline(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { model, tolerance, what, rows, .. } = self;
        let (len, apart) = (rows.len(), rows.iter().filter(|row| !row.agrees).count());
        let Some(place) = rows.iter().position(|row| !row.agrees) else {
            return write!(f, "{model}: all {len} {what} agree within {tolerance:.0e}");
        };
        let row = &rows[place];
        let verb = if apart == 1 { "does" } else { "do" };
        write!(f, "{model}: `{}` is the first of {len} {what} to diverge ({apart} {verb}): ", row.tap)?;
        match &row.difference {
            None => writeln!(f, "it is {:?}, and `{}` is {:?}", row.shape, row.reference, row.expected)?,
            Some(Difference { relative, at, value, reference, .. }) => {
                writeln!(f, "{relative:.1e} apart where {tolerance:.0e} is allowed")?;
                write!(f, "at {at:?} it is {value:.6}, and `{}` is {reference:.6}; ", row.reference)?;
            }
        }
        match place.checked_sub(1).map(|before| &rows[before].tap) {
            Some(before) => write!(f, "`{before}` before it agrees"),
            None => write!(f, "nothing was compared before it"),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.headline(f)?;
        let scale = if self.what == "gradients" { "/max|b|" } else { "/(1+|b|)" };
        let cells: Vec<[String; 5]> = self.rows.iter().map(Row::cells).collect();
        let head = ["tap", "shape", "max|a-b|", scale, ""].map(str::to_owned);
        let width = |column: usize| {
            let cells = cells.iter().chain([&head]).map(|row| row[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths = [0, 1, 2, 3, 4].map(width);
        let first = self.rows.iter().position(|row| !row.agrees);
        writeln!(f)?;
        for (place, row) in [&head].into_iter().chain(&cells).enumerate() {
            let [tap, shape, absolute, relative, verdict] = row;
            let [a, b, c, d, e] = widths;
            write!(f, "\n{tap:a$}  {shape:b$}  {absolute:>c$}  {relative:>d$}  {verdict:e$}  ")?;
            match place.checked_sub(1) {
                None => write!(f, "reference")?,
                Some(place) => write!(f, "{}", self.rows[place].reference)?,
            }
            if place.checked_sub(1).is_some_and(|place| Some(place) == first) {
                write!(f, "  <- first divergence")?;
            }
        }
        let lists = [("taps without a reference", &self.without_reference), ("references left over", &self.left_over)];
        for (what, names) in lists.iter().filter(|(_, names)| !names.is_empty()) {
            write!(f, "\n\n{what}: {}", folded(names).join(", "))?;
        }
        self.notes.iter().try_for_each(|note| write!(f, "\n\nnote: {note}"))
    }
}

/// As it is displayed: what a test that fails prints is for people.
impl fmt::Debug for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Row {
    /// Tap, shape, absolute and relative difference, verdict.
    fn cells(&self) -> [String; 5] {
        let verdict = if self.agrees { "ok" } else { "NO" }.to_owned();
        match &self.difference {
            Some(Difference { absolute, relative, .. }) => {
                [self.tap.clone(), format!("{:?}", self.shape), number(*absolute), number(*relative), verdict]
            }
            None => {
                let shapes = format!("{:?}, not {:?}", self.shape, self.expected);
                [self.tap.clone(), shapes, "-".to_owned(), "-".to_owned(), verdict]
            }
        }
    }
}

fn number(value: f64) -> String {
    if value == 0. || !value.is_finite() { format!("{value}") } else { format!("{value:.1e}") }
}

/// Names that differ in their numbers only as one, with how many they are: `blocks.*.attn.q` (12).
fn folded(names: &[String]) -> Vec<String> {
    let mut folds: Vec<(String, Vec<&String>)> = Vec::new();
    for name in names {
        let is_number = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
        let parts: Vec<&str> = name.split('.').map(|part| if is_number(&part) { "*" } else { part }).collect();
        let fold = parts.join(".");
        match folds.iter_mut().find(|(other, _)| *other == fold) {
            Some((_, names)) => names.push(name),
            None => folds.push((fold, vec![name])),
        }
    }
    let shown = |(fold, names): (String, Vec<&String>)| match names.as_slice() {
        [name] => format!("`{name}`"),
        names => format!("`{fold}` ({})", names.len()),
    };
    folds.into_iter().map(shown).collect()
}
