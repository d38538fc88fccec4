//! `taper run`: a model with some inputs, its outputs and any tensor inside it.

mod array;
mod bar;
mod changes;
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
use changes::{Change, Changed, changes};
use results::{Given, Summary};

/// A run as machines read it.
#[derive(Serialize)]
struct Report<'r> {
    path: String,
    signature: &'r str,
    saved: Option<String>,
    changes: Vec<Changed<'r>>,
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
    let paths = Paths::of(&model, arguments.full_names);
    if !arguments.only_taps {
        check_outputs(&model)?;
        check_names(&model, &paths, &taps, arguments.full_names)?;
    }
    let changes = changes(&model, arguments)?;
    let inputs = inputs::inputs(&model, &arguments.inputs)?;
    let given = compute(&model, arguments, &inputs, &changes, &paths)?;
    let changes = changes.iter().map(|change| change.changed(&model, &paths)).collect::<Outcome<Vec<_>>>()?;
    if let Some(path) = &arguments.save {
        tensors::save(path, &results::by_name(&given)?)?;
    }
    let summaries = given.iter().map(Given::summary).collect::<Outcome<Vec<_>>>()?;
    let saved = arguments.save.as_ref().map(|path| path.display().to_string());
    if arguments.json {
        let path = arguments.model.display().to_string();
        serde_json::to_writer_pretty(
            &mut *out,
            &Report { path, signature: model.signature(), saved, changes, tensors: summaries },
        )?;
        writeln!(out)?;
        return Ok(());
    }
    if !changes.is_empty() {
        writeln!(out, "changed")?;
        changes.iter().try_for_each(|changed| changed.show(out))?;
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

/// The tensors that names mean, name by name.
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
                Some((tensor, why)) => blocked(tensor, format!("`{}` can't be computed: {why}", tensor.name())),
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
        taps.extend(usable);
    }
    Ok(taps)
}

/// That the outputs can be computed.
fn check_outputs(model: &SavedModel) -> Outcome<()> {
    let missing = model.output_tensors().find_map(|(name, tensor)| Some((name, tensor?, tensor?.unsupported()?)));
    match missing {
        None => Ok(()),
        Some((name, tensor, why)) => Err(blocked(
            tensor,
            format!(
                "the output `{name}` can't be computed: {why}; `--only-taps` computes tapped tensors without the outputs"
            ),
        )),
    }
}

/// That a tensor can't be computed: because of a damaged file, or of an operation.
fn blocked(tensor: &TensorInfo, why: String) -> Failure {
    match tensor.is_unreadable() {
        true => Failure::file(why),
        false => Failure::unsupported(why),
    }
}

/// That no tensor has the name of an output that is another.
fn check_names(model: &SavedModel, paths: &Paths<'_>, taps: &[&TensorInfo], full: bool) -> Outcome<()> {
    let outputs: HashMap<&str, Option<&TensorInfo>> = model.output_tensors().collect();
    let clash = taps.iter().find(|tensor| match outputs.get(paths.path(tensor)) {
        Some(Some(output)) => !std::ptr::eq(*output, **tensor),
        Some(None) => true,
        None => false,
    });
    match clash {
        None => Ok(()),
        Some(tensor) => Err(Failure::name(format!(
            "`{}` is the name of an output and that of another tensor, and both can't be saved under it; use {}",
            paths.path(tensor),
            if full { "`--only-taps`" } else { "`--full-names` or `--only-taps`" }
        ))),
    }
}

fn compute(
    model: &SavedModel,
    arguments: &Run,
    inputs: &[(String, Tensor)],
    changes: &[Change<'_>],
    paths: &Paths<'_>,
) -> Outcome<Vec<Given>> {
    let fed = || inputs.iter().map(|(name, tensor)| (name.as_str(), tensor));
    model.inputs(fed()).map_err(Failure::usage)?;
    let bar = Bar::new();
    let run = changes.iter().try_fold(model.run(), |run, change| change.made(run))?.on_progress(bar.report());
    let wanted: Vec<&str> = arguments.taps.iter().map(String::as_str).collect();
    let run = run.allow_absent();
    let ran = match arguments.only_taps {
        true => run.capture(fed(), &wanted).map(|captured| (None, captured)),
        false => run.forward_and_capture(fed(), &wanted).map(|(outputs, captured)| (Some(outputs), captured)),
    };
    bar.clear();
    let (outputs, captured) = ran.map_err(|error| failed(&error, changes, model, &arguments.inputs))?;
    // A branch that was not taken is worth a note; a step that was asked for by its number, and that no loop made, an error.
    if let Some(why) = captured.absent_steps().next() {
        return Err(Failure::run(why));
    }
    for why in captured.absent() {
        // The run has the others.
        let _ = writeln!(std::io::stderr(), "note: {why}");
    }
    let outputs = outputs.iter().flat_map(|outputs| outputs.iter());
    let mut given: Vec<Given> =
        outputs.map(|(name, tensor)| Given { name: name.to_owned(), output: true, tensor: tensor.clone() }).collect();
    // Two patterns may mean one tensor, and it may be an output.
    let mut seen: HashSet<String> = given.iter().map(|given| given.name.clone()).collect();
    for (name, tensor) in captured.iter() {
        let name = paths.of_whole(name);
        if seen.insert(name.clone()) {
            given.push(Given { name, output: false, tensor: tensor.clone() });
        }
    }
    Ok(given)
}

/// Why a run failed.
fn failed(error: &candle_core::Error, changes: &[Change<'_>], model: &SavedModel, inputs: &[String]) -> Failure {
    let why = error.to_string();
    // It is the first line that says what is wrong, and with which input.
    let (first, rest) = why.split_once('\n').unwrap_or((&why, ""));
    let blamed = first.split_once("the places come of the input").map_or("", |(_, inputs)| inputs);
    let why = match inputs::made_up(model, inputs).find(|name| blamed.contains(&format!("`{name}`"))) {
        Some(name) => format!(
            "{first}; its values were made up: `--input {name}=random:SEED:FROM..TO` takes them from FROM up to TO, which is \
             left out\n{rest}"
        ),
        None => why,
    };
    let why = why.trim_end();
    // What the library says to do is nothing that an option does.
    match (changes.iter().find_map(Change::misfit), why.split_once("; say `.if_reached()`")) {
        (Some(misfit), _) => misfit,
        (None, Some((what, _))) => Failure::run(format!("{what}: {}", changes::NOT_REACHED)),
        (None, None) => Failure::run(why),
    }
}
