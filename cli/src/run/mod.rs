//! `taper run`: a model with some inputs, its outputs and any tensor inside it.

mod array;
mod bar;
mod inputs;
mod npy;
mod random;
mod results;
mod source;
mod tensors;
mod threads;

use std::collections::{HashMap, HashSet};
use std::io::Write;

use candle_core::Tensor;
use serde::Serialize;
use taper_saved::{SavedModel, TensorInfo};

use crate::arguments::Run;
use crate::failure::{Failure, Outcome};
use crate::paths::{Paths, open};
use crate::show::counted;
use bar::Bar;
use results::{Given, Summary};

/// A run as machines read it.
#[derive(Serialize)]
struct Report<'r> {
    path: String,
    signature: &'r str,
    saved: Option<String>,
    tensors: Vec<Summary<'r>>,
}

pub(crate) fn run(arguments: &Run, out: &mut impl Write) -> Outcome<()> {
    if let Some(threads) = arguments.threads {
        threads::use_only(threads)?;
    }
    if let Some(path) = &arguments.save {
        tensors::check_place(path)?;
    }
    let model = open(&arguments.model, arguments.signature.as_deref())?;
    let taps = tapped(&model, &arguments.taps)?;
    let names = names(&model, arguments, &taps)?;
    if !arguments.only_taps {
        check_outputs(&model)?;
    }
    let inputs = inputs::inputs(&model, &arguments.inputs)?;
    let given = compute(&model, arguments, &inputs, &taps, names)?;
    if let Some(path) = &arguments.save {
        tensors::save(path, &results::by_name(&given)?)?;
    }
    let summaries = given.iter().map(Given::summary).collect::<Outcome<Vec<_>>>()?;
    let saved = arguments.save.as_ref().map(|path| path.display().to_string());
    if arguments.json {
        let path = arguments.model.display().to_string();
        serde_json::to_writer_pretty(
            &mut *out,
            &Report { path, signature: model.signature(), saved, tensors: summaries },
        )?;
        writeln!(out)?;
        return Ok(());
    }
    for (title, output) in [("outputs", true), ("taps", false)] {
        let mut some = given.iter().zip(&summaries).filter(|(given, _)| given.output == output).peekable();
        if some.peek().is_some() {
            writeln!(out, "{title}")?;
        }
        some.try_for_each(|(_, summary)| summary.show(out))?;
    }
    if let Some(path) = saved {
        writeln!(out, "saved {} to {path}", counted(given.len() as u64, "tensor"))?;
    }
    Ok(())
}

/// The tensors that names mean, each once.
fn tapped<'m>(model: &'m SavedModel, names: &[String]) -> Outcome<Vec<&'m TensorInfo>> {
    let mut taps: Vec<&TensorInfo> = Vec::new();
    for name in names {
        let found = model.find_any(name).map_err(Failure::name)?;
        let usable: Vec<_> = found.iter().copied().filter(|tensor| tensor.is_capturable()).collect();
        let pattern = name.contains(['*', '?']);
        let left = found.iter().filter(|tensor| tensor.unsupported().is_some()).count();
        if usable.is_empty() || !pattern && usable.len() < found.len() {
            // It says which node is to blame.
            let why = found.iter().find_map(|tensor| Some((tensor, tensor.unsupported()?)));
            return Err(match why {
                Some((tensor, why)) => Failure::unsupported(format!("`{}` can't be computed: {why}", tensor.name())),
                None => Failure::name(format!(
                    "`{name}` ({}) is a weight, or holds no numbers: what reads it is a tensor",
                    found.first().map_or("nothing", |tensor| tensor.op())
                )),
            });
        }
        if left > 0 {
            // The run goes on without them.
            let _ = writeln!(
                std::io::stderr(),
                "note: of what `{name}` matches, {} can't be computed and {} left out; `taper taps` says why",
                counted(left as u64, "tensor"),
                if left == 1 { "is" } else { "are" }
            );
        }
        for tensor in usable {
            if !taps.iter().any(|other| std::ptr::eq(*other, tensor)) {
                taps.push(tensor);
            }
        }
    }
    Ok(taps)
}

/// That the outputs can be computed.
fn check_outputs(model: &SavedModel) -> Outcome<()> {
    let blocked = model.output_tensors().find_map(|(name, tensor)| Some((name, tensor?.unsupported()?)));
    match blocked {
        None => Ok(()),
        Some((name, why)) => Err(Failure::unsupported(format!(
            "the output `{name}` can't be computed: {why}; `--only-taps` computes tapped tensors without the outputs"
        ))),
    }
}

/// The names under which tensors are shown and saved: outputs first.
fn names(model: &SavedModel, arguments: &Run, taps: &[&TensorInfo]) -> Outcome<Vec<String>> {
    let paths = Paths::of(model, arguments.full_names);
    let outputs: HashMap<&str, Option<&TensorInfo>> = match arguments.only_taps {
        true => HashMap::new(),
        false => model.output_tensors().collect(),
    };
    let path = |tensor: &&TensorInfo| {
        let path = paths.path(tensor);
        match outputs.get(path) {
            // The same value under the same name, once more.
            Some(Some(output)) if std::ptr::eq(*output, *tensor) => Ok(path.to_owned()),
            Some(_) => Err(Failure::name(format!(
                "`{path}` is the name of an output and that of another tensor, and both can't be saved under it; run it \
                 with `--only-taps`, or without that tensor"
            ))),
            None => Ok(path.to_owned()),
        }
    };
    taps.iter().map(path).collect()
}

fn compute(
    model: &SavedModel,
    arguments: &Run,
    inputs: &[(String, Tensor)],
    taps: &[&TensorInfo],
    names: Vec<String>,
) -> Outcome<Vec<Given>> {
    let fed = || inputs.iter().map(|(name, tensor)| (name.as_str(), tensor));
    model.inputs(fed()).map_err(Failure::usage)?;
    let bar = Bar::new();
    let run = model.run().on_progress(bar.report()).allow_absent();
    let wanted: Vec<&str> = arguments.taps.iter().map(String::as_str).collect();
    let ran = match arguments.only_taps {
        true => run.capture(fed(), &wanted).map(|captured| (None, captured)),
        false => run.forward_and_capture(fed(), &wanted).map(|(outputs, captured)| (Some(outputs), captured)),
    };
    bar.clear();
    let (outputs, captured) = ran.map_err(Failure::run)?;
    for why in captured.absent() {
        // The run has the others.
        let _ = writeln!(std::io::stderr(), "note: {why}");
    }
    let outputs = outputs.iter().flat_map(|outputs| outputs.iter());
    let outputs: Vec<Given> =
        outputs.map(|(name, tensor)| Given { name: name.to_owned(), output: true, tensor: tensor.clone() }).collect();
    let paths: HashMap<&str, (&TensorInfo, String)> =
        taps.iter().zip(names).map(|(tensor, path)| (tensor.name(), (*tensor, path))).collect();
    // Each once, whatever names mean it; a tensor in a loop step by step.
    let mut seen = HashSet::new();
    let taps = captured.iter_visits().filter_map(|(name, visits, value)| {
        let (tensor, path) = paths.get(name)?;
        let name = match (visits, path.as_str()) {
            ([], path) => path.to_owned(),
            (_, path) if path == tensor.name() => tensor.name_at(visits),
            _ => tensor.short_name_at(visits),
        };
        seen.insert(name.clone()).then(|| Given { name, output: false, tensor: value.clone() })
    });
    let new: Vec<_> = taps.filter(|tap| !outputs.iter().any(|output| output.name == tap.name)).collect();
    Ok(outputs.into_iter().chain(new).collect())
}
