//! What a model is given: tensors by the names of its signature.

use std::collections::BTreeMap;

use candle_core::{DType, Tensor};

use crate::dtype::Type;
use crate::graph::Input;
use crate::limits::Allowed;
use crate::model::SavedModel;
use crate::progress::Progress;
use crate::{Error, Result};

/// The arguments of a run, as the signature asks for them: what [`SavedModel::inputs`] gives.
#[derive(Clone, Debug)]
pub struct Inputs {
    /// In the order of the signature.
    pub(crate) values: Vec<Tensor>,
    /// Of functions of loops of which only steps by number are asked for, the last one.
    pub(crate) last: BTreeMap<u32, u32>,
    identity: u64,
    progress: Progress,
    allowed: Allowed,
}

impl Inputs {
    /// The same for a run of which only these steps are asked for.
    pub(crate) fn until(&self, last: BTreeMap<u32, u32>) -> Self {
        Inputs { last, ..self.clone() }
    }

    pub(crate) fn on_progress(self, progress: Progress) -> Self {
        Inputs { progress, ..self }
    }

    /// The same for a run that may take no more than this.
    pub(crate) fn allow(self, allowed: Allowed) -> Self {
        Inputs { allowed, ..self }
    }

    /// What a run of them may take.
    pub(crate) fn allowed(&self) -> &Allowed {
        &self.allowed
    }

    /// Tells that so many of so many nodes are done.
    pub(crate) fn progress(&self, done: usize, all: usize) {
        self.progress.report(done, all);
    }

    /// That these are arguments of this model.
    pub(crate) fn check(&self, model: &SavedModel) -> Result<()> {
        match self.identity == model.identity {
            true => Ok(()),
            false => {
                Err(Error::Msg("these inputs were made for another model; make them by its own `inputs`".to_owned()))
            }
        }
    }
}

impl SavedModel {
    /// The arguments of a run. Integers become 64 bits wide.
    ///
    /// ```no_run
    /// # let (model, x) = (taper_saved::open("model")?, candle_core::Tensor::new(&[[1f32]], &candle_core::Device::Cpu)?);
    /// let inputs = model.inputs([("x", &x)])?;
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// An input that the signature has not, that is missing or given twice, and one of another type or shape.
    pub fn inputs<'a>(&self, given: impl IntoIterator<Item = (&'a str, &'a Tensor)>) -> Result<Inputs> {
        let mut values: Vec<Option<Tensor>> = vec![None; self.graph.inputs.len()];
        for (name, tensor) in given {
            let Some(place) = self.graph.inputs.iter().position(|input| input.name == name) else {
                return Err(Error::Msg(format!("there is no input `{name}`; the inputs are {}", self.listed())));
            };
            let input = &self.graph.inputs[place];
            let fitting = self.fitting(input, tensor).map_err(|why| Error::Msg(format!("the input `{name}` {why}")))?;
            if values[place].replace(fitting).is_some() {
                return Err(Error::Msg(format!("the input `{name}` is given twice")));
            }
        }
        let missing = self.graph.inputs.iter().zip(&values).find(|(_, value)| value.is_none());
        if let Some((input, _)) = missing {
            return Err(Error::Msg(format!("the input `{}` is missing; the inputs are {}", input.name, self.listed())));
        }
        Ok(self.made(values))
    }

    /// The same by place, each with what it is called in errors; all are there.
    pub(crate) fn inputs_at<'a>(&self, given: impl Iterator<Item = (usize, &'a str, &'a Tensor)>) -> Result<Inputs> {
        let mut values: Vec<Option<Tensor>> = vec![None; self.graph.inputs.len()];
        for (place, name, tensor) in given {
            let fitting = self.fitting(&self.graph.inputs[place], tensor);
            values[place] = Some(fitting.map_err(|why| Error::Msg(format!("the input `{name}` {why}")))?);
        }
        Ok(self.made(values))
    }

    fn fitting(&self, input: &Input, tensor: &Tensor) -> std::result::Result<Tensor, String> {
        if !tensor.device().same_device(&self.device) {
            let [own, there] = [tensor.device(), &self.device].map(|device| format!("{:?}", device.location()));
            return Err(format!("is on {own}, and the model on {there}: move it by `.to_device`"));
        }
        fitting(input, tensor)
    }

    fn made(&self, values: Vec<Option<Tensor>>) -> Inputs {
        Inputs {
            values: values.into_iter().flatten().collect(),
            last: BTreeMap::new(),
            identity: self.identity,
            progress: Progress::default(),
            allowed: Allowed::default(),
        }
    }

    fn listed(&self) -> String {
        let inputs = self.graph.inputs.iter();
        inputs
            .map(|input| format!("`{}` ({} {})", input.name, input.port.ty, input.port.shape))
            .collect::<Vec<_>>()
            .join(", ")
    }
}

/// A tensor as an input takes it, or why it can't.
fn fitting(input: &Input, tensor: &Tensor) -> std::result::Result<Tensor, String> {
    let (ty, shape) = (input.port.ty, &input.port.shape);
    let fits = shape.0.as_ref().is_none_or(|sizes| {
        let same = |(want, have): (&i64, &usize)| usize::try_from(*want).map_or(true, |want| want == *have);
        sizes.len() == tensor.rank() && sizes.iter().zip(tensor.dims()).all(same)
    });
    if !fits {
        return Err(format!("is of shape {:?}, and the model takes {}", tensor.dims(), shape));
    }
    let wanted = ty.dtype().ok_or_else(|| format!("is of the type {ty}, which no tensor holds"))?;
    let have = tensor.dtype();
    let small =
        [DType::U8, DType::U32, DType::I16, DType::I32].contains(&have) && wanted == DType::I64 && ty != Type::BOOL;
    match have == wanted {
        true => Ok(tensor.clone()),
        false if small => tensor.to_dtype(DType::I64).map_err(|error| error.to_string()),
        false => {
            Err(format!("is {}, and the model takes {ty}: convert it by `.to_dtype(DType::{wanted:?})`", have.as_str()))
        }
    }
}
