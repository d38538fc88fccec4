//! Addresses and values of a graph's tensors.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use candle_core::Tensor;
use taper::__private::{
    Around, Builder, Frame, Framed, Reader, Selection, Span, Tree, Visited, Visitor, debug, load_taps, save_taps,
};
use taper::Site;

use crate::graph::{Graph, What};
use crate::model::SavedModel;
use crate::tensors::{TensorInfo, Within};
use crate::{Error, Result};

/// The nodes of the graph and of every function of a branch or a loop, those inside others left out.
#[derive(Debug, Default)]
pub(crate) struct Regions {
    pub(super) root: Vec<u32>,
    pub(super) bodies: Vec<Vec<u32>>,
}

impl Regions {
    pub(crate) fn of(graph: &Graph) -> Self {
        let mut regions = Regions { root: Vec::new(), bodies: vec![Vec::new(); graph.bodies.len()] };
        for (index, node) in (0..).zip(&graph.nodes) {
            match node.within {
                Some(body) => regions.bodies[body as usize].push(index),
                None => regions.root.push(index),
            }
        }
        regions
    }
}

/// What is called of a tensor that has a site.
#[derive(Clone, Debug)]
pub(crate) struct Sited {
    /// Its whole name.
    pub(crate) name: String,
    /// Its name by layers.
    short: String,
    /// The branches and loops that it stands in.
    pub(crate) within: Vec<Within>,
}

impl Sited {
    pub(crate) fn of(tensor: &TensorInfo) -> Self {
        Sited { name: tensor.name().to_owned(), short: tensor.short_name().to_owned(), within: tensor.within.clone() }
    }

    /// Its name in some visits of the loops around it: `lstm/while/body.2/lstm_cell/MatMul`.
    pub(crate) fn at(&self, visits: &[u32]) -> String {
        let ends: Vec<usize> = self.loops().map(|within| within.name_end).collect();
        numbered(&self.name, &ends, visits.iter().map(|visit| *visit as isize).map(Some))
    }

    /// Its name by layers, in the same way.
    pub(crate) fn short_at(&self, visits: &[u32]) -> String {
        let ends: Vec<usize> = self.loops().map(|within| within.short_end).collect();
        numbered(&self.short, &ends, visits.iter().map(|visit| *visit as isize).map(Some))
    }

    /// The loops around it, outermost first.
    pub(crate) fn loops(&self) -> impl Iterator<Item = &Within> {
        self.within.iter().filter(|within| within.is_repeated)
    }
}

/// A name with numbers behind the names of loops, which end at these places.
pub(crate) fn numbered(name: &str, ends: &[usize], visits: impl Iterator<Item = Option<isize>>) -> String {
    let mut with_numbers = String::new();
    let mut from = 0;
    for (end, visit) in ends.iter().zip(visits) {
        if let Some(visit) = visit {
            with_numbers.push_str(&name[from..*end]);
            with_numbers.push_str(&format!(".{visit}"));
            from = *end;
        }
    }
    with_numbers + &name[from..]
}

/// A tensor that is asked for: its place among the sites, and of every loop around it which visit, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) site: usize,
    pub(crate) visits: Vec<Option<isize>>,
}

/// Where the calls of a function of a branch or a loop are kept apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyFrame {
    span: Span,
}

impl Frame for BodyFrame {
    type Inner = ();

    fn frame(&self) -> (Span, Option<&()>) {
        (self.span, Some(&()))
    }
}

/// The addresses of every tensor that can be computed, in the order in which they are, and of the model's outputs.
#[derive(Clone)]
pub struct Sites {
    pub(super) all: Arc<[Site<Tensor>]>,
    sited: Arc<[Sited]>,
    /// Of every function of a branch or a loop, if it can be computed.
    frames: Arc<[Option<BodyFrame>]>,
    /// Of the first function of each branch and loop: what is given when it is over.
    ends: Arc<[Option<Site<Vec<Tensor>>>]>,
    first: u32,
    /// What the model returns: its outputs in the order of their names.
    pub output: Site<Vec<Tensor>>,
}

impl Sites {
    /// The sites at these places, with what is around them.
    pub(crate) fn at(&self, places: &[Place]) -> Vec<Framed<Tensor>> {
        places.iter().map(|place| self.framed(place.site, &place.visits)).collect()
    }

    /// A site with what is around it.
    pub(crate) fn framed(&self, site: usize, visits: &[Option<isize>]) -> Framed<Tensor> {
        let mut visits = visits.iter().copied();
        let around = self.sited[site].within.iter().filter_map(|within| {
            let frame = self.frame(within.body)?;
            Some(match within.is_repeated {
                true => Around::visits(frame, visits.next().flatten()),
                false => Around::maybe(frame),
            })
        });
        Framed::new(self.all[site], around.collect())
    }

    pub(super) fn frame(&self, body: u32) -> Option<&BodyFrame> {
        self.frames[body as usize].as_ref()
    }

    pub(super) fn end(&self, body: u32) -> Option<&Site<Vec<Tensor>>> {
        self.ends[body as usize].as_ref()
    }
}

impl fmt::Debug for Sites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.sited.iter().map(|sited| &sited.name)).finish()
    }
}

/// Sites, while they are given out.
pub(super) struct Building<'m> {
    model: &'m SavedModel,
    all: Vec<Site<Tensor>>,
    frames: Vec<Option<BodyFrame>>,
    ends: Vec<Option<Site<Vec<Tensor>>>>,
}

impl<'m> Building<'m> {
    pub(super) fn new(model: &'m SavedModel) -> Self {
        let bodies = model.graph.bodies.len();
        Building { model, all: Vec::new(), frames: vec![None; bodies], ends: vec![None; bodies] }
    }

    /// The sites of the graph, or of a function, whose name is around them.
    pub(super) fn region(&mut self, body: Option<u32>, around: &str, b: &mut Builder) {
        let model = self.model;
        let nodes = match body {
            None => &model.regions.root,
            Some(body) => &model.regions.bodies[body as usize],
        };
        for &index in nodes {
            let node = &model.graph.nodes[index as usize];
            if node.blocked.is_none() && !model.graph.bodies_of(index).is_empty() {
                b.with(inside(&node.name, around), |b| self.control(index, b));
            }
            for tensor in model.tensors.of_node(index).iter().filter(|tensor| tensor.site.is_some()) {
                self.all.push(b.with(inside(tensor.name(), around), Builder::site::<Tensor>));
            }
        }
    }

    /// The frames of the functions of a branch or a loop, and what ends it.
    fn control(&mut self, index: u32, b: &mut Builder) {
        let model = self.model;
        let node = &model.graph.nodes[index as usize];
        let scope = b.begin(match node.what {
            What::Loop { .. } => "While",
            _ => "If",
        });
        let bodies = model.graph.bodies_of(index);
        for &body in bodies {
            let own = &model.graph.bodies[body as usize];
            let span = b.with(inside(&own.name, &node.name), |b| match own.part.is_repeated() {
                true => b.visits_with(Some(|b: &mut Builder| self.region(Some(body), &own.name, b))).frame().0,
                false => b.maybe_with(Some(|b: &mut Builder| self.region(Some(body), &own.name, b))).frame().0,
            });
            self.frames[body as usize] = Some(BodyFrame { span });
        }
        self.ends[bodies[0] as usize] = Some(b.end_part(scope));
    }

    pub(super) fn finish(self, output: Site<Vec<Tensor>>) -> Sites {
        let frames = self.frames.iter().flatten().map(|frame| frame.span.first);
        let sites = self.all.iter().map(|site| site.span().first);
        Sites {
            first: frames.chain(sites).min().unwrap_or(output.span().first),
            all: self.all.into(),
            sited: self.model.sited.clone(),
            frames: self.frames.into(),
            ends: self.ends.into(),
            output,
        }
    }
}

/// What a name adds to the one around it.
fn inside<'n>(name: &'n str, around: &str) -> &'n str {
    name.strip_prefix(around).filter(|rest| rest.starts_with('/')).unwrap_or(name)
}

/// Every tensor of a run by its name, and what the model returned.
///
/// A tensor in a loop has a value for every step, whose number its name has: `lstm/while/body.2/lstm_cell/MatMul`. One
/// in a branch that was not taken has none.
#[derive(Clone)]
pub struct Taps {
    values: Vec<(String, Tensor)>,
    /// What the model returned: its outputs in the order of their names.
    pub output: Vec<Tensor>,
}

impl Taps {
    /// The tensor of a whole name, `StatefulPartitionedCall/mlp_1/dense_1/MatMul`.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.values.iter().find(|(own, _)| own == name).map(|(_, tensor)| tensor)
    }

    /// Every tensor with its name, in the order of the model's tensors, those of a loop step by step.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.values.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Writes the tensors as safetensors, keyed by their names.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save_taps::<Sites>(self, "SavedModel", path.as_ref())
    }

    /// Reads taps that [`save`](Self::save) wrote.
    ///
    /// # Errors
    /// A file that can't be read, or is of another model.
    pub fn load(model: &SavedModel, path: impl AsRef<Path>) -> Result<Self> {
        load_taps(model, path.as_ref())
    }
}

impl fmt::Debug for Taps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug::<Sites>("Taps", self, f)
    }
}

impl Tree for Sites {
    type Value = Taps;
    type Item = Tensor;

    fn span(&self) -> Span {
        Span { first: self.first, ..self.output.span() }
    }

    fn read_taps(&self, reader: &Reader<'_>) -> Result<Taps> {
        let mut values = Vec::new();
        for (site, sited) in self.sited.iter().enumerate() {
            let visited = Selection::read(&self.framed(site, &[]), reader)?;
            values.extend(visited.into_iter().map(|Visited { visits, value }| (sited.at(&visits), value)));
        }
        Ok(Taps { values, output: self.output.read_taps(reader)? })
    }

    fn visit(taps: &Taps, visitor: &mut Visitor<'_>) {
        for (name, value) in taps.iter() {
            visitor.field::<Site<Tensor>>(name, value);
        }
        visitor.field::<Site<Vec<Tensor>>>("output", &taps.output);
    }
}

impl SavedModel {
    /// Of functions of loops of which only steps by number are asked for, the last one.
    pub(crate) fn last_visits(&self, places: &[Place]) -> BTreeMap<u32, u32> {
        let mut last: BTreeMap<u32, Option<u32>> = BTreeMap::new();
        for place in places {
            for (within, visit) in self.sited[place.site].loops().zip(&place.visits) {
                let visit = visit.and_then(|visit| u32::try_from(visit).ok());
                let last = last.entry(within.body).or_insert(visit);
                *last = last.zip(visit).map(|(a, b)| a.max(b));
            }
        }
        last.into_iter().filter_map(|(body, visit)| Some((body, visit?))).collect()
    }

    /// Why a run gave nothing for what was asked for.
    pub(crate) fn nothing(&self, place: &Place) -> Error {
        let sited = &self.sited[place.site];
        let body = |within: &Within| &self.graph.bodies[within.body as usize].name;
        let mut visits = place.visits.iter().copied();
        let why = sited.within.iter().map(|within| {
            let visit = if within.is_repeated { visits.next().flatten() } else { None };
            match visit {
                Some(visit) => format!("made no step {visit} of `{}`", body(within)),
                None if within.is_repeated => format!("made no step of `{}`", body(within)),
                None => format!("did not take the branch `{}`", body(within)),
            }
        });
        let why: Vec<_> = why.collect();
        let name = numbered(
            &sited.name,
            &sited.loops().map(|within| within.name_end).collect::<Vec<_>>(),
            place.visits.iter().copied(),
        );
        Error::Msg(format!("`{name}` has no value in this run, which {}", why.join(", or ")))
    }
}
