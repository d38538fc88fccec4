//! A saved model at a glance.

use std::fmt;

use crate::Layer;
use crate::model::SavedModel;
use crate::tensors::TensorInfo;

/// Shows a model: what goes in and out, its layers with their outputs and weights, and what is not supported.
#[derive(Clone, Copy, Debug)]
pub struct Summary<'m> {
    model: &'m SavedModel,
}

impl SavedModel {
    /// The model at a glance, to be printed.
    pub fn summary(&self) -> Summary<'_> {
        Summary { model: self }
    }
}

fn tensor(tensor: &TensorInfo) -> String {
    format!("{} {}", tensor.ty, tensor.shape)
}

/// With a point between thousands.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    parts.join(",")
}

impl Summary<'_> {
    fn row(&self, layer: &Layer) -> [String; 3] {
        let outputs =
            layer.calls.iter().flat_map(|call| &call.outputs).filter_map(|value| self.model.tensors.get(*value));
        let outputs: Vec<_> = outputs.map(tensor).collect();
        let depth = layer.name.matches('/').count();
        let calls = if layer.calls.len() > 1 { format!(" ×{}", layer.calls.len()) } else { String::new() };
        let own = layer.name.rsplit('/').next().unwrap_or_default();
        let parameters = if layer.parameters() > 0 { grouped(layer.parameters()) } else { String::new() };
        [format!("{}{own}{calls}", "  ".repeat(depth)), outputs.join(", "), parameters]
    }
}

impl fmt::Display for Summary<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.model;
        let others: Vec<_> =
            model.signatures.iter().filter(|name| **name != model.signature).map(String::as_str).collect();
        write!(f, "signature {}", model.signature)?;
        if !others.is_empty() {
            write!(f, " (others: {})", others.join(", "))?;
        }
        if !model.version.is_empty() {
            write!(f, ", written by TensorFlow {}", model.version)?;
        }
        writeln!(f)?;
        for (name, input) in model.input_tensors() {
            writeln!(f, "  in  {name}: {}", tensor(input))?;
        }
        for (name, output) in model.output_tensors() {
            writeln!(f, "  out {name}: {}", output.map(tensor).unwrap_or_default())?;
        }
        let rows: Vec<_> = model.layers().map(|layer| self.row(layer)).collect();
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let (first, second) = (width(0), width(1));
        for [name, outputs, parameters] in &rows {
            writeln!(f, "{}", format!("{name:first$}  {outputs:second$}  {parameters}").trim_end())?;
        }
        let parameters: usize = model.graph.variables.iter().map(|variable| variable.value.elem_count()).sum();
        let sites = model.sited.len();
        let (weights, nodes) = (model.graph.variables.len(), model.graph.nodes.len());
        let parameters = grouped(parameters);
        writeln!(f, "{parameters} parameters in {weights} weights, {nodes} nodes, {sites} tensors to capture")?;
        for (weight, why) in model.unreadable() {
            writeln!(f, "can't be read: {weight}: {why}")?;
        }
        for (node, op, why) in model.unsupported() {
            writeln!(f, "not supported: {node} ({op}): {why}")?;
        }
        Ok(())
    }
}
