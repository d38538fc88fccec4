//! Changed and differentiated runs of GPT-2 and ResNet against PyTorch's, and what every run of a real model promises.

mod gpt2;
mod properties;
mod resnet;

use std::collections::BTreeSet;

use candle_core::{Error, Result, Tensor};
use taper::{Model, Site};
use taper_tests::fixtures::assert_same;
use taper_tests::parity::{Golden, TOLERANCE, max_error, relative_error};

/// A model of one tensor.
trait OfOne: for<'a> Model<Args<'a> = (&'a Tensor,), Output = Tensor, Error = Error> {}
impl<M> OfOne for M where M: for<'a> Model<Args<'a> = (&'a Tensor,), Output = Tensor, Error = Error> {}

/// An intervention of which the references have the output, as `edited.LABEL`.
struct Edit<S> {
    label: &'static str,
    at: fn(S) -> Site<Tensor>,
    to: fn(&Tensor) -> Result<Tensor>,
}

fn zero(value: &Tensor) -> Result<Tensor> {
    value.zeros_like()
}

fn double(value: &Tensor) -> Result<Tensor> {
    value * 2.0
}

/// Every intervention as an edit and as a replacement. An intervention is found to be in force by its output not being
/// that of the plain model.
fn compare_edits<M: OfOne>(model: &M, x: &Tensor, golden: &Golden, edits: &[Edit<M::Sites>]) -> Result<()> {
    let labels: BTreeSet<&str> = edits.iter().map(|edit| edit.label).collect();
    assert_eq!(labels, golden.names("edited."));
    for Edit { label, at, to } in edits {
        let reference = golden.tensor(&format!("edited.{label}"));
        let edited = Model::run(model).edit(at, to).on((x,)).forward()?;
        let error = max_error(&edited, reference)?;
        assert!(error <= TOLERANCE, "`{label}`: largest error {error:.1e} of {TOLERANCE:.0e} allowed");

        let value = to(&Model::capture(model, (x,), at)?)?;
        let replaced = Model::run(model).replace(at, &value).on((x,)).forward()?;
        assert_same(&replaced, &edited);

        let plain = max_error(golden.tensor("output"), reference)?;
        assert!(plain > 100.0 * TOLERANCE, "`{label}` changes nothing, so that nothing is shown by it");
    }
    Ok(())
}

/// Compares gradients with the references `grad.NAME`, one a name.
fn compare_gradients(names: &BTreeSet<&str>, gradients: &[Tensor], golden: &Golden) -> Result<()> {
    assert_eq!(gradients.len(), names.len());
    for (name, gradient) in names.iter().zip(gradients) {
        let error = relative_error(gradient, golden.tensor(&format!("grad.{name}")))?;
        assert!(error <= TOLERANCE, "gradient at `{name}`: largest error {error:.1e} of {TOLERANCE:.0e} allowed");
    }
    Ok(())
}

/// The references' loss.
fn sum_of_squares(output: &Tensor) -> Result<Tensor> {
    output.sqr()?.sum_all()
}
