//! Weights: which tensor of the checkpoint is which variable of the graph.
//!
//! A function's captures are objects by number. The tree of the objects in the saved model and that in the checkpoint
//! have the same names, and the latter has the keys of the tensors.

use std::collections::HashMap;
use std::sync::Arc;

use super::owners::Owners;
use super::restore::Source;
use super::{Engine, Port, Variable};
use crate::checkpoint::Checkpoint;
use crate::dtype::Type;
use crate::limits::NEAR_KEYS;
use crate::proto::{ObjectGraph, ObjectKind, checkpoint_objects};
use crate::slices::Slice;
use crate::{Error, Result};

/// Reads weights, each once.
pub(super) struct Variables<'a, E: Engine> {
    pub(super) engine: &'a E,
    checkpoint: Option<Checkpoint>,
    /// The key of every object that is a variable.
    keys: HashMap<i64, Arc<str>>,
    objects: Option<&'a ObjectGraph<'a>>,
    /// Who holds them, if that is written down.
    owners: Option<Owners<'a>>,
    places: HashMap<String, usize>,
    /// How much may yet be compared to find keys like those that are missing.
    comparing: usize,
    pub(super) read: Vec<Variable<E::Tensor>>,
}

impl<'a, E: Engine> Variables<'a, E> {
    pub(super) fn new(
        engine: &'a E,
        checkpoint: Option<Checkpoint>,
        objects: Option<&'a ObjectGraph<'a>>,
    ) -> Result<Self> {
        let keys = match (&checkpoint, objects) {
            (Some(checkpoint), Some(objects)) => keys(checkpoint, objects)?,
            _ => HashMap::new(),
        };
        let (places, read) = Default::default();
        let owners = objects.filter(|_| engine.records()).map(Owners::of);
        Ok(Variables { engine, checkpoint, keys, objects, owners, places, comparing: NEAR_KEYS, read })
    }

    /// What an object is called that is a variable.
    pub(super) fn name(&self, id: i64) -> Option<&'a str> {
        match self.objects?.objects.get(usize::try_from(id).ok()?)?.kind {
            ObjectKind::Variable { name } => Some(name),
            _ => None,
        }
    }

    /// The variable that is an object.
    pub(super) fn object(&mut self, id: i64, port: Port) -> Result<usize> {
        let object = self.objects.and_then(|graph| graph.objects.get(usize::try_from(id).ok()?));
        let Some(ObjectKind::Variable { name }) = object.map(|object| &object.kind) else {
            return Err(Error::Msg(format!("object {id} is no variable")));
        };
        let place = self.of_object(id, name, port)?;
        let owner = self.owners.as_ref().and_then(|owners| owners.path(id));
        let known = &mut self.read[place].owner;
        *known = known.take().or(owner);
        Ok(place)
    }

    fn of_object(&mut self, id: i64, name: &str, port: Port) -> Result<usize> {
        if !E::WEIGHTS {
            return self.unread(format!("object {id}"), name, port);
        }
        self.checkpoint(name)?;
        let Some(key) = self.keys.get(&id).cloned() else {
            return Err(Error::File(format!("the checkpoint has no value of the variable `{name}` (object {id})")));
        };
        self.keyed(&key, name)
    }

    /// The variable of a file without objects: by what the graph restores it from, or else by its name.
    pub(super) fn named(&mut self, name: &str, source: Option<&Source<'_>>, port: Port) -> Result<usize> {
        if !E::WEIGHTS {
            let key = match source {
                Some(Source { key, part: None }) => (*key).to_owned(),
                Some(Source { key, part: Some(part) }) => format!("{key} {part:?}"),
                None => name.to_owned(),
            };
            return self.unread(key, name, port);
        }
        match source {
            Some(Source { key, part: None }) => self.keyed(key, name),
            Some(Source { key, part: Some(part) }) => self.part(key, part, name),
            None => self.keyed(name, name),
        }
    }

    /// A variable whose value is not read.
    fn unread(&mut self, key: String, name: &str, port: Port) -> Result<usize> {
        if let Some(place) = self.places.get(&key) {
            return Ok(*place);
        }
        let (place, value) = (self.read.len(), self.engine.weight(None)?);
        self.places.insert(key, place);
        let shape = port.shape.known().unwrap_or_default();
        self.read.push(Variable { name: name.to_owned(), ty: port.ty, shape, owner: None, value });
        Ok(place)
    }

    /// A variable that is a part of what is saved under a key.
    fn part(&mut self, key: &str, part: &Slice, name: &str) -> Result<usize> {
        let own = format!("{key} {part:?}");
        if let Some(place) = self.places.get(&own) {
            return Ok(*place);
        }
        let checkpoint = self.checkpoint(name)?;
        let wrong = |error: Error| error.reworded(|text| format!("the part {part:?} of the tensor `{key}`: {text}"));
        let entry = checkpoint.part(key, part).map_err(wrong)?;
        let shape = entry.shape.known().map_err(wrong)?;
        let value = self.engine.part(checkpoint, key, part).map_err(wrong)?;
        let place = self.read.len();
        self.places.insert(own, place);
        self.read.push(Variable { name: name.to_owned(), ty: Type::of(entry.dtype), shape, owner: None, value });
        Ok(place)
    }

    fn checkpoint(&self, name: &str) -> Result<&Checkpoint> {
        let missing = || Error::File(format!("`{name}` is a variable, and there is no `variables/variables.index`"));
        self.checkpoint.as_ref().ok_or_else(missing)
    }

    fn keyed(&mut self, key: &str, name: &str) -> Result<usize> {
        if let Some(place) = self.places.get(key) {
            return Ok(*place);
        }
        let checkpoint = self.checkpoint(name)?;
        if !checkpoint.has(key) {
            let mut comparing = self.comparing;
            let near = near(checkpoint, key, &mut comparing)?;
            self.comparing = comparing;
            return Err(Error::File(format!("the checkpoint has no tensor `{key}`{near}")));
        }
        let shape = checkpoint.entry(key)?.shape.known();
        let shape =
            shape.map_err(|error| checkpoint.damaged(error).reworded(|text| format!("the tensor `{key}`: {text}")))?;
        let entry = checkpoint.entry(key)?;
        let value = self.engine.weight(Some((checkpoint, key)))?;
        let place = self.read.len();
        self.places.insert(key.to_owned(), place);
        self.read.push(Variable { name: name.to_owned(), ty: Type::of(entry.dtype), shape, owner: None, value });
        Ok(place)
    }
}

/// A key like one that is missing. Of many and long ones, those at the end are not compared.
fn near(checkpoint: &Checkpoint, key: &str, left: &mut usize) -> Result<String> {
    let mut near: Option<(usize, String)> = None;
    if *left == 0 {
        return Ok(String::new());
    }
    checkpoint.keys(|other| {
        if key.len().abs_diff(other.len()) > key.len() / 3 {
            return;
        }
        let cost = key.len().saturating_mul(other.len());
        if cost > *left {
            *left = 0;
            return;
        }
        *left -= cost;
        let distance = strsim::damerau_levenshtein(key, other);
        if distance <= key.len() / 3 && near.as_ref().is_none_or(|(least, _)| distance < *least) {
            near = Some((distance, other.to_owned()));
        }
    })?;
    Ok(near.map_or_else(String::new, |(_, key)| format!("; a key like it is `{key}`")))
}

/// The key of an object of a checkpoint, and the numbers of those that it holds, by their names.
type Saved<'m> = (Option<Arc<str>>, HashMap<&'m str, i64>);

/// Walks both trees of objects along the same names.
fn keys(checkpoint: &Checkpoint, objects: &ObjectGraph<'_>) -> Result<HashMap<i64, Arc<str>>> {
    let mut keys = HashMap::new();
    let Some(message) = checkpoint.objects()? else { return Ok(keys) };
    let saved = checkpoint_objects(&message)?;
    let mut seen = vec![false; objects.objects.len()];
    let mut left = vec![(0i64, 0i64)];
    // One object of the checkpoint may be a great many of the saved model.
    let mut known: HashMap<usize, Saved<'_>> = HashMap::new();
    while let Some((id, saved_id)) = left.pop() {
        let (Ok(place), Ok(saved_place)) = (usize::try_from(id), usize::try_from(saved_id)) else { continue };
        let (Some(object), Some(saved)) = (objects.objects.get(place), saved.get(saved_place)) else { continue };
        if std::mem::replace(&mut seen[place], true) {
            continue;
        }
        let (key, children) = known.entry(saved_place).or_insert_with(|| {
            let value = saved.keys.iter().find(|(name, _)| *name == "VARIABLE_VALUE").or(saved.keys.first());
            (value.map(|(_, key)| Arc::from(*key)), saved.children.iter().map(|(id, name)| (*name, *id)).collect())
        });
        if let (ObjectKind::Variable { .. }, Some(key)) = (&object.kind, key) {
            keys.insert(id, key.clone());
        }
        left.extend(object.children.iter().filter_map(|(id, name)| Some((*id, *children.get(name)?))));
    }
    Ok(keys)
}
