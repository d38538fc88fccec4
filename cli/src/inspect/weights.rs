//! Files of weights: their tensors and what they say of themselves.

use std::collections::BTreeMap;
use std::io::Write;

use serde::Serialize;
use serde_json::Value;
use taper::{Stored, Weights};

use super::Metadata;
use crate::arguments::Inspect;
use crate::failure::Outcome;
use crate::show::{Side, bytes, counted, grouped, table};

/// How much of a text is shown in a line.
const TEXT: usize = 60;

/// Weights as machines read them.
#[derive(Serialize)]
struct Contents<'w> {
    kind: &'static str,
    path: String,
    files: Vec<String>,
    metadata: BTreeMap<&'w str, &'w Value>,
    tensors: Vec<Tensor<'w>>,
    parameters: u64,
    bytes: u64,
    /// By types.
    dtypes: BTreeMap<String, Total>,
}

#[derive(Serialize)]
struct Tensor<'w> {
    name: &'w str,
    dtype: String,
    shape: &'w [usize],
    parameters: u64,
    bytes: u64,
    file: Option<String>,
}

#[derive(Default, Serialize)]
struct Total {
    tensors: u64,
    parameters: u64,
    bytes: u64,
}

pub(super) fn inspect(
    arguments: &Inspect,
    kind: &'static str,
    weights: &Weights,
    metadata: &Metadata,
    out: &mut impl Write,
) -> Outcome<()> {
    let contents = Contents::of(arguments, kind, weights, metadata);
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &contents)?;
        writeln!(out)?;
        return Ok(());
    }
    contents.show(out)
}

impl<'w> Contents<'w> {
    fn of(arguments: &Inspect, kind: &'static str, weights: &'w Weights, metadata: &'w Metadata) -> Self {
        let tensor = |stored: Stored<'w>| Tensor {
            name: stored.name,
            dtype: stored.dtype,
            shape: stored.shape.dims(),
            parameters: stored.shape.elem_count() as u64,
            bytes: stored.bytes,
            file: stored.file.and_then(|file| Some(file.file_name()?.to_string_lossy().into_owned())),
        };
        let mut tensors: Vec<_> = weights.stored().map(tensor).collect();
        tensors.sort_by(|a, b| counting(a.name).cmp(counting(b.name)));
        let mut files: Vec<String> = tensors.iter().filter_map(|tensor| tensor.file.clone()).collect();
        files.sort();
        files.dedup();
        let mut dtypes: BTreeMap<String, Total> = BTreeMap::new();
        for tensor in &tensors {
            let total = dtypes.entry(tensor.dtype.clone()).or_default();
            total.tensors += 1;
            total.parameters += tensor.parameters;
            total.bytes += tensor.bytes;
        }
        Contents {
            kind,
            path: arguments.path.display().to_string(),
            files,
            metadata: metadata.iter().map(|(key, value)| (key.as_str(), value)).collect(),
            parameters: tensors.iter().map(|tensor| tensor.parameters).sum(),
            bytes: tensors.iter().map(|tensor| tensor.bytes).sum(),
            tensors,
            dtypes,
        }
    }

    fn show(&self, out: &mut impl Write) -> Outcome<()> {
        let files = if self.files.len() > 1 { format!(", {} files", self.files.len()) } else { String::new() };
        writeln!(out, "{} {}{files}", self.kind, self.path)?;
        if !self.metadata.is_empty() {
            writeln!(out, "\nmetadata")?;
            let rows: Vec<_> = self.metadata.iter().map(|(key, value)| [(*key).to_owned(), text(value)]).collect();
            table(out, 2, [Side::Left; 2], &rows)?;
        }
        writeln!(out)?;
        let mut rows = vec![["parameters", "type", "shape", "tensor"].map(str::to_owned)];
        let row = |tensor: &Tensor<'_>| {
            let shape = format!("{:?}", tensor.shape);
            [grouped(tensor.parameters), tensor.dtype.clone(), shape, tensor.name.to_owned()]
        };
        rows.extend(self.tensors.iter().map(row));
        table(out, 0, [Side::Right, Side::Left, Side::Left, Side::Left], &rows)?;
        writeln!(
            out,
            "\n{} in {}, {}",
            counted(self.parameters, "parameter"),
            counted(self.tensors.len() as u64, "tensor"),
            bytes(self.bytes)
        )?;
        if self.dtypes.len() > 1 {
            let row = |(dtype, total): (&String, &Total)| {
                [
                    dtype.clone(),
                    counted(total.parameters, "parameter"),
                    counted(total.tensors, "tensor"),
                    bytes(total.bytes),
                ]
            };
            let rows: Vec<_> = self.dtypes.iter().map(row).collect();
            table(out, 2, [Side::Left, Side::Right, Side::Right, Side::Right], &rows)?;
        }
        Ok(())
    }
}

/// The parts of a name in the order in which people count: `layer.2` comes before `layer.10`.
fn counting(name: &str) -> impl Iterator<Item = (&str, usize, &str)> {
    let mut rest = name;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let text = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (before, after) = rest.split_at(text);
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, left) = after.split_at(digits);
        rest = left;
        // Of two numbers without zeros in front, the longer is the larger.
        Some((before, number.trim_start_matches('0').len(), number))
    })
}

/// A value of the metadata in a line.
fn text(value: &Value) -> String {
    let length = value.get("length").and_then(Value::as_u64);
    let text = match (value, length) {
        (Value::String(text), _) => text.clone(),
        (_, Some(length)) => format!("{length} of {}", value["first"]),
        _ => value.to_string(),
    };
    // A template of a chat has lines.
    let line = text.replace(char::is_control, " ");
    match line.chars().count() > TEXT {
        true => format!("{}…", line.chars().take(TEXT - 1).collect::<String>()),
        false => line,
    }
}
