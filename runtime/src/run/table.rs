//! What a sweep measured, and the files that it goes to.

use std::collections::HashMap;
use std::path::Path;

use candle_core::{Device, Tensor};

use super::sweep::indices;
use crate::{Error, Result};

/// What a sweep measured: a row for each site, and where it was patched along dimensions, a column for each index of them.
#[derive(Clone, Debug)]
pub struct SweepTable {
    pub(super) names: Vec<String>,
    pub(super) dims: Vec<isize>,
    pub(super) values: Tensor,
    pub(super) baseline: f64,
}

impl SweepTable {
    /// The names of the sites, one a row. A visit of a repeated site is `shared#1`.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The metric after each patch: `[site]`, or `[site, index, …]` where it was patched along dimensions. F64.
    pub fn values(&self) -> &Tensor {
        &self.values
    }

    /// The metric of the recorded run itself, nothing being patched.
    pub fn baseline(&self) -> f64 {
        self.baseline
    }

    /// What each patch changes: the values less the baseline.
    ///
    /// # Errors
    /// None that a table can give.
    pub fn effects(&self) -> Result<Tensor> {
        &self.values - self.baseline
    }

    /// Writes `values`, `effects` and `baseline` as safetensors, the names of the rows in the metadata under `names`, one a
    /// line.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let baseline = Tensor::new(self.baseline, &Device::Cpu)?;
        let tensors = [("values", self.values.clone()), ("effects", self.effects()?), ("baseline", baseline)];
        let dims = self.dims.iter().map(isize::to_string).collect::<Vec<_>>().join(" ");
        let metadata = HashMap::from([("names".to_owned(), self.names.join("\n")), ("along".to_owned(), dims)]);
        safetensors::serialize_to_file(tensors, Some(metadata), path.as_ref()).map_err(Error::wrap)
    }

    /// Writes a line for each patch: the site, the index along each dimension, the metric, and its difference from the
    /// baseline.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn save_csv(&self, path: impl AsRef<Path>) -> Result<()> {
        std::fs::write(path.as_ref(), self.to_csv()?).map_err(|e| Error::from(e).with_path(path.as_ref()))
    }

    fn to_csv(&self) -> Result<String> {
        let mut lines = String::from("site");
        self.dims.iter().for_each(|dim| lines.push_str(&format!(",index along {dim}")));
        lines.push_str(",value,effect\n");
        let values = self.values.flatten_all()?.to_vec1::<f64>()?;
        let columns = indices(&self.values.dims()[1..]);
        for (name, row) in self.names.iter().zip(values.chunks(columns.len().max(1))) {
            for (at, value) in columns.iter().zip(row) {
                let at: String = at.iter().map(|i| format!(",{i}")).collect();
                lines.push_str(&format!("{name}{at},{value},{}\n", value - self.baseline));
            }
        }
        Ok(lines)
    }
}
