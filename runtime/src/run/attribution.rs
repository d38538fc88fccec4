//! What a loss owes to what flows through a model: attribution patching and integrated gradients.

use candle_core::{DType, Tensor};

use super::inputs::Inputs;
use super::loss::{Gradients, Loss, LossSetup};
use super::recording::{Base, Recording};
use super::setup::Setup;
use super::values::Values;
use super::{IntoArgs, RunOn};
use crate::model::Model;
use crate::pass::{Change, What};
use crate::select::{Aims, Targets};
use crate::tapped::Stateless;
use crate::{Error, Result};

impl<V: Values> Gradients<V> {
    /// Attribution patching: gradient · (other − value) at each place, in the shape of the selection. Its sum over a tensor
    /// is, to first order, what the loss would change by if the value were patched with `other`.
    ///
    /// See Nanda, “Attribution patching” (2023), and Syed et al. (2023). `other` are the values of the same selection in
    /// another run, such as `capture` gives.
    ///
    /// # Errors
    /// Values of another number or shape.
    ///
    /// ```
    /// # use taper::{Model, forward, candle_core::{Device, DType, Result, Tensor}, candle_nn::{Linear, linear, VarBuilder, Module}};
    /// # #[derive(Model)]
    /// # pub struct Net {
    /// #     #[load(linear(4, 4))]
    /// #     pub first: Linear,
    /// # }
    /// # #[forward]
    /// # impl Net {
    /// #     pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
    /// #         self.first.forward(x)?.sqr()
    /// #     }
    /// # }
    /// # let net = Net::load(VarBuilder::zeros(DType::F32, &Device::Cpu))?;
    /// # let (clean, corrupted) = (Tensor::zeros((2, 4), DType::F32, &Device::Cpu)?, Tensor::ones((2, 4), DType::F32, &Device::Cpu)?);
    /// let other = net.capture(&corrupted, |t| t.first)?;
    /// let g = net.run().loss(|t| t.output, |y| y.sum_all()).gradients(&clean, |t| t.first)?;
    /// let effect = g.attribution(&other)?.sum_all()?;
    /// # assert_eq!(effect.to_scalar::<f32>()?, 0.);
    /// # Ok::<(), taper::candle_core::Error>(())
    /// ```
    pub fn attribution(&self, other: &V) -> Result<V> {
        let differences = other.zip_with(&self.values, &|other, value| other - value)?;
        self.gradients.zip_with(&differences, &|gradient, difference| gradient * difference)
    }
}

/// Integrated gradients at a site: what [`Loss::integrated_gradients`] gives.
#[derive(Clone, Debug)]
pub struct IntegratedGradients {
    /// What each number of the site's value contributes, in its shape. They sum to the difference of the two losses, but
    /// for the error of the steps.
    pub attributions: Tensor,
    /// The loss at the value that flows in the run.
    pub loss: f64,
    /// The loss at the baseline.
    pub baseline_loss: f64,
    /// How many steps ran at once; 1 where the model does not treat the rows of a batch each on its own.
    pub batch: usize,
}

impl IntegratedGradients {
    /// How far the attributions are from completeness: their sum less the difference of the losses, relative to the
    /// difference. With enough steps it is near 0; more than about 0.05 asks for more steps.
    ///
    /// # Errors
    /// None that attributions can give.
    pub fn completeness_gap(&self) -> Result<f64> {
        let sum = self.attributions.to_dtype(DType::F64)?.sum_all()?.to_scalar::<f64>()?;
        let difference = self.loss - self.baseline_loss;
        Ok((sum - difference).abs() / difference.abs().max(f64::MIN_POSITIVE))
    }
}

impl<'m, 'e, M: Model> Loss<'m, 'e, M> {
    /// Integrated gradients at one site: the mean gradient along the straight line from `baseline` to the value that flows in
    /// the run, times their difference (Sundararajan et al. 2017; Captum's `LayerIntegratedGradients`, midpoint rule).
    ///
    /// The run is recorded, and each of the `steps` starts from the site. Steps run together in a batch where the site's value
    /// has one row and the model treats rows each on its own, which is found out by comparing with steps that ran alone.
    ///
    /// # Errors
    /// Those of the model and of the loss; a selection of several sites, a baseline of another shape, no steps.
    ///
    /// ```
    /// # use taper::{Model, forward, candle_core::{Device, DType, Result, Tensor}, candle_nn::{Linear, linear, VarBuilder, VarMap, Module}};
    /// # #[derive(Model)]
    /// # pub struct Net {
    /// #     #[load(linear(4, 4))]
    /// #     pub first: Linear,
    /// # }
    /// # #[forward]
    /// # impl Net {
    /// #     pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
    /// #         self.first.forward(x)?.sqr()
    /// #     }
    /// # }
    /// # let vars = VarMap::new();
    /// # let net = Net::load(VarBuilder::from_varmap(&vars, DType::F32, &Device::Cpu))?;
    /// # let x = Tensor::ones((1, 4), DType::F32, &Device::Cpu)?;
    /// let baseline = Tensor::zeros((1, 4), DType::F32, &Device::Cpu)?;
    /// let ig = net
    ///     .run()
    ///     .loss(|t| t.output, |y| y.sum_all())
    ///     .integrated_gradients(&x, |t| t.first, &baseline, 16)?;
    /// assert_eq!(ig.attributions.dims(), [1, 4]);
    /// assert!(ig.completeness_gap()? < 0.01);
    /// # Ok::<(), taper::candle_core::Error>(())
    /// ```
    pub fn integrated_gradients<'a, S>(
        &self,
        args: impl IntoArgs<M::Args<'a>>,
        select: impl FnOnce(M::Sites) -> S,
        baseline: &Tensor,
        steps: usize,
    ) -> std::result::Result<IntegratedGradients, M::Error>
    where
        S: Targets<Item = Tensor, Value = Tensor> + Copy,
        M::Args<'a>: Clone,
        for<'x> M: Stateless<'x>,
    {
        let (args, loss) = (args.into_args(), self.setup());
        if steps == 0 {
            return Err(Error::Msg("integrated gradients need at least one step".to_owned()).into());
        }
        let site = select(loss.setup.user_sites());
        let recording = RunOn::of(&loss.setup, args.clone()).record_if_stateless()?;
        let value = recording.values(|_| site)?;
        same_form(baseline, &value)?;
        let mut line = Line { loss, recording: &recording, site, value: &value, baseline, args };
        let (loss, baseline_loss) = (line.loss_at(1.)?, line.loss_at(0.)?);
        let (mean, batch) = line.mean_gradient(steps)?;
        let attributions = (mean * (&value - baseline)?)?;
        Ok(IntegratedGradients { attributions, loss, baseline_loss, batch })
    }
}

fn same_form(baseline: &Tensor, value: &Tensor) -> Result<()> {
    if baseline.dims() == value.dims() && baseline.dtype() == value.dtype() {
        return Ok(());
    }
    Err(Error::Msg(format!(
        "the baseline is {:?} {:?}, and the value is {:?} {:?}; they must agree",
        baseline.dims(),
        baseline.dtype(),
        value.dims(),
        value.dtype()
    )))
}

/// The straight line from the baseline to the value at a site.
struct Line<'l, 'm, 'e, 'a, M: Model, S> {
    loss: &'l LossSetup<'m, 'e, M>,
    recording: &'l Recording<'m, 'e, M>,
    site: S,
    value: &'l Tensor,
    baseline: &'l Tensor,
    args: M::Args<'a>,
}

/// How many steps run at once, at most.
const BATCH: usize = 16;

impl<'l, 'a, M: Model, S> Line<'l, '_, '_, 'a, M, S>
where
    S: Targets<Item = Tensor, Value = Tensor> + Copy,
    M::Args<'a>: Clone,
{
    fn at(&self, alpha: f64) -> Result<Tensor> {
        self.baseline + ((self.value - self.baseline)? * alpha)?
    }

    /// A replay that starts from a value at the site.
    fn from(&self, value: &Tensor) -> Result<Setup<'l, 'l, M>> {
        let mut setup = Setup::new(self.recording.model());
        setup.changes = self.recording.changes().inherited();
        let mut base: Base<'l> = self.recording.base();
        base.trust();
        setup.base = Some(base);
        let aims = Aims::of(&self.site, None)?;
        let [aim] = aims.as_slice() else {
            return Err(Error::Msg(format!("integrated gradients are at one site, and {} were selected", aims.len())));
        };
        setup.changes.push(Change {
            index: aim.span.first,
            visits: aim.visits.clone(),
            what: What::set(value),
            optional: false,
            call: 0,
            inherited: false,
        });
        Ok(setup)
    }

    fn loss_at(&self, alpha: f64) -> std::result::Result<f64, M::Error> {
        let setup = self.from(&self.at(alpha)?)?;
        let (args, model) = (self.args.clone(), setup.model);
        let loss = self.loss.loss_of(&setup, Inputs::default(), |at| model.__taper_call(args, at))?;
        Ok(loss.to_dtype(DType::F64)?.to_scalar::<f64>()?)
    }

    fn gradient_at(&self, value: &Tensor) -> std::result::Result<Tensor, M::Error> {
        let setup = self.from(value)?;
        let (args, model) = (self.args.clone(), setup.model);
        let found = self.loss.gradients_of(&setup, Inputs::default(), &self.site, |at| model.__taper_call(args, at))?;
        Ok(found.gradients)
    }

    /// The mean over the middles of the steps, and how many ran at once.
    fn mean_gradient(&mut self, steps: usize) -> std::result::Result<(Tensor, usize), M::Error> {
        let count = f64::from(u32::try_from(steps).unwrap_or(u32::MAX));
        let alphas: Vec<f64> =
            (0..u32::try_from(steps).unwrap_or(u32::MAX)).map(|k| (f64::from(k) + 0.5) / count).collect();
        let first = self.gradient_at(&self.at(alphas[0])?)?;
        if steps == 1 {
            return Ok((first, 1));
        }
        let last = self.gradient_at(&self.at(alphas[steps - 1])?)?;
        let mut sum = (&first + &last)?;
        let between = &alphas[1..steps - 1];
        let mut batch = 1;
        let mut left = between;
        while let Some((&alpha, rest)) = left.split_first() {
            let size = left.len().min(BATCH - 2);
            let together = (size > 1 && self.value.dims().first() == Some(&1))
                .then(|| self.together(&left[..size], &alphas, (&first, &last)))
                .flatten();
            match together {
                Some(gradients) => {
                    sum = (sum + gradients)?;
                    batch = batch.max(size + 2);
                    left = &left[size..];
                }
                None => {
                    sum = (sum + self.gradient_at(&self.at(alpha)?)?)?;
                    left = rest;
                }
            }
        }
        Ok(((sum / count)?, batch))
    }

    /// The sum of the gradients of some steps that ran as rows of one batch; `None` if the model or the loss does not treat
    /// rows each on its own. The first and the last step run with them, and must give what they gave alone.
    fn together(&self, alphas: &[f64], all: &[f64], (first, last): (&Tensor, &Tensor)) -> Option<Tensor> {
        let rows = [&all[..1], alphas, &all[all.len() - 1..]].concat();
        let values = rows.iter().map(|&alpha| self.at(alpha)).collect::<Result<Vec<_>>>().ok()?;
        let gradients = self.gradient_at(&Tensor::cat(&values, 0).ok()?).ok()?;
        if gradients.dim(0).ok()? != rows.len() {
            return None;
        }
        let row = |at: usize| gradients.narrow(0, at, 1);
        // A loss that is the mean over the batch gives each row its share.
        let count = f64::from(u32::try_from(rows.len()).ok()?);
        let factor = [1., count].into_iter().find(|factor| {
            let same = |at: usize, alone: &Tensor| -> Result<bool> { close(&(row(at)? * *factor)?, alone) };
            same(0, first).unwrap_or(false) && same(rows.len() - 1, last).unwrap_or(false)
        })?;
        let between = gradients.narrow(0, 1, alphas.len()).and_then(|g| g.sum_keepdim(0)).ok()?;
        (between * factor).ok()
    }
}

/// Equal but for rounding. Where nothing comes back, it can't be told what would come back from a row that is left out.
fn close(a: &Tensor, b: &Tensor) -> Result<bool> {
    let largest = |t: &Tensor| t.abs()?.to_dtype(DType::F64)?.flatten_all()?.max(0)?.to_scalar::<f64>();
    let size = largest(b)?;
    Ok(size > 0. && largest(&(a - b)?)? <= 1e-4 * size)
}
