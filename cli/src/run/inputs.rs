//! What a model is given.

use std::path::Path;

use candle_core::{DType, Tensor};
use taper_saved::{SavedModel, TensorInfo};

use super::array::{Array, Element};
use super::npy::{self, Npz};
use super::random::random;
use super::source::{Source, split};
use super::tensors::File;
use crate::failure::{Failure, Outcome};
use crate::names::unknown;
use crate::show::typed;

type Input<'m> = (&'m str, &'m TensorInfo);

/// What an array is for: an input, or a tensor that it replaces.
pub(super) struct Slot<'m> {
    /// As errors call it, "the input `x`".
    pub(super) what: String,
    /// As the option calls it, and then what else it may be called among the arrays of a file.
    pub(super) names: Vec<String>,
    pub(super) tensor: &'m TensorInfo,
    /// Tells it from others that are made up of the same seed.
    pub(super) place: u64,
}

impl Slot<'_> {
    /// What a source gives.
    pub(super) fn read(&self, source: &Source) -> Outcome<Tensor> {
        let array = match source {
            Source::Random(how) => return random(how, self),
            Source::Npy(path) => npy::npy(path)?,
            Source::Npz(path, member) => {
                let mut file = Npz::open(path)?;
                let member = self.chosen(&file.names(), member.as_deref(), path)?;
                file.array(&member)?
            }
            Source::Safetensors(path, key) => {
                let file = File::open(path)?;
                let key = self.chosen(&file.names()?, key.as_deref(), path)?;
                file.array(&key)?
            }
        };
        self.fitting(array)
    }

    /// Which of a file's arrays is meant: the one that is named, one of a name of its own, or the only one.
    fn chosen(&self, names: &[String], wanted: Option<&str>, path: &Path) -> Outcome<String> {
        let path = path.display();
        if let Some(wanted) = wanted {
            return match names.iter().find(|name| *name == wanted) {
                Some(name) => Ok(name.clone()),
                None => {
                    let why = unknown("array", wanted, names.iter().map(String::as_str));
                    Err(Failure::name(format!("`{path}`: {why}")))
                }
            };
        }
        let own = &self.names[0];
        match (self.names.iter().find(|own| names.contains(own)), names) {
            (Some(name), _) | (None, [name]) => Ok(name.clone()),
            (None, []) => Err(Failure::file(format!("`{path}` has no arrays"))),
            (None, names) => {
                let first = &names[0];
                let why = unknown("array", own, names.iter().map(String::as_str));
                Err(Failure::name(format!("`{path}`: {why}; say which is meant, `{own}={path}:{first}`")))
            }
        }
    }

    /// An array as the model takes it: of the tensor's own type, or an integer whose values fit.
    fn fitting(&self, array: Array) -> Outcome<Tensor> {
        let (what, ty) = (&self.what, self.tensor.ty());
        let Some(dtype) = ty.dtype() else {
            return Err(Failure::unsupported(format!("{what} is of the type {ty}, which no tensor of candle holds")));
        };
        let Array { element, tensor } = array;
        if element.name() == ty.name() {
            return Ok(tensor);
        }
        let range = match ty.name() {
            "bool" => Some((0, 1)),
            other => ALL.iter().find(|element| element.name() == other).and_then(|element| element.range()),
        };
        let Some((least, most)) = range.filter(|_| element.range().is_some()) else {
            return Err(Failure::usage(format!(
                "{what} is {}, and the model takes {ty}: save it as that, in NumPy by `x.astype(\"{ty}\")`",
                element.name()
            )));
        };
        let convert = || -> candle_core::Result<Result<Tensor, i64>> {
            let wide = tensor.to_dtype(DType::I64)?;
            let beyond = |value: &&i64| !(least..=most).contains(&i128::from(**value));
            match wide.flatten_all()?.to_vec1::<i64>()?.iter().find(beyond) {
                Some(value) => Ok(Err(*value)),
                None => wide.to_dtype(dtype).map(Ok),
            }
        };
        match convert().map_err(Failure::run)? {
            Ok(tensor) => Ok(tensor),
            Err(value) => Err(Failure::usage(format!(
                "{what} is {} and has the value {value}, and the model takes {ty}, {least} to {most}",
                element.name()
            ))),
        }
    }
}

/// The inputs of a model by their names, as the command line says them.
pub(super) fn inputs(model: &SavedModel, given: &[String]) -> Outcome<Vec<(String, Tensor)>> {
    let wanted: Vec<Input<'_>> = model.input_tensors().collect();
    let mut found: Vec<(String, Tensor)> = Vec::new();
    for text in given {
        let some = match named(&wanted, text)? {
            (Some(place), source) => vec![one(&wanted, place, &Source::parse(source)?)?],
            (None, source) => all(&wanted, &Source::parse(source)?)?,
        };
        for (name, tensor) in some {
            if found.iter().any(|(other, _)| *other == name) {
                return Err(Failure::usage(format!("the input `{name}` is given twice")));
            }
            found.push((name, tensor));
        }
    }
    let missing: Vec<&Input<'_>> =
        wanted.iter().filter(|(name, _)| !found.iter().any(|(other, _)| other == name)).collect();
    let Some((first, _)) = missing.first() else { return Ok(found) };
    let listed: Vec<_> = missing.iter().map(|input| described(input)).collect();
    Err(Failure::usage(format!(
        "the model takes {}{}; give it by `--input NAME=SOURCE`, such as `--input {first}=random:0`",
        listed.join(", "),
        if found.is_empty() { "" } else { ", too" },
    )))
}

/// The inputs whose values are random numbers.
pub(super) fn made_up<'m>(model: &'m SavedModel, given: &[String]) -> impl Iterator<Item = &'m str> {
    let is_random = |text: &str| matches!(Source::parse(text), Ok(Source::Random(_)));
    let all = given.iter().any(|text| is_random(text));
    model.input_tensors().map(|(name, _)| name).filter(move |name| {
        let own = given.iter().find_map(|text| text.strip_prefix(name)?.strip_prefix('='));
        own.map_or(all, is_random)
    })
}

fn described((name, input): &Input<'_>) -> String {
    format!("`{name}` ({})", typed(input.ty(), input.shape().as_deref()))
}

/// Which input a text names, if it names one, and the source in it.
fn named<'t>(wanted: &[Input<'_>], text: &'t str) -> Outcome<(Option<usize>, &'t str)> {
    let Some((name, source)) = text.split_once('=') else { return Ok((None, text)) };
    if let Some(place) = wanted.iter().position(|(own, _)| *own == name) {
        return Ok((Some(place), source));
    }
    // A path may have an equals sign in it.
    if split(text).0.exists() {
        return Ok((None, text));
    }
    Err(Failure::name(unknown("input", name, wanted.iter().map(|(name, _)| *name))))
}

/// One input.
fn one(wanted: &[Input<'_>], place: usize, source: &Source) -> Outcome<(String, Tensor)> {
    let (name, tensor) = wanted[place];
    let slot = Slot { what: format!("the input `{name}`"), names: vec![name.to_owned()], tensor, place: place as u64 };
    Ok((name.to_owned(), slot.read(source)?))
}

/// What a source without a name gives: the one input, or every input.
fn all(wanted: &[Input<'_>], source: &Source) -> Outcome<Vec<(String, Tensor)>> {
    if wanted.len() == 1 {
        return Ok(vec![one(wanted, 0, source)?]);
    }
    let listed: Vec<_> = wanted.iter().map(described).collect();
    match source {
        _ if wanted.is_empty() => Err(Failure::usage("the signature takes no inputs; leave out `--input`")),
        Source::Npz(path, None) => every(wanted, path, &Npz::open(path)?.names(), source),
        Source::Safetensors(path, None) => every(wanted, path, &File::open(path)?.names()?, source),
        Source::Random(_) => (0..wanted.len()).map(|place| one(wanted, place, source)).collect(),
        _ => Err(Failure::usage(format!(
            "the model has {} inputs, {}; say which this is, `--input NAME=SOURCE`",
            wanted.len(),
            listed.join(", ")
        ))),
    }
}

/// Every input out of a file that has arrays of their names.
fn every(wanted: &[Input<'_>], path: &Path, names: &[String], source: &Source) -> Outcome<Vec<(String, Tensor)>> {
    if let Some((missing, _)) = wanted.iter().find(|(input, _)| !names.iter().any(|name| name == input)) {
        let why = unknown("array", missing, names.iter().map(String::as_str));
        let path = path.display();
        return Err(Failure::name(format!(
            "`{path}`: {why}; say which is meant for each input, `--input {missing}={path}:ARRAY`"
        )));
    }
    (0..wanted.len()).map(|place| one(wanted, place, source)).collect()
}

const ALL: [Element; 8] =
    [Element::U8, Element::I8, Element::U16, Element::I16, Element::U32, Element::I32, Element::U64, Element::I64];
