//! What `saved_model!` generates code for: a saved model whose tensors are fields.

use std::fmt;
use std::path::Path;

use candle_core::{Device, Tensor};
use taper::__private::{At, Builder, Pass, Reader, Span, Tapped, Tree, Visitor};
use taper::{Input, Maybe, Seen, Site, Visits};

use super::sites::Sites;
use crate::inputs::Inputs;
use crate::model::{SavedModel, open_recorded};
use crate::{Error, Result};

/// The file that code was generated from.
#[derive(Debug)]
pub struct Source {
    /// The name of the generated type.
    pub name: &'static str,
    /// The folder.
    pub folder: &'static str,
    /// The signature.
    pub signature: &'static str,
    /// The places of the fields' tensors among all.
    pub places: &'static [u32],
    /// What was written down of the structure.
    pub record: &'static str,
}

/// A saved model, and the sites of its fields.
pub struct Typed {
    model: SavedModel,
    /// Of every field in order, its place among the sites.
    sites: Vec<usize>,
}

impl Typed {
    /// Opens a folder, which must have the model that the code was generated from.
    ///
    /// # Errors
    /// What can't be opened, and another model.
    pub fn load(path: &Path, device: &Device, source: &Source) -> Result<Self> {
        if !device.is_cpu() {
            return Err(Error::Msg(format!(
                "a saved model is computed on the CPU, and `{}` was to be loaded to {:?}; load it with `&Device::Cpu`",
                source.name,
                device.location()
            )));
        }
        let places = || source.places.iter().map(|place| *place as usize);
        let (model, record) = open_recorded(path, source.signature, places())?;
        if record != source.record {
            return Err(other_model(path, source, &record));
        }
        let sites = places().map(|place| {
            let tensor = &model.tensors.all[place];
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
        Ok(Typed { model, sites })
    }

    /// The model, whose tensors are found by name.
    pub fn model(&self) -> &SavedModel {
        &self.model
    }

    /// The sites of the fields.
    pub fn sites(&self, b: &mut Builder) -> Given<'_> {
        Given { saved: self.model.__taper_sites(b), sites: self.sites.iter() }
    }

    /// The arguments of a run.
    ///
    /// # Errors
    /// One that does not fit.
    pub fn inputs<const N: usize>(&self, given: [(&str, &Tensor); N], pass: &mut Pass<'_>) -> Result<Inputs> {
        self.model.inputs(given).map_err(|error| pass.unplaced(error))
    }

    /// Runs the model.
    ///
    /// # Errors
    /// Those of the model.
    pub fn call(&self, inputs: &Inputs, at: At<'_, '_, '_, Sites>) -> Result<Vec<Tensor>> {
        self.model.execute(inputs, at)
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.model.fmt(f)
    }
}

/// What a folder has in place of the model that the code was generated from.
fn other_model(path: &Path, source: &Source, record: &str) -> Error {
    let (here, there): (Vec<_>, Vec<_>) = (record.lines().collect(), source.record.lines().collect());
    let mut differ = here.iter().zip(&there).filter(|(here, there)| here != there);
    let first = match differ.next() {
        Some((here, there)) => format!("it has `{here}` where `{there}` was"),
        None => format!("it has {} lines of structure where {} were", here.len(), there.len()),
    };
    let more = match differ.count() {
        0 => String::new(),
        more => format!(" ({more} more differ)"),
    };
    Error::Msg(format!(
        "`{}` is not the model that `{}` was compiled from: {first}{more}; load a folder with that model, or compile `{}` from \
         this one (it was compiled from `{}`)",
        path.display(),
        source.name,
        source.name,
        source.folder
    ))
}

/// Sites, while fields take theirs.
#[derive(Debug)]
pub struct Given<'t> {
    saved: Sites,
    sites: std::slice::Iter<'t, usize>,
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
        Visits::of(self.saved.frame(body).expect("a field is in it, and has a site"), inner)
    }

    /// What stands in a function of a branch.
    pub fn maybe<S>(&mut self, body: u32, of: impl FnOnce(&mut Self) -> S) -> Maybe<S> {
        let inner = of(self);
        Maybe::of(self.saved.frame(body).expect("a field is in it, and has a site"), inner)
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
