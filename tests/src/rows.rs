//! A model's taps against references, by rows that say which is which: what the parity tests of the architectures share.

use candle_core::{Result, Tensor};
use taper::Model;
use taper::parity::{Parity, Report};

use crate::originals::Original;
use crate::parity::Golden;

type View = Box<dyn Fn(&Tensor) -> Result<Tensor>>;

/// A tap, and the name of its reference.
pub struct Row {
    /// The tap's name.
    pub tap: String,
    /// The reference's name.
    pub golden: String,
    view: Option<View>,
}

/// Compares the tap named `tap` with the reference named `golden`.
pub fn row(tap: impl Into<String>, golden: impl Into<String>) -> Row {
    Row { tap: tap.into(), golden: golden.into(), view: None }
}

impl Row {
    /// Compares `view` of the tap: the original has it in another order, or more often.
    pub fn viewed(self, view: impl Fn(&Tensor) -> Result<Tensor> + 'static) -> Self {
        Row { view: Some(Box::new(view)), ..self }
    }
}

/// The comparison of every row.
pub fn with_rows<'a, M: Model>(parity: Parity<'a, M>, rows: &'a [Row]) -> Parity<'a, M> {
    rows.iter().fold(parity, |parity, row| {
        let parity = parity.map(&row.tap, &row.golden);
        match &row.view {
            Some(view) => parity.tap_as(view),
            None => parity,
        }
    })
}

/// What the rows say of a pass on the inputs of the references.
pub fn report<M: Original>(model: &M, golden: &Golden, rows: &[Row]) -> Result<Report> {
    with_rows(Parity::of(model, &golden.reference()?), rows).run(M::args(golden))
}

/// The references of outputs of modules, of patterns and of the whole that no row compares.
pub fn left_over(report: &Report) -> Vec<&str> {
    let names = report.left_over().iter().map(String::as_str);
    names
        .filter(|name| name.starts_with("module.") || name.starts_with("output") || name.contains("attention."))
        .collect()
}

/// Every row agrees, and no reference is left over.
pub fn compare_all<M: Original>(model: &M, golden: &Golden, rows: &[Row]) -> Result<()> {
    let report = report(model, golden, rows)?.into_result()?;
    let left = left_over(&report);
    assert!(left.is_empty(), "nothing is compared with {left:?}");
    Ok(())
}

/// The first tap to diverge, in the order of execution: where the mistake is.
pub fn first_to_diverge<M: Original>(model: &M, golden: &Golden, rows: &[Row]) -> Result<String> {
    Ok(first_of(report(model, golden, rows)?))
}

/// The first tap of a report that diverges, which its error names.
pub fn first_of(report: Report) -> String {
    let tap = report.first_divergence().expect("the mistake was not found").tap.clone();
    let error = report.into_result().unwrap_err().to_string();
    assert!(error.lines().next().unwrap().contains(&format!("`{tap}` is the first of")), "{error}");
    tap
}
