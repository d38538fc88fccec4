//! What a run gave: shown, and named in a file.

use std::collections::HashMap;
use std::io::Write;

use candle_core::{DType, Tensor};
use serde::Serialize;

use crate::failure::{Failure, Outcome};
use crate::show::counted;

/// How many values of a tensor are shown.
const FIRST: usize = 4;

/// A tensor that a run gave.
#[derive(Debug)]
pub(super) struct Given {
    /// Under which it is shown and saved.
    pub(super) name: String,
    /// Whether the model returned it.
    pub(super) output: bool,
    pub(super) tensor: Tensor,
}

/// A tensor as machines read it.
#[derive(Serialize)]
pub(super) struct Summary<'g> {
    name: &'g str,
    role: &'static str,
    dtype: &'static str,
    shape: &'g [usize],
    min: Option<f64>,
    mean: Option<f64>,
    max: Option<f64>,
    nan: usize,
    infinite: usize,
    first: Vec<Option<f64>>,
    #[serde(skip)]
    integers: bool,
}

impl Given {
    pub(super) fn summary(&self) -> Outcome<Summary<'_>> {
        let all = || self.tensor.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
        let all = all().map_err(Failure::run)?;
        let finite = || all.iter().copied().filter(|value| value.is_finite());
        let count = finite().count();
        let mean = (count > 0).then(|| finite().sum::<f64>() / count as f64);
        Ok(Summary {
            name: &self.name,
            role: if self.output { "output" } else { "tap" },
            dtype: dtype(self.tensor.dtype()),
            shape: self.tensor.dims(),
            min: finite().reduce(f64::min),
            mean,
            max: finite().reduce(f64::max),
            nan: all.iter().filter(|value| value.is_nan()).count(),
            infinite: all.iter().filter(|value| value.is_infinite()).count(),
            first: all.iter().take(FIRST).map(|value| value.is_finite().then_some(*value)).collect(),
            integers: !self.tensor.dtype().is_float(),
        })
    }
}

impl Summary<'_> {
    /// Two lines: what it is, and what is in it.
    pub(super) fn show(&self, out: &mut impl Write) -> Outcome<()> {
        writeln!(out, "  {}  {} {:?}", self.name, self.dtype, self.shape)?;
        let (Some(min), Some(mean), Some(max)) = (self.min, self.mean, self.max) else {
            let what = if self.nan + self.infinite > 0 { "no value is finite" } else { "no values" };
            writeln!(out, "    {what}")?;
            return Ok(());
        };
        let whole = |value: f64| if self.integers { format!("{value}") } else { number(value) };
        let first: Vec<_> = self.first.iter().map(|value| value.map_or("…".to_owned(), whole)).collect();
        let count: usize = self.shape.iter().product();
        let more = if count > self.first.len() { " …" } else { "" };
        write!(out, "    min {}  mean {}  max {}", whole(min), number(mean), whole(max))?;
        writeln!(out, "  ({}{more})", first.join(" "))?;
        if self.nan + self.infinite > 0 {
            let kinds = [(self.nan, "NaN"), (self.infinite, "infinite")];
            let kinds: Vec<_> =
                kinds.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
            writeln!(out, "    of {}, {}", counted(count as u64, "value"), kinds.join(" and "))?;
        }
        Ok(())
    }
}

/// Four digits, without zeros at their end.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0. {
        return "0".to_owned();
    }
    if !(1e-3..1e5).contains(&size) {
        return format!("{value:.2e}");
    }
    let digits = usize::try_from(3 - size.log10().floor() as i32).unwrap_or(0);
    let text = format!("{value:.digits$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// NumPy's name of a type.
fn dtype(dtype: DType) -> &'static str {
    match dtype {
        DType::U8 => "uint8",
        DType::U32 => "uint32",
        DType::I16 => "int16",
        DType::I32 => "int32",
        DType::I64 => "int64",
        DType::BF16 => "bfloat16",
        DType::F16 => "float16",
        DType::F32 => "float32",
        DType::F64 => "float64",
        other => other.as_str(),
    }
}

/// The tensors by the names under which they are saved.
pub(super) fn by_name(all: &[Given]) -> Outcome<HashMap<String, Tensor>> {
    let entry = |given: &Given| Ok((given.name.clone(), given.tensor.contiguous().map_err(Failure::run)?));
    all.iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_have_four_digits() {
        let shown = [0., 1., -0.5, 0.012345, 1234.56, 99_999.6, 0.000_123_4, 3e9, 100.].map(number);
        assert_eq!(shown, ["0", "1", "-0.5", "0.01235", "1235", "100000", "1.23e-4", "3.00e9", "100"]);
    }
}
