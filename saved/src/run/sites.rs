//! Addresses and values of a graph's tensors.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use candle_core::Tensor;
use taper::__private::{Reader, Span, Tree, Visitor, debug, load_taps, save_taps};
use taper::Site;

use crate::Result;
use crate::model::SavedModel;

/// The addresses of every tensor that can be computed, in the order in which they are, and of the model's outputs.
#[derive(Clone)]
pub struct Sites {
    pub(super) all: Arc<[Site<Tensor>]>,
    pub(super) names: Arc<[String]>,
    /// What the model returns: its outputs in the order of their names.
    pub output: Site<Vec<Tensor>>,
}

impl Sites {
    /// The sites at these places.
    pub(crate) fn at(&self, places: &[usize]) -> Vec<Site<Tensor>> {
        places.iter().map(|place| self.all[*place]).collect()
    }
}

impl fmt::Debug for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&*self.names).finish()
    }
}

/// Every tensor of a run by its name, and what the model returned.
#[derive(Clone)]
pub struct Taps {
    names: Arc<[String]>,
    values: Vec<Tensor>,
    /// What the model returned: its outputs in the order of their names.
    pub output: Vec<Tensor>,
}

impl Taps {
    /// The tensor of a whole name, `StatefulPartitionedCall/mlp_1/dense_1/MatMul`.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        let place = self.names.iter().position(|own| own == name)?;
        self.values.get(place)
    }

    /// Every tensor with its name, in the order in which they are computed.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.names.iter().map(String::as_str).zip(&self.values)
    }

    /// Writes the tensors as safetensors, keyed by their names.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save_taps::<Sites>(self, "SavedModel", path.as_ref())
    }

    /// Reads taps that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// A file that can't be read, or is of another model.
    pub fn load(model: &SavedModel, path: impl AsRef<Path>) -> Result<Self> {
        load_taps(model, path.as_ref())
    }
}

impl fmt::Debug for Taps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<Sites>("Taps", self, f)
    }
}

impl Tree for Sites {
    type Value = Taps;
    type Item = Tensor;

    fn span(&self) -> Span {
        let last = self.output.span();
        Span { first: self.all.first().map_or(last.first, |site| site.span().first), ..last }
    }

    fn read_taps(&self, reader: &Reader<'_>) -> Result<Taps> {
        let values = self.all.iter().map(|site| site.read_taps(reader)).collect::<Result<_>>()?;
        Ok(Taps { names: self.names.clone(), values, output: self.output.read_taps(reader)? })
    }

    fn visit(taps: &Taps, visitor: &mut Visitor<'_>) {
        for (name, value) in taps.iter() {
            visitor.field::<Site<Tensor>>(name, value);
        }
        visitor.field::<Site<Vec<Tensor>>>("output", &taps.output);
    }
}
