//! Runs with changes: taper's own, with tensors named in place of selected.

use std::fmt;

use candle_core::Tensor;
use taper::__private::Visited;
use taper::EditedSite;

use crate::inputs::Inputs;
use crate::limits::Allowed;
use crate::model::SavedModel;
use crate::outputs::{Captured, Outputs};
use crate::progress::Progress;
use crate::run::Place;
use crate::{Error, Result};

type Feed<'a> = (&'a str, &'a Tensor);

/// One configured way of running a saved model: what [`SavedModel::run`] gives.
///
/// At each tensor a replacement comes first, then edits in the order in which they were made; a capture sees what flows on.
/// What only a replaced tensor depends on is not computed.
///
/// It is a [`taper::Run`] with names in place of selections; [`taper`](Self::taper) gives that, for what stands in
/// [`taper::changing`].
#[must_use = "a run does nothing until it is used: `forward`, `capture`, `record`"]
pub struct Run<'m, 'e> {
    model: &'m SavedModel,
    run: taper::Run<'m, 'e, SavedModel>,
    progress: Progress,
    allowed: Allowed,
    /// Whether a capture may lack some of what is asked for.
    absent: bool,
}

impl fmt::Debug for Run<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.run.fmt(f)
    }
}

/// The places of everything that some names mean, name by name.
fn places(model: &SavedModel, names: &[&str]) -> Result<Vec<Vec<Place>>> {
    names.iter().map(|name| model.places(name)).collect()
}

/// A tensor for every visit of some places.
fn everywhere(places: &[Place], value: &Tensor) -> Vec<Vec<Visited<Tensor>>> {
    places.iter().map(|_| vec![Visited { visits: Vec::new(), value: value.clone() }]).collect()
}

impl<'m> Run<'m, 'm> {
    pub(crate) fn of(model: &'m SavedModel) -> Self {
        let (progress, allowed, absent) = Default::default();
        Run { model, run: taper::Model::run(model), progress, allowed, absent }
    }
}

impl<'m, 'e> Run<'m, 'e> {
    /// Puts `f` of the value in place of the value, at every tensor that the name means (see [`SavedModel::find`]), and in
    /// every step if it stands in a loop. A name with the number of a step, `lstm/while/body.2/lstm_cell/MatMul`, means that
    /// one.
    ///
    /// `f` must give the shape and dtype that it gets. In a run that does not come by, the change is an error (see
    /// [`if_reached`](Self::if_reached)).
    ///
    /// # Errors
    /// As [`SavedModel::find`].
    pub fn edit(self, name: &str, f: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'e) -> Result<Self> {
        let places = self.model.places(name)?;
        Ok(Run { run: self.run.edit(|sites| sites.at(&places), f), ..self })
    }

    /// As [`edit`](Self::edit), `f` being told at which tensor it is, and in which steps of the loops around it
    /// ([`visits`](taper::EditedSite::visits)).
    ///
    /// # Errors
    /// As [`SavedModel::find`].
    pub fn edit_at(
        self,
        name: &str,
        f: impl Fn(&EditedSite, &Tensor) -> Result<Tensor> + Send + Sync + 'e,
    ) -> Result<Self> {
        let places = self.model.places(name)?;
        Ok(Run { run: self.run.edit_at(|sites| sites.at(&places), f), ..self })
    }

    /// Puts a known value in place of the value, at every tensor that the name means, and in every step as
    /// [`edit`](Self::edit) does.
    ///
    /// # Errors
    /// As [`SavedModel::find`].
    pub fn replace(self, name: &str, value: &Tensor) -> Result<Self> {
        let places = self.model.places(name)?;
        let values = everywhere(&places, value);
        Ok(Run { run: self.run.replace(|sites| sites.at(&places), &values), ..self })
    }

    /// Lets a run do without the change before this: it may be in a branch that is not taken, or a step that is not made.
    pub fn if_reached(self) -> Self {
        Run { run: self.run.if_reached(), ..self }
    }

    /// Lets a capture do without what the run does not come by: tensors in a branch that is not taken, or in a step that is
    /// not made. [`Captured::absent`] lists them, where otherwise the first is an error.
    pub fn allow_absent(self) -> Self {
        Run { absent: true, ..self }
    }

    /// Calls `report` while a run goes on: with the nodes that are done, and those that are needed for what was asked.
    /// A run that has what it is to give before all of them are done ends without a last call.
    pub fn on_progress(self, report: impl Fn(usize, usize) + Send + Sync + 'static) -> Self {
        Run { progress: Progress::of(report), ..self }
    }

    /// Lets the values that a run holds at the same time take so many bytes: those that are still needed and those that are
    /// captured, without the weights and the inputs. A run that comes to hold more is an error, that of the node at which it
    /// does.
    ///
    /// Without this a run may hold what the machine has available when it has made 256 MiB of values (what Linux says of the
    /// machine and of the control groups of the process; where nothing does, 8 GiB and 64 times the weights and inputs).
    /// An operation needs memory of its own while it computes.
    pub fn memory_limit(self, bytes: usize) -> Self {
        let allowed = Allowed { memory: Some(bytes), ..self.allowed };
        Run { allowed, ..self }
    }

    /// Lets the loops of a run make so many steps, all of them together: 2²⁴ without this. A loop that has not ended by then is
    /// an error.
    pub fn step_limit(self, steps: usize) -> Self {
        let allowed = Allowed { steps, ..self.allowed };
        Run { allowed, ..self }
    }

    /// Ends a run with an error as soon as `stop` says so. It is asked before every node, those in loops included; an operation
    /// that has begun is not broken off.
    ///
    /// ```no_run
    /// use std::time::{Duration, Instant};
    ///
    /// # let (model, x) = (taper_saved::open("model")?, candle_core::Tensor::new(&[[1f32]], &candle_core::Device::Cpu)?);
    /// let end = Instant::now() + Duration::from_secs(5);
    /// let outputs = model.run().stop_when(move || Instant::now() > end).forward([("x", &x)])?;
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    pub fn stop_when(self, stop: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        let allowed = self.allowed.until(stop);
        Run { allowed, ..self }
    }

    fn inputs<'a>(&self, given: impl IntoIterator<Item = Feed<'a>>) -> Result<Inputs> {
        Ok(self.model.inputs(given)?.on_progress(self.progress.clone()).allow(self.allowed.clone()))
    }

    /// What the model gives, with the changes.
    ///
    /// # Errors
    /// As [`SavedModel::forward`], and those of the changes.
    pub fn forward<'a>(&self, inputs: impl IntoIterator<Item = Feed<'a>>) -> Result<Outputs> {
        let inputs = self.inputs(inputs)?;
        Ok(Outputs::of(self.model, self.run.on((&inputs,)).forward()?))
    }

    /// The tensors of some names, with the changes, detached from the autograd graph.
    ///
    /// # Errors
    /// As [`SavedModel::capture`], and those of the changes.
    pub fn capture<'a>(&self, inputs: impl IntoIterator<Item = Feed<'a>>, names: &[&str]) -> Result<Captured> {
        self.captured(self.inputs(inputs)?, names)
    }

    fn captured(&self, inputs: Inputs, names: &[&str]) -> Result<Captured> {
        let places = places(self.model, names)?;
        let inputs = inputs.until(self.model.last_visits(&places.concat()));
        let values = self.run.on((&inputs,)).capture(|sites| sites.at(&places.concat()))?;
        self.whole(Captured::of(self.model, &places, values))
    }

    fn whole(&self, captured: Captured) -> Result<Captured> {
        if self.absent { Ok(captured) } else { captured.whole() }
    }

    /// What the model gives and the tensors of some names, of one run, with the changes.
    ///
    /// ```no_run
    /// # let (model, x) = (taper_saved::open("model")?, candle_core::Tensor::new(&[[1f32]], &candle_core::Device::Cpu)?);
    /// let (outputs, captured) = model.run().forward_and_capture([("x", &x)], &["two/Tanh", "two/d1/*"])?;
    /// println!("{:?}, {:?}", outputs["output_0"].dims(), captured[0].dims());
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`forward`](Self::forward) and [`capture`](Self::capture).
    pub fn forward_and_capture<'a>(
        &self,
        inputs: impl IntoIterator<Item = Feed<'a>>,
        names: &[&str],
    ) -> Result<(Outputs, Captured)> {
        let inputs = self.inputs(inputs)?;
        let places = places(self.model, names)?;
        let (output, values) = self.run.on((&inputs,)).capture(|sites| (sites.output, sites.at(&places.concat())))?;
        Ok((Outputs::of(self.model, output), self.whole(Captured::of(self.model, &places, values))?))
    }

    /// Runs the model and keeps every tensor, so that later runs can start from them.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn record<'a>(&self, inputs: impl IntoIterator<Item = Feed<'a>>) -> Result<Recording<'m, 'e>> {
        let inputs = self.inputs(inputs)?;
        Ok(Recording { model: self.model, recording: self.run.on((&inputs,)).record()?, inputs })
    }

    /// A number to differentiate: `f` of the one tensor of a name, which in a loop is that of one step:
    /// `lstm/while/body.2/lstm_cell/MatMul`.
    ///
    /// # Errors
    /// As [`SavedModel::find`], and a name of several tensors, or of several steps.
    pub fn loss(self, of: &str, f: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'e) -> Result<Loss<'m, 'e>> {
        let model = self.model;
        let place = match model.places(of)?.as_slice() {
            [place] => place.clone(),
            several => {
                return Err(Error::Msg(format!("`{of}` is {} tensors, and a loss is of one", several.len())));
            }
        };
        if place.visits.contains(&None) {
            let name = model.sited[place.site].at(&vec![0; place.visits.len()]);
            return Err(Error::Msg(format!(
                "`{of}` has a value for every step of a loop, and a loss is of one; name the step: `{name}`"
            )));
        }
        let nothing = model.nothing(&place).to_string();
        let f = move |values: &Vec<Visited<Tensor>>| match values.as_slice() {
            [visited] => f(&visited.value),
            _ => Err(Error::Msg(nothing.clone())),
        };
        Ok(Loss { model, allowed: self.allowed, loss: self.run.loss(|sites| sites.at(&[place]).remove(0), f) })
    }

    /// The run itself, whose functions take selections: `Run::on` gives it arguments, made by [`SavedModel::inputs`].
    pub fn taper(self) -> taper::Run<'m, 'e, SavedModel> {
        self.run
    }
}

/// A finished run whose values can be reused.
#[derive(Debug)]
pub struct Recording<'m, 'e> {
    model: &'m SavedModel,
    recording: taper::Recording<'m, 'e, SavedModel>,
    inputs: Inputs,
}

impl<'m, 'e> Recording<'m, 'e> {
    /// A run of the same inputs that computes only what a change can reach. It may take what the recorded run might.
    pub fn replay<'r, 'x>(&'r self) -> Replay<'r, 'x>
    where
        'e: 'x,
    {
        let (progress, allowed, absent) = Default::default();
        let run = Run { model: self.model, run: self.recording.replay(), progress, allowed, absent };
        Replay { run, inputs: &self.inputs }
    }

    /// The recorded tensors of some names.
    ///
    /// # Errors
    /// As [`SavedModel::find`].
    pub fn values(&self, names: &[&str]) -> Result<Captured> {
        let places = places(self.model, names)?;
        let values = self.recording.values(|sites| sites.at(&places.concat()))?;
        Captured::of(self.model, &places, values).whole()
    }
}

/// A run that starts from a recording, with its inputs.
#[derive(Debug)]
#[must_use = "a run does nothing until it is used: `forward`, `capture`"]
pub struct Replay<'r, 'x> {
    run: Run<'r, 'x>,
    inputs: &'r Inputs,
}

impl<'r, 'x> Replay<'r, 'x> {
    /// As [`Run::edit`].
    ///
    /// # Errors
    /// As [`SavedModel::find`].
    pub fn edit(self, name: &str, f: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'x) -> Result<Self> {
        Ok(Replay { run: self.run.edit(name, f)?, ..self })
    }

    /// As [`Run::replace`].
    ///
    /// # Errors
    /// As [`SavedModel::find`].
    pub fn replace(self, name: &str, value: &Tensor) -> Result<Self> {
        Ok(Replay { run: self.run.replace(name, value)?, ..self })
    }

    /// As [`Run::edit_at`].
    ///
    /// # Errors
    /// As [`SavedModel::find`].
    pub fn edit_at(
        self,
        name: &str,
        f: impl Fn(&EditedSite, &Tensor) -> Result<Tensor> + Send + Sync + 'x,
    ) -> Result<Self> {
        Ok(Replay { run: self.run.edit_at(name, f)?, ..self })
    }

    /// As [`Run::if_reached`].
    pub fn if_reached(self) -> Self {
        Replay { run: self.run.if_reached(), ..self }
    }

    /// The tensors of some names, with the changes.
    ///
    /// # Errors
    /// As [`SavedModel::find`], those of the model, and of the changes.
    pub fn capture(&self, names: &[&str]) -> Result<Captured> {
        self.run.captured(self.inputs.clone(), names)
    }

    /// What the model gives, with the changes.
    ///
    /// # Errors
    /// Those of the model, and of the changes.
    pub fn forward(&self) -> Result<Outputs> {
        Ok(Outputs::of(self.run.model, self.run.run.on((self.inputs,)).forward()?))
    }

    /// The run itself, and the inputs that it takes.
    pub fn taper(self) -> (taper::Run<'r, 'x, SavedModel>, &'r Inputs) {
        (self.run.run, self.inputs)
    }
}

/// A run and a number to differentiate: what [`Run::loss`] gives.
#[derive(Debug)]
#[must_use = "a loss does nothing until it is differentiated: `gradients`"]
pub struct Loss<'m, 'e> {
    model: &'m SavedModel,
    allowed: Allowed,
    loss: taper::Loss<'m, 'e, SavedModel>,
}

impl Loss<'_, '_> {
    /// The loss, and the values and gradients of the tensors of some names.
    ///
    /// # Errors
    /// Those of the model, of the changes and of the loss, and a gradient that is lost on the way.
    pub fn gradients<'a>(
        &self,
        inputs: impl IntoIterator<Item = Feed<'a>>,
        names: &[&str],
    ) -> Result<taper::Gradients<Captured>> {
        let inputs = self.model.inputs(inputs)?.allow(self.allowed.clone());
        let places = places(self.model, names)?;
        let found = self.loss.on((&inputs,)).gradients(|sites| sites.at(&places.concat()))?;
        Ok(taper::Gradients {
            loss: found.loss,
            values: Captured::of(self.model, &places, found.values).whole()?,
            gradients: Captured::of(self.model, &places, found.gradients).whole()?,
        })
    }
}
