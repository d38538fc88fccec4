//! Taps as safetensors files, keyed by name.

use std::any::Any;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;

use super::Visitor;
use crate::names::{Container, ContainerKind, Names};
use crate::pass::{Reader, Slots};
use crate::site::{Builder, Tree};
use crate::tapped::Tapped;
use crate::{Error, Result, bundle};

/// The metadata key of the model's type.
const MODEL: &str = "taper.model";
/// The metadata key of the list of taps, in order of declaration, as a JSON array.
const TAPS: &str = "taper.taps";

fn in_file(path: &Path, error: impl std::fmt::Display) -> Error {
    Error::Msg(format!("taps file `{}`: {error}", path.display()))
}

/// `save` of a generated `…Taps`. Values that are not made of tensors are left out.
pub fn save<S: Tree>(taps: &S::Value, model: &str, path: &Path) -> Result<()> {
    let mut tensors = Vec::new();
    let mut names = Vec::new();
    let mut found = |name: &str, value: &dyn Any, _: &'static str| {
        names.push(format!("\"{name}\""));
        tensors.extend(bundle::tensors(name, value).into_iter().flatten());
    };
    S::visit(taps, &mut Visitor::new(&mut found));
    let tensors: BTreeMap<String, Tensor> = tensors
        .into_iter()
        .map(|(name, tensor)| Ok((name, tensor.detach().to_device(&Device::Cpu)?.contiguous()?)))
        .collect::<Result<_>>()?;
    let metadata =
        HashMap::from([(MODEL.to_owned(), model.to_owned()), (TAPS.to_owned(), format!("[{}]", names.join(",")))]);
    safetensors::serialize_to_file(tensors, Some(metadata), path).map_err(|e| in_file(path, e))
}

/// `load` of a generated `…Taps`: the model tells how many elements and which optional parts there are.
pub fn load<M: Tapped>(model: &M, path: &Path) -> Result<M::Taps> {
    let mut builder = Builder::for_names();
    let sites = model.__taper_sites(&mut builder);
    let (layout, names) = builder.finish();
    let saved = SavedTaps::load(path)?;
    let mut slots = Slots::new(0, layout.len as usize);
    let mut within = Vec::new();
    let mut filler = Filler { names: &names, saved: &saved, filled: HashSet::new() };
    filler.fill(&mut slots, &mut within);
    saved.check_all_used(&filler.filled)?;
    sites.read_taps(&Reader::new(&slots, model_ref(&model))).map_err(|e| in_file(path, e))
}

fn model_ref<'a, M: Tapped>(model: &'a &'a M) -> &'a dyn crate::names::Describe {
    model
}

/// The tensors of a file of taps, by name: what there is to read without the model.
///
/// ```no_run
/// let saved = taper::SavedTaps::load("taps.safetensors")?;
/// println!("{}: {} taps", saved.model(), saved.names().len());
/// let pattern = saved.get("blocks.3.attn.pattern")?;
/// # Ok::<(), taper::candle_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct SavedTaps {
    path: PathBuf,
    model: String,
    names: Vec<String>,
    tensors: HashMap<String, Tensor>,
}

impl SavedTaps {
    /// Reads a file that the `save` of some taps wrote.
    ///
    /// # Errors
    /// A file that can't be read, is not safetensors, or has not been written by `save`.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|e| in_file(path, e))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| in_file(path, e))?;
        let metadata = header.metadata().as_ref();
        let key = |key: &str| {
            let value = metadata.and_then(|m| m.get(key)).cloned();
            value.ok_or_else(|| in_file(path, format!("no `{key}` in its metadata: it was not written by `taps.save`")))
        };
        let (model, names) = (key(MODEL)?, key(TAPS)?);
        let names = names.trim_matches(['[', ']']).split(',').map(|n| n.trim_matches('"').to_owned());
        Ok(SavedTaps {
            path: path.to_owned(),
            model,
            names: names.filter(|n| !n.is_empty()).collect(),
            tensors: candle_core::safetensors::load_buffer(&bytes, &Device::Cpu).map_err(|e| in_file(path, e))?,
        })
    }

    /// The type of the model.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// The names of the taps, in order of declaration, visits numbered.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// The tensor of a name.
    ///
    /// # Errors
    /// No such name, or a value that is not a tensor.
    pub fn get(&self, name: &str) -> Result<&Tensor> {
        self.tensors.get(name).ok_or_else(|| in_file(&self.path, format!("no tensor `{name}`")))
    }

    /// Whether there are taps of this name or inside it.
    fn has_under(&self, name: &str) -> bool {
        let inside =
            |tap: &str| tap.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '/']));
        self.names.iter().any(|tap| inside(tap))
    }

    /// Every tap that was saved is one of the model's.
    fn check_all_used(&self, used: &HashSet<String>) -> Result<()> {
        match self.names.iter().find(|name| !used.contains(*name)) {
            Some(name) => {
                Err(in_file(&self.path, format!("`{name}` is no tap of this model; the file is of a `{}`", self.model)))
            }
            None => Ok(()),
        }
    }
}

/// Puts a file's tensors where a run would have put them.
struct Filler<'a> {
    names: &'a Names,
    saved: &'a SavedTaps,
    /// What the file calls the taps that the model has.
    filled: HashSet<String>,
}

/// A visit around the values: its container, the container's name, and what the file calls the visit.
type Visit = (Container, String, String);

impl Filler<'_> {
    fn fill(&mut self, slots: &mut Slots, within: &mut Vec<Visit>) {
        let depth = within.len();
        let mut frames = Vec::new();
        let names = self.names;
        for entry in &names.entries {
            let same = entry.within.iter().zip(within.iter()).all(|(a, (b, ..))| a.node == b.node);
            if !same || entry.within.len() < depth {
                continue;
            }
            match entry.within.get(depth) {
                Some(frame) if !frames.contains(&frame.node) => {
                    frames.push(frame.node);
                    self.fill_frame(*frame, slots, within);
                }
                Some(_) => {}
                None => {
                    let name = saved_name(&entry.name, within);
                    let get = |name: &str| self.saved.tensors.get(name).cloned();
                    if let Some(value) = bundle::gather(entry.type_id, &name, &get) {
                        slots.put(entry.index, value);
                    }
                    self.filled.insert(name);
                }
            }
        }
    }

    fn fill_frame(&mut self, frame: Container, slots: &mut Slots, within: &mut Vec<Visit>) {
        let name = self.names.of(frame.node);
        let end = self
            .names
            .entries
            .iter()
            .filter(|e| e.within.iter().any(|c| c.node == frame.node))
            .map(|e| e.index + 1)
            .max();
        let saved = saved_name(&name, within);
        for visit in 0.. {
            let visit_name = match frame.kind {
                ContainerKind::Maybe => saved.clone(),
                ContainerKind::Visits => format!("{saved}.{visit}"),
            };
            if !self.saved.has_under(&visit_name) {
                break;
            }
            let mut inner = Slots::new(frame.node + 1, (end.unwrap_or(frame.node + 1) - frame.node - 1) as usize);
            within.push((frame, name.clone(), visit_name));
            self.fill(&mut inner, within);
            within.pop();
            slots.push_frame(frame.node, inner);
            if frame.kind == ContainerKind::Maybe {
                break;
            }
        }
    }
}

/// What the file calls a tap: visits are numbered there.
fn saved_name(name: &str, within: &[Visit]) -> String {
    match within.last() {
        Some((_, container, saved)) => format!("{saved}{}", &name[container.len()..]),
        None => name.to_owned(),
    }
}
