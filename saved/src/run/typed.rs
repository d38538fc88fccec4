//! What `saved_model!` generates code for: a saved model whose tensors are fields.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use candle_core::{Device, Tensor};
use taper::__private::{At, Builder, Pass, Reader, Span, Tapped, Tree, Visitor};
use taper::{Input, Maybe, Seen, Site, Visits};
use taper_saved_structure::record::{Match, Record};

use super::sites::{BodyFrame, Sites};
use crate::inputs::Inputs;
use crate::model::{SavedModel, open_recording};
use crate::{Error, Result};

/// The file that code was generated from.
#[derive(Debug)]
pub struct Source {
    /// The name of the generated type.
    pub name: &'static str,
    /// Where it is generated, `src/net.rs:3`.
    pub at: &'static str,
    /// The folder.
    pub folder: &'static str,
    /// The signature.
    pub signature: &'static str,
    /// Of every field in order, its tensor among all of the record.
    pub fields: &'static [u32],
    /// What was written down of the structure.
    pub structure: Record<'static>,
}

/// A saved model, and what in it the fields are. A clone is the same model: nothing is copied.
#[derive(Clone)]
pub struct Typed {
    model: Arc<SavedModel>,
    /// Of every field in order, its place among the sites.
    sites: Arc<[usize]>,
    /// The functions of branches and loops, by their numbers in the record.
    bodies: Arc<[u32]>,
    /// The inputs and the outputs in the order of the record: in another process they have other names.
    inputs: Arc<[usize]>,
    outputs: Arc<[usize]>,
    source: &'static Source,
}

impl Typed {
    /// Opens a folder, which must have the structure that the code was generated from.
    ///
    /// # Errors
    /// What can't be opened, and another structure.
    pub fn load(path: &Path, device: &Device, source: &'static Source) -> Result<Self> {
        let structure = open_recording(path, source.signature, device)?;
        if let Some((name, why)) = structure.missing_weight() {
            return Err(Error::Msg(format!("`{}`: the weight `{name}` can't be read: {why}", path.display())));
        }
        let found = source.structure.find(&structure).map_err(|why| other_model(path, source, &why))?;
        let model = SavedModel::of(structure, device.clone());
        let sites = source.fields.iter().map(|field| {
            let value = found.tensors[*field as usize];
            let tensor = &model.tensors.all[model.tensors.place(value)];
            tensor.site.ok_or_else(|| {
                let why = tensor.blocked.as_deref().unwrap_or("it is no tensor of numbers");
                Error::Msg(format!(
                    "`{}` is a field of `{}` and can't be computed: {why}; `taper_saved::open` captures what does not depend \
                     on it",
                    tensor.name, source.name
                ))
            })
        });
        let sites = sites.collect::<Result<_>>()?;
        let Match { bodies, inputs, outputs, .. } = found;
        Ok(Typed {
            model: Arc::new(model),
            sites,
            bodies: bodies.into(),
            inputs: inputs.into(),
            outputs: outputs.into(),
            source,
        })
    }

    /// The model, whose tensors are found by name.
    pub fn model(&self) -> &SavedModel {
        &self.model
    }

    /// The sites of the fields.
    pub fn sites(&self, b: &mut Builder) -> Given<'_> {
        Given { saved: self.model.__taper_sites(b), sites: self.sites.iter(), bodies: &self.bodies }
    }

    /// The arguments of a run.
    ///
    /// # Errors
    /// One of another type or shape than the signature asks for.
    pub fn inputs<const N: usize>(&self, given: [&Tensor; N], pass: &mut Pass<'_>) -> Result<Inputs> {
        let names = self.source.structure.inputs;
        let given = self.inputs.iter().zip(names).zip(given).map(|((place, name), tensor)| (*place, *name, tensor));
        self.model.inputs_at(given).map_err(|error| pass.unplaced(error))
    }

    /// Runs the model.
    ///
    /// # Errors
    /// Those of the model.
    pub fn call(&self, inputs: &Inputs, at: At<'_, '_, '_, Sites>) -> Result<Vec<Tensor>> {
        let outputs = self.model.execute(inputs, at)?;
        Ok(self.outputs.iter().map(|place| outputs[*place].clone()).collect())
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.model.fmt(f)
    }
}

/// That a folder has another structure than the code was generated from.
fn other_model(path: &Path, source: &Source, why: &str) -> Error {
    let Source { name, at, folder, .. } = source;
    let path = path.display();
    Error::Msg(format!(
        "`{path}` does not have the structure that `{name}` was compiled from: {why}; load a folder with the same layers, or \
         compile `{name}` from this one: it is named in `saved_model!` at {at}, and was `{folder}`"
    ))
}

/// Sites, while fields take theirs.
#[derive(Debug)]
pub struct Given<'t> {
    saved: Sites,
    sites: std::slice::Iter<'t, usize>,
    bodies: &'t [u32],
}

impl Given<'_> {
    /// Those of the next fields.
    pub fn take<const N: usize>(&mut self) -> [Site<Tensor>; N] {
        std::array::from_fn(|_| {
            let site = self.sites.next().expect("as many fields were generated as there are places");
            self.saved.all[*site]
        })
    }

    /// What stands in a function of a loop.
    pub fn visits<S>(&mut self, body: u32, of: impl FnOnce(&mut Self) -> S) -> Visits<S> {
        let inner = of(self);
        Visits::of(self.frame(body), inner)
    }

    /// What stands in a function of a branch.
    pub fn maybe<S>(&mut self, body: u32, of: impl FnOnce(&mut Self) -> S) -> Maybe<S> {
        let inner = of(self);
        Maybe::of(self.frame(body), inner)
    }

    fn frame(&self, body: u32) -> &BodyFrame {
        self.saved.frame(self.bodies[body as usize]).expect("a field is in it, and has a site")
    }

    /// The sites of the model itself.
    pub fn saved(&self) -> Sites {
        self.saved.clone()
    }
}

/// The outputs of a run.
///
/// # Errors
/// Another number of them.
pub fn outputs<const N: usize>(outputs: Vec<Tensor>) -> Result<[Tensor; N]> {
    outputs.try_into().map_err(|all: Vec<_>| Error::Msg(format!("{} outputs where {N} belong", all.len())))
}

/// The values at some sites.
///
/// # Errors
/// A value that is not there.
pub fn read<const N: usize>(sites: [Site<Tensor>; N], reader: &Reader<'_>) -> Result<[Tensor; N]> {
    outputs(sites.iter().map(|site| site.read_taps(reader)).collect::<Result<_>>()?)
}

/// The values of some fields.
pub fn clone<const N: usize>(values: [&Tensor; N]) -> [Tensor; N] {
    values.map(Tensor::clone)
}

/// What some fields cover.
pub fn spans<const N: usize>(sites: [Site<Tensor>; N], f: &mut dyn FnMut(Span)) {
    sites.iter().for_each(|site| f(site.span()));
}

/// What a layer covers, with what lies between.
pub fn hull<S: Tree>(sites: &S) -> Span {
    let mut hull: Option<Span> = None;
    sites.spans(&mut |span| {
        hull = Some(match hull {
            None => span,
            Some(hull) => Span { first: hull.first.min(span.first), end: hull.end.max(span.end), ..hull },
        });
    });
    hull.unwrap_or(Span { first: 0, end: 0, tree: 0 })
}

/// Tells a visitor some fields.
pub fn visit<const N: usize>(fields: [(&str, &Tensor); N], visitor: &mut Visitor<'_>) {
    fields.iter().for_each(|(name, value)| visitor.field::<Site<Tensor>>(name, value));
}

/// `Debug` of the sites of a layer: how many there are.
///
/// # Errors
/// Those of the formatter.
pub fn debug_sites<S: Tree>(name: &str, sites: &S, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut count = 0;
    sites.spans(&mut |span| count += span.end - span.first);
    f.debug_struct(name).field("tensors", &count).finish()
}

/// An argument, for a later run to compare.
pub fn see(input: &Tensor) -> Seen {
    input.see()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use taper_saved_structure::open::{Structure, open};
    use taper_saved_structure::{Outline, record::Recorded};

    use super::*;
    use crate::graph::Candle;

    /// The folders of all models: of those that TensorFlow computed the tensors of, and of those that were saved twice.
    fn folders() -> Vec<PathBuf> {
        let inside = |path: PathBuf| {
            let mut all: Vec<PathBuf> = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
            all.sort();
            all
        };
        let data = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/data");
        let models =
            ["saved", "saved_twice"].map(|name| inside(data.join(name)).into_iter().filter(|path| path.is_dir()));
        let all = models.into_iter().flatten().flat_map(inside);
        all.filter(|path| path.join("saved_model.pb").exists()).collect()
    }

    /// What is written down without the weights, and what is opened with them.
    fn both(path: &Path) -> Vec<(Recorded, Structure<Candle>)> {
        let signatures = crate::signatures(path).unwrap();
        let both = signatures.iter().filter_map(|signature| {
            let written = open(path, Some(signature.name()), &Outline).ok()?;
            Some((written.record(), open_recording(path, signature.name(), &Device::Cpu).unwrap()))
        });
        both.collect()
    }

    #[test]
    fn every_file_is_found_again_as_it_was_written_down() {
        let (mut models, mut tensors) = (0, 0);
        for path in folders() {
            for (written, opened) in both(&path) {
                let found = written
                    .with(|record| record.find(&opened))
                    .unwrap_or_else(|why| panic!("{}: {why}", path.display()));
                // Each tensor for itself.
                let places =
                    found.tensors.iter().enumerate().filter(|(at, value)| written.tensor(**value) == Some(*at as u32));
                assert_eq!(places.count(), found.tensors.len(), "{}", path.display());
                models += 1;
                tensors += found.tensors.len();
            }
        }
        assert!(models > 60 && tensors > 8000, "{models} models of {tensors} tensors");
    }

    /// Any two: only what was saved again is taken for what it was.
    #[test]
    fn no_other_file_is_taken_for_one() {
        let folders = folders();
        let all: Vec<_> = folders.iter().filter_map(|path| Some((path, both(path).pop()?))).collect();
        for (there, (written, _)) in &all {
            for (here, (_, opened)) in all.iter().filter(|(here, _)| here != there) {
                let same = ["first", "again", "trained"];
                let is_same = there.parent() == here.parent()
                    && [there, here].iter().all(|path| same.iter().any(|s| path.ends_with(s)));
                let found = written.with(|record| record.find(opened));
                assert_eq!(found.is_ok(), is_same, "{} as {}", here.display(), there.display());
            }
        }
    }
}
