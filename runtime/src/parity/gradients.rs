//! Gradients against those of the original.

use candle_core::{Tensor, bail};

use super::difference::Measure;
use super::mapping::Match;
use super::{Compared, Parity, Report, Values};
use crate::error::candle_error;
use crate::model::Model;
use crate::names::{Describe, NamedSite, SiteTable};
use crate::run::{IntoArgs, Loss, Setup};
use crate::select::Selection;
use crate::{Error, Result};

/// How far a gradient may be from its reference, times the largest of the tensor.
const TOLERANCE: f64 = 1e-4;

impl<M: Model> Parity<'_, M> {
    /// Compares the gradients of a loss, `f` of what is selected, with respect to the taps whose references have one:
    /// beside `module.PATH` there is `grad.PATH`. Rows go as gradients flow, from the last tap to the first.
    ///
    /// ```no_run
    /// # use taper::{Model, candle_core::{Result, Tensor}, parity::Parity, Site};
    /// # fn f<M: for<'a> Model<Args<'a> = (&'a Tensor,)>>(parity: Parity<'_, M>, x: &Tensor, output: Site<Tensor>) -> Result<()> {
    /// // As the original's were made: of the sum of squares of the output.
    /// let report = parity.gradients(x, |t| output, |y| y.sqr()?.sum_all())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`run`](Self::run); a loss that does not depend on such a tap.
    pub fn gradients<'x, S, F>(
        &self,
        args: impl IntoArgs<M::Args<'x>>,
        of: impl FnOnce(M::Sites) -> S,
        f: F,
    ) -> Result<Report>
    where
        M::Args<'x>: Clone,
        S: Selection + Send + Sync,
        F: Fn(&S::Value) -> Result<Tensor> + Send + Sync,
    {
        let args = args.into_args();
        let setup = self.setup();
        let model = setup.model();
        let values = Values::of(self.produced(args.clone())?, &model.names());
        let matches = self.matches(&values)?;
        // Each with its place among the values of its site.
        let mut wanted: Vec<(&str, &Match, String, u32, usize)> = Vec::new();
        for (place, (value, matches)) in values.tensors.iter().zip(&matches).enumerate() {
            let visit = values.tensors[..place].iter().filter(|before| before.site == value.site).count();
            for found in matches {
                let gradient = found.reference.strip_prefix("module.").map(|path| format!("grad.{path}"));
                if let Some(gradient) = gradient.filter(|gradient| self.reference.contains(gradient)) {
                    wanted.push((&value.name, found, gradient, value.site, visit));
                }
            }
        }
        let is_wanted = |site: &NamedSite| wanted.iter().any(|(.., index, _)| *index == site.index());
        let table = SiteTable::of(model);
        let (sites, others): (Vec<_>, Vec<_>) =
            table.iter().filter(is_wanted).partition(|site| site.is_tensor().is_ok());
        if sites.is_empty() {
            return Err(Error::Msg(format!(
                "no gradient was compared: no tap of `{}` is mapped to a `module.PATH` with a `grad.PATH` beside it in {}",
                model.type_name(),
                self.reference
            )));
        }

        let loss = Loss::of(Setup::new(model), of, f);
        let inputs = setup.inputs(|| M::__taper_seen(&args));
        let run = loss.setup().gradients_of(setup, inputs, &sites, |at| model.__taper_call(args, at));
        let gradients = run.map_err(candle_error)?.gradients;

        let mut report = self.report("gradients", self.tolerance.unwrap_or(TOLERANCE));
        for (name, found, reference, index, visit) in wanted.iter().rev() {
            let Some(site) = sites.iter().position(|site| site.index() == *index) else { continue };
            let Some(value) = gradients[site].get(*visit) else { bail!("`{name}` has no gradient of its own") };
            let compared = Compared { name, value, reference };
            report.rows.push(self.row(compared, found.rule, Measure::Largest, report.tolerance)?);
        }
        report.left_over = self.left_over(&report.rows, |name| name.starts_with("grad."));
        let of_several = |site: &NamedSite| {
            format!("`{}` is a `{}`, whose gradients are not compared", site.name(), site.type_name())
        };
        report.notes = others.iter().map(of_several).collect();
        Ok(report)
    }
}
