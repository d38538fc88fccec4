//! What runs give: tensors by name.

use std::collections::BTreeMap;
use std::ops::Index;
use std::path::Path;

use candle_core::Tensor;

use crate::model::SavedModel;
use crate::{Error, Result};

/// What a model gives, by the names of its signature.
#[derive(Clone, Debug)]
pub struct Outputs {
    all: Vec<(String, Tensor)>,
}

impl Outputs {
    pub(crate) fn of(model: &SavedModel, values: Vec<Tensor>) -> Self {
        Outputs { all: model.graph.outputs.iter().map(|output| output.name.clone()).zip(values).collect() }
    }

    /// The output of a name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.all.iter().find(|(own, _)| own == name).map(|(_, tensor)| tensor)
    }

    /// The output of a model that has one.
    ///
    /// # Errors
    /// A model that has several.
    pub fn single(&self) -> Result<&Tensor> {
        match self.all.as_slice() {
            [(_, tensor)] => Ok(tensor),
            all => {
                let names: Vec<_> = all.iter().map(|(name, _)| format!("`{name}`")).collect();
                Err(Error::Msg(format!("the model has {} outputs: {}", all.len(), names.join(", "))))
            }
        }
    }

    /// The outputs in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.all.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

impl Index<&str> for Outputs {
    type Output = Tensor;

    /// Panics if there is no output of the name; [`get`](Outputs::get) does not.
    fn index(&self, name: &str) -> &Tensor {
        self.get(name).unwrap_or_else(|| panic!("there is no output `{name}`"))
    }
}

/// The tensors that were asked for, in the order in which they were, with their whole names.
#[derive(Clone, Debug)]
pub struct Captured {
    pub(crate) all: Vec<(String, Tensor)>,
}

impl Captured {
    /// The tensor of a whole name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.all.iter().find(|(own, _)| own == name).map(|(_, tensor)| tensor)
    }

    /// The one tensor that was asked for.
    ///
    /// # Errors
    /// Several were.
    pub fn single(&self) -> Result<&Tensor> {
        match self.all.as_slice() {
            [(_, tensor)] => Ok(tensor),
            all => Err(Error::Msg(format!("{} tensors were captured, and not one", all.len()))),
        }
    }

    /// The tensors with their whole names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.all.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Writes the tensors as safetensors, keyed by their whole names.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let tensors: BTreeMap<&str, Tensor> =
            self.iter().map(|(name, tensor)| Ok((name, tensor.contiguous()?))).collect::<Result<_>>()?;
        let tensors = tensors.into_iter().collect();
        candle_core::safetensors::save(&tensors, path)
    }
}

impl Index<usize> for Captured {
    type Output = Tensor;

    fn index(&self, place: usize) -> &Tensor {
        &self.all[place].1
    }
}
