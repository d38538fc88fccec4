//! `taper taps`: the tensors of a model.

use std::collections::HashMap;
use std::io::Write;

use serde::Serialize;
use taper_saved::TensorInfo;

use crate::arguments::Taps;
use crate::failure::{Failure, Outcome};
use crate::paths::{Paths, open};
use crate::show::{Side, counted, sizes, table};

/// The operation of a weight's handle.
const HANDLE: &str = "VarHandleOp";

/// A tensor as machines read it.
#[derive(Serialize)]
struct Tap<'t> {
    index: usize,
    path: &'t str,
    name: &'t str,
    op: &'t str,
    dtype: &'static str,
    shape: Option<Vec<Option<usize>>>,
    capturable: bool,
    unsupported: Option<&'t str>,
}

pub(crate) fn taps(arguments: &Taps, out: &mut impl Write) -> Outcome<()> {
    let model = open(&arguments.model, arguments.signature.as_deref())?;
    let paths = Paths::of(&model, arguments.full_names);
    let all = model.tensors();
    // What a name means is in the order of all.
    let wanted: Option<Vec<&TensorInfo>> =
        arguments.pattern.as_ref().map(|name| model.find_any(name).map_err(Failure::name)).transpose()?;
    let wanted: Vec<(usize, &TensorInfo)> = match wanted {
        Some(wanted) => {
            let places: HashMap<&str, usize> =
                all.iter().enumerate().map(|(place, tensor)| (tensor.name(), place)).collect();
            wanted.into_iter().filter_map(|tensor| Some((*places.get(tensor.name())?, tensor))).collect()
        }
        None => all.iter().enumerate().filter(|(_, tensor)| tensor.op() != HANDLE).collect(),
    };
    if arguments.json {
        let taps = wanted.iter().map(|(index, tensor)| Tap {
            index: *index,
            path: paths.path(tensor),
            name: tensor.name(),
            op: tensor.op(),
            dtype: tensor.ty().name(),
            shape: tensor.shape(),
            capturable: tensor.is_capturable(),
            unsupported: tensor.unsupported(),
        });
        for (place, tap) in taps.enumerate() {
            write!(out, "{}", if place == 0 { "[\n " } else { ",\n " })?;
            serde_json::to_writer(&mut *out, &tap)?;
        }
        writeln!(out, "{}", if wanted.is_empty() { "[]" } else { "\n]" })?;
        return Ok(());
    }
    let row = |(index, tensor): &(usize, &TensorInfo)| {
        [
            if tensor.unsupported().is_some() { "!".to_owned() } else { String::new() },
            format!("#{index}"),
            tensor.ty().to_string(),
            sizes(tensor.shape().as_deref()),
            tensor.op().to_owned(),
            paths.path(tensor).to_owned(),
        ]
    };
    let rows: Vec<_> = wanted.iter().map(row).collect();
    table(out, 0, [Side::Left, Side::Right, Side::Left, Side::Left, Side::Left, Side::Left], &rows)?;
    out.flush()?;
    notes(&wanted, all.len(), arguments.pattern.is_some());
    Ok(())
}

/// What the list does not say by itself, on the standard error: the standard output has a tensor a line.
fn notes(wanted: &[(usize, &TensorInfo)], all: usize, chosen: bool) {
    let say = |text: String| {
        // The list is there without it.
        let _ = writeln!(std::io::stderr(), "{text}");
    };
    let hidden = (all - wanted.len()) as u64;
    let left = match hidden {
        0 => String::new(),
        _ if chosen => format!(" of {all}"),
        _ => format!("; {} are not listed, `taper inspect --tensors` shows them", counted(hidden, "weight")),
    };
    say(format!("{}{left}", counted(wanted.len() as u64, "tensor")));
    let mut reasons: Vec<(&str, usize)> = Vec::new();
    for reason in wanted.iter().filter_map(|(_, tensor)| tensor.unsupported()) {
        match reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, count)) => *count += 1,
            None => reasons.push((reason, 1)),
        }
    }
    for (reason, count) in reasons {
        say(format!("! {count} can't be computed: {reason}"));
    }
}
