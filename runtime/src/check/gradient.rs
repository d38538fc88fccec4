//! Gradients against finite differences.

use candle_core::{DType, Tensor};

use super::report::{Report, Verdict};
use super::tap::direction;
use super::{Checked, Full};
use crate::model::Model;
use crate::names::{NamedSite, SiteTable};
use crate::run::run;
use crate::{Error, Result};

/// The gradients of a tap, one a visit, or why there are none.
pub(super) type Gradient = std::result::Result<Vec<Tensor>, String>;

/// Steps, as parts of the value's largest element: large ones are wrong by curvature, small ones by rounding.
const STEPS: [f64; 7] = [3e-2, 1e-2, 3e-3, 1e-3, 3e-4, 1e-4, 3e-5];

impl<M: Model> Checked<'_, '_, M> {
    /// The gradients of a random combination of the output's numbers with respect to every tap.
    pub(super) fn gradients(
        &mut self,
        tensors: &[&NamedSite],
        full: &Full<'_, M>,
        report: &mut Report,
    ) -> Option<Vec<Gradient>> {
        let output = SiteTable::of(self.check.model).find_any("output").ok().filter(|named| named.is_tensor().is_ok());
        let Some(output) = output.filter(|_| self.check.gradients && full.output.has_floats()) else {
            if self.check.gradients {
                report.note("gradients are not checked: the output is not a floating-point `Tensor`");
            }
            return None;
        };
        let differentiable: Vec<NamedSite> = tensors
            .iter()
            .zip(&full.taps)
            .filter(|(_, values)| values.iter().any(super::Bits::has_floats))
            .map(|(named, _)| (*named).clone())
            .collect();
        let mut all = self.gradients_of(&output, differentiable.clone()).ok().map(Vec::into_iter);
        let found = tensors.iter().map(|named| {
            if !differentiable.iter().any(|other| other.name() == named.name()) {
                return Ok(Vec::new());
            }
            match &mut all {
                Some(all) => Ok(all.next().unwrap_or_default()),
                // One of them has none: which?
                None => match self.gradients_of(&output, vec![(*named).clone()]) {
                    Ok(mut gradients) => Ok(gradients.pop().unwrap_or_default()),
                    Err(error) => Err(error.to_string()),
                },
            }
        });
        Some(found.collect())
    }

    fn gradients_of(&mut self, output: &NamedSite, of: Vec<NamedSite>) -> Result<Vec<Vec<Tensor>>> {
        let (model, seed) = (self.check.model, self.check.seed);
        let loss = run(model).loss(|_| output.clone(), move |output: &Vec<Tensor>| combination(output, seed));
        Ok(self.once(|args| loss.on_args(args).gradients(|_| of))?.gradients)
    }

    pub(super) fn compare_gradient(
        &mut self,
        named: &NamedSite,
        place: usize,
        gradient: &Gradient,
        full: &Full<'_, M>,
    ) -> Result<Verdict> {
        let gradients = match gradient {
            Ok(gradients) if gradients.is_empty() => return Ok(Verdict::Unknown),
            Ok(gradients) => gradients,
            Err(error) => return Ok(Verdict::Fails(format!("has no gradient: {error}"))),
        };
        // Along the gradient the signal is largest; along a random direction it is seen whether a part is missing.
        let mut directions = vec![Direction::Random(self.check.seed)];
        if let [gradient] = gradients.as_slice() {
            directions.push(Direction::Along(unit(gradient)?));
        }
        let mut verdict = Verdict::Unknown;
        for direction in directions {
            let expected: f64 = gradients.iter().map(|g| dot(g, &direction.of(g)?)).sum::<Result<f64>>()?;
            let scale = largest(&full.taps[place][0].tensors[0])?;
            match self.along(named, &direction, scale, expected, full)? {
                Some(Ok(())) if verdict == Verdict::Unknown => verdict = Verdict::Holds,
                Some(Err(found)) => {
                    return Ok(Verdict::Fails(format!(
                        "has a gradient that is not that of the output: along some direction it says {expected:.4e}, and finite \
                         differences say {found:.4e}; an operation after it drops a part of the gradient (candle's fused operations do: \
                         use those of `taper::ops`), or is not smooth there"
                    )));
                }
                _ => {}
            }
        }
        Ok(verdict)
    }

    /// Whether finite differences along a direction agree; `None` if they don't settle, or rounding hides them.
    fn along(
        &mut self,
        named: &NamedSite,
        direction: &Direction,
        scale: f64,
        expected: f64,
        full: &Full<'_, M>,
    ) -> Result<Option<std::result::Result<(), f64>>> {
        let output = &full.output.tensors[0];
        let (precision, tolerance) = match output.dtype() {
            DType::F64 => (1e-15, 1e-4),
            DType::F32 => (1e-7, 3e-2),
            _ => return Ok(None),
        };
        let size = output.to_dtype(DType::F64)?.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt();
        let mut reliable = Vec::new();
        for step in STEPS.map(|step| step * scale) {
            let there = self.shifted(named, direction, step, full)?;
            let back = self.shifted(named, direction, -step, full)?;
            let difference = (there.to_dtype(DType::F64)? - back.to_dtype(DType::F64)?)?;
            let found = combination(&[difference], self.check.seed)?.to_scalar::<f64>()? / (2. * step);
            let rounding = precision * size / step;
            if (found - expected).abs() <= tolerance * expected.abs() + rounding && rounding < 0.3 * expected.abs() {
                return Ok(Some(Ok(())));
            }
            if rounding < 0.03 * found.abs() {
                reliable.push(found);
            }
        }
        Ok(settled(&reliable, expected).map(Err))
    }

    fn shifted(&mut self, named: &NamedSite, direction: &Direction, step: f64, full: &Full<'_, M>) -> Result<Tensor> {
        let shifted = |value: &Tensor| value + (direction.of(value)? * step)?;
        let output = match &full.recording {
            Some(recording) => self.output(&recording.replay().edit(|_| named.clone(), shifted))?,
            None => self.output(&run(self.check.model).edit(|_| named.clone(), shifted))?,
        };
        output.tensors.into_iter().next().ok_or_else(|| Error::Msg("the output has no tensors".to_owned()))
    }
}

/// What finite differences of ever smaller steps came to, if they did: the last two say the same, and have not come nearer to
/// what was expected, as they do where a large step crosses a kink.
fn settled(found: &[f64], expected: f64) -> Option<f64> {
    let [first, .., before, last] = found else { return None };
    let same = (before - last).abs() <= 0.02 * last.abs();
    let nearer = (last - expected).abs() < 0.7 * (first - expected).abs();
    (same && !nearer).then_some(*last)
}

/// A fixed random combination of numbers.
fn combination(output: &[Tensor], seed: u64) -> Result<Tensor> {
    let of = |t: &Tensor| (t * direction(t, seed ^ 0xa5a5)?)?.sum_all();
    let first = output.first().ok_or_else(|| Error::Msg("the output has no value".to_owned()))?;
    output[1..].iter().try_fold(of(first)?, |sum, t| sum + of(t)?)
}

/// A direction in which values are shifted. The visits of a tap may be of different shapes.
enum Direction {
    Random(u64),
    Along(Tensor),
}

impl Direction {
    fn of(&self, value: &Tensor) -> Result<Tensor> {
        match self {
            Direction::Random(seed) => unit(&direction(value, seed ^ 0x77)?),
            Direction::Along(direction) => Ok(direction.clone()),
        }
    }
}

fn unit(t: &Tensor) -> Result<Tensor> {
    let length = dot(t, t)?.sqrt();
    if length > 0. { t / length } else { Ok(t.clone()) }
}

fn dot(a: &Tensor, b: &Tensor) -> Result<f64> {
    (a.to_dtype(DType::F64)? * b.to_dtype(DType::F64)?)?.sum_all()?.to_scalar()
}

fn largest(t: &Tensor) -> Result<f64> {
    let largest = t.abs()?.to_dtype(DType::F64)?.flatten_all()?.max(0)?.to_scalar::<f64>()?;
    Ok(if largest > 0. { largest } else { 1. })
}
