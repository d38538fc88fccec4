//! Runs with changes: taper's own, with tensors named in place of selected.

use std::fmt;

use candle_core::Tensor;

use crate::Result;
use crate::inputs::Inputs;
use crate::model::SavedModel;
use crate::outputs::{Captured, Outputs};
use crate::progress::Progress;

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
}

impl fmt::Debug for Run<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.run.fmt(f)
    }
}

/// The places of everything that some names mean.
fn places(model: &SavedModel, names: &[&str]) -> Result<Vec<usize>> {
    let mut places = Vec::new();
    for name in names {
        places.extend(model.places(name)?);
    }
    Ok(places)
}

impl<'m> Run<'m, 'm> {
    pub(crate) fn of(model: &'m SavedModel) -> Self {
        Run { model, run: taper::Model::run(model), progress: Progress::default() }
    }
}

impl<'m, 'e> Run<'m, 'e> {
    /// Puts `f` of the value in place of the value, at every tensor that the name means (see [`SavedModel::find`]).
    ///
    /// `f` must give the shape and dtype that it gets.
    ///
    /// # Errors
    /// As [`SavedModel::find`].
    pub fn edit(self, name: &str, f: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'e) -> Result<Self> {
        let places = self.model.places(name)?;
        Ok(Run { run: self.run.edit(|sites| sites.at(&places), f), ..self })
    }

    /// Puts a known value in place of the value, at every tensor that the name means.
    ///
    /// # Errors
    /// As [`SavedModel::find`].
    pub fn replace(self, name: &str, value: &Tensor) -> Result<Self> {
        let places = self.model.places(name)?;
        let values = vec![value.clone(); places.len()];
        Ok(Run { run: self.run.replace(|sites| sites.at(&places), &values), ..self })
    }

    /// Calls `report` while a run goes on: with the nodes that are done, and those that are needed for what was asked.
    /// A run that has what it is to give before all of them are done ends without a last call.
    pub fn on_progress(self, report: impl Fn(usize, usize) + Send + Sync + 'static) -> Self {
        Run { progress: Progress::of(report), ..self }
    }

    fn inputs<'a>(&self, given: impl IntoIterator<Item = Feed<'a>>) -> Result<Inputs> {
        Ok(self.model.inputs(given)?.on_progress(self.progress.clone()))
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
        let inputs = self.inputs(inputs)?;
        let places = places(self.model, names)?;
        let values = self.run.on((&inputs,)).capture(|sites| sites.at(&places))?;
        let names = places.iter().map(|place| self.model.names[*place].clone());
        Ok(Captured { all: names.zip(values).collect() })
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
        let (output, values) = self.run.on((&inputs,)).capture(|sites| (sites.output, sites.at(&places)))?;
        let names = places.iter().map(|place| self.model.names[*place].clone());
        Ok((Outputs::of(self.model, output), Captured { all: names.zip(values).collect() }))
    }

    /// Runs the model and keeps every tensor, so that later runs can start from them.
    ///
    /// # Errors
    /// As [`forward`](Self::forward).
    pub fn record<'a>(&self, inputs: impl IntoIterator<Item = Feed<'a>>) -> Result<Recording<'m, 'e>> {
        let inputs = self.inputs(inputs)?;
        Ok(Recording { model: self.model, recording: self.run.on((&inputs,)).record()?, inputs })
    }

    /// A number to differentiate: `f` of the one tensor of a name.
    ///
    /// # Errors
    /// As [`SavedModel::find`], and a name of several tensors.
    pub fn loss(self, of: &str, f: impl Fn(&Tensor) -> Result<Tensor> + Send + Sync + 'e) -> Result<Loss<'m, 'e>> {
        let model = self.model;
        let place = match model.places(of)?.as_slice() {
            [place] => *place,
            several => {
                return Err(crate::Error::Msg(format!("`{of}` is {} tensors, and a loss is of one", several.len())));
            }
        };
        Ok(Loss { model, loss: self.run.loss(|sites| sites.at(&[place]).remove(0), f) })
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
    /// A run of the same inputs that computes only what a change can reach.
    pub fn replay<'r, 'x>(&'r self) -> Replay<'r, 'x>
    where
        'e: 'x,
    {
        Replay {
            run: Run { model: self.model, run: self.recording.replay(), progress: Progress::default() },
            inputs: &self.inputs,
        }
    }

    /// The recorded tensors of some names.
    ///
    /// # Errors
    /// As [`SavedModel::find`].
    pub fn values(&self, names: &[&str]) -> Result<Captured> {
        let places = places(self.model, names)?;
        let values = self.recording.values(|sites| sites.at(&places))?;
        let names = places.iter().map(|place| self.model.names[*place].clone());
        Ok(Captured { all: names.zip(values).collect() })
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
    ) -> Result<taper::Gradients<Vec<Tensor>>> {
        let inputs = self.model.inputs(inputs)?;
        let places = places(self.model, names)?;
        self.loss.on((&inputs,)).gradients(|sites| sites.at(&places))
    }
}
