//! Comparing taps by their names with references.

use std::collections::HashMap;

use candle_core::{Result, Tensor};
use taper::Model;

use crate::originals::Original;
use crate::parity::{Divergence, Golden, Row, compare};

/// Taps by their names.
pub type Named = HashMap<String, Tensor>;

/// Compares the tap named `tap` with the reference named `golden`.
pub fn row(tap: impl Into<String>, golden: impl Into<String>) -> Row<Named> {
    let tap = tap.into();
    let name = tap.clone();
    Row::new(tap, golden, move |taps: &Named| taps[&name].clone())
}

/// The values of one pass that `rows` compare.
pub fn taps<M: Original>(model: &M, golden: &Golden, rows: &[Row<Named>]) -> Result<Named> {
    let sites = Model::sites(model);
    let found = rows.iter().map(|row| sites.find_any(&row.tap)).collect::<Result<Vec<_>>>()?;
    let values = Model::capture(model, M::args(golden), |_| found)?;
    Ok(rows.iter().map(|row| row.tap.clone()).zip(values.into_iter().flatten()).collect())
}

/// Compares every row, which are in the order of execution, and nothing may be left over.
pub fn compare_all<M: Original>(model: &M, golden: &Golden, rows: &[Row<Named>]) -> Result<()> {
    let left = golden.left_over(
        &[
            "module.",
            "attention.",
            "vision_attention.",
            "text_attention.",
            "encoder_attention.",
            "decoder_attention.",
            "cross_attention.",
            "output",
        ],
        rows,
    );
    assert!(left.is_empty(), "nothing is compared with {left:?}");
    if let Err(divergence) = compare(&taps(model, golden, rows)?, rows, golden) {
        panic!("{divergence}");
    }
    Ok(())
}

/// The first tap to diverge: where the mistake is.
pub fn first_to_diverge<M: Original>(model: &M, golden: &Golden, rows: &[Row<Named>]) -> Result<String> {
    let divergence: Divergence =
        compare(&taps(model, golden, rows)?, rows, golden).expect_err("the mistake was not found");
    assert!(divergence.to_string().contains(&divergence.tap), "{divergence}");
    Ok(divergence.tap)
}
