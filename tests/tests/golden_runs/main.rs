//! Changed and differentiated runs of real models against PyTorch's, and what every run of one promises.

mod bert;
mod clip;
mod gpt2;
mod llama;
mod mobilenet_v2;
mod neox;
mod properties;
mod resnet;
mod t5;
mod vit;
mod whisper;

use std::collections::BTreeSet;

use candle_core::{Result, Tensor};
use taper::{Model, Site, Stateless};
use taper_tests::fixtures::assert_same;
use taper_tests::originals::Original;
use taper_tests::parity::{Golden, TOLERANCE, max_error, relative_error};

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

fn without_the_first_token(x: &Tensor) -> Result<Tensor> {
    let first = x.narrow(1, 0, 1)?.zeros_like()?;
    Tensor::cat(&[&first, &x.narrow(1, 1, x.dim(1)? - 1)?], 1)
}

/// Every intervention as an edit and as a replacement. An intervention is found to be in force by its output not being
/// that of the plain model.
fn compare_edits<M: Original>(model: &M, golden: &Golden, edits: &[Edit<M::Sites>]) -> Result<()> {
    let labels: BTreeSet<&str> = edits.iter().map(|edit| edit.label).collect();
    assert_eq!(labels, golden.names("edited."));
    for Edit { label, at, to } in edits {
        let edited = Model::run(model).edit(at, to).on(M::args(golden)).forward()?;
        compare_edited(&edited, golden, label)?;
        let value = to(&Model::capture(model, M::args(golden), at)?)?;
        let replaced = Model::run(model).replace(at, &value).on(M::args(golden)).forward()?;
        assert_same(&replaced, &edited);
    }
    Ok(())
}

/// The output of one intervention.
fn compare_edited(edited: &Tensor, golden: &Golden, label: &str) -> Result<()> {
    let reference = golden.tensor(&format!("edited.{label}"));
    let error = max_error(edited, reference)?;
    assert!(error <= TOLERANCE, "`{label}`: largest error {error:.1e} of {TOLERANCE:.0e} allowed");
    let plain = max_error(golden.tensor("output"), reference)?;
    assert!(plain > 100.0 * TOLERANCE, "`{label}` changes nothing, so that nothing is shown by it");
    Ok(())
}

/// What is recorded and then changed is what is changed at once, bit for bit.
fn compare_replays<M>(model: &M, golden: &Golden, edits: &[Edit<M::Sites>]) -> Result<()>
where
    M: Original + for<'r> Stateless<'r>,
{
    let recording = Model::run(model).on(M::args(golden)).record()?;
    for Edit { at, to, .. } in edits {
        let replayed = recording.replay().edit(at, to).on(M::args(golden)).forward()?;
        assert_same(&replayed, &Model::run(model).edit(at, to).on(M::args(golden)).forward()?);
    }
    Ok(())
}

/// The gradients of the references' loss, which is the sum of the squares of the output, with respect to the taps that
/// `tap` names for the modules of the references.
fn compare_gradients<M: Original>(
    model: &M,
    golden: &Golden,
    output: fn(M::Sites) -> Site<Tensor>,
    tap: fn(&str) -> String,
) -> Result<()> {
    let (modules, sites) = (golden.names("grad."), Model::sites(model));
    let taps = modules.iter().map(|module| sites.find_any(&tap(module))).collect::<Result<Vec<_>>>()?;
    let loss = Model::run(model).loss(output, sum_of_squares);
    let all = loss.on(M::args(golden)).gradients(|_| taps.clone())?;
    assert!(relative_error(&all.loss, &sum_of_squares(golden.tensor("output"))?)? <= TOLERANCE);
    assert_eq!(all.gradients.len(), modules.len());
    for ((module, tap), (value, gradient)) in modules.iter().zip(&taps).zip(all.values.iter().zip(&all.gradients)) {
        // A module that only some of an architecture's models have may be called once or not at all: here it is.
        let ([value], [gradient]) = (&value[..], &gradient[..]) else { panic!("`{module}` is not one value") };
        assert!(max_error(value, golden.tensor(&format!("module.{module}")))? <= TOLERANCE, "`{module}`");
        // One by one too, so that none leans on another's being asked for.
        let single = loss.on(M::args(golden)).gradients(|_| tap.clone())?.gradients;
        for gradient in [gradient, &single[0]] {
            let error = relative_error(gradient, golden.tensor(&format!("grad.{module}")))?;
            assert!(error <= TOLERANCE, "gradient at `{module}`: largest error {error:.1e} of {TOLERANCE:.0e} allowed");
        }
    }
    Ok(())
}

/// The references' loss.
fn sum_of_squares(output: &Tensor) -> Result<Tensor> {
    output.sqr()?.sum_all()
}
