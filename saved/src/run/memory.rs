//! What the values of a run take of memory, all together.
//!
//! What is made is added up. Only once that is a great deal is what the run then holds counted, each buffer once however many
//! views there are of it, and the machine asked what it has left: ordinary runs never come to it.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::rc::Rc;

use candle_core::Tensor;
use taper::__private::buffer;

use super::execute::Given;
use crate::data::Data;
use crate::graph::What;
use crate::inputs::Inputs;
use crate::limits::{SPARE, UNCOUNTED, UNTOLD};
use crate::model::SavedModel;
use crate::{Error, Result, machine};

/// Values by the nodes that they are of, or those that a function is given.
pub(super) type Places = Rc<RefCell<Vec<Given>>>;

/// The values that a run holds.
pub(super) struct Memory<'x> {
    model: &'x SavedModel,
    inputs: &'x Inputs,
    /// Bytes that may be made before what is held is counted again.
    left: Cell<usize>,
    /// What the run may hold if it was not told, once that is known.
    default: Cell<Option<usize>>,
    /// The values of the graph and of the functions that are called.
    called: RefCell<Vec<Places>>,
    /// What stays until the run ends.
    kept: RefCell<Vec<Tensor>>,
    /// What was there before.
    before: RefCell<Vec<Tensor>>,
}

impl<'x> Memory<'x> {
    pub(super) fn new(model: &'x SavedModel, inputs: &'x Inputs) -> Self {
        let left = Cell::new(inputs.allowed().memory.map_or(UNCOUNTED, |memory| memory.min(UNCOUNTED)));
        let (default, called, kept, before) = Default::default();
        Memory { model, inputs, left, default, called, kept, before }
    }

    /// The bytes that one value may take.
    pub(super) fn most(&self) -> usize {
        self.inputs.allowed().memory.unwrap_or(usize::MAX)
    }

    /// The values that a function is called with, and those in it, count until [`returned`](Self::returned).
    pub(super) fn called(&self, places: &Places) {
        self.called.borrow_mut().push(places.clone());
    }

    /// How many of them there are.
    pub(super) fn depth(&self) -> usize {
        self.called.borrow().len()
    }

    /// No more than so many are called.
    pub(super) fn returned(&self, depth: usize) {
        self.called.borrow_mut().truncate(depth);
    }

    /// A value that stays until the run ends.
    pub(super) fn keep(&self, value: &Tensor) {
        self.kept.borrow_mut().push(value.clone());
    }

    /// A value that somebody else holds.
    pub(super) fn was_before(&self, value: &Tensor) {
        self.before.borrow_mut().push(value.clone());
    }

    /// Some values were made.
    ///
    /// # Errors
    /// With them the run holds more than it may.
    pub(super) fn made(&self, values: &Given) -> Result<()> {
        let mut bytes = 0usize;
        for value in values.iter().flatten() {
            // An element of a list was counted when it was made.
            bytes = bytes.saturating_add(match value {
                Data::Tensor(x) => self.counts(x).1,
                Data::List(list) => size_of::<Tensor>() * list.items.len(),
            });
        }
        match self.left.get().checked_sub(bytes) {
            Some(left) => self.left.set(left),
            None => self.left.set(self.counted(values)?),
        }
        Ok(())
    }

    /// How much may be made before it is counted again.
    fn counted(&self, made: &Given) -> Result<usize> {
        let held = self.held(made);
        let too_much = |most: usize, remedy: &str| {
            Error::Msg(format!(
                "the values that the run holds at this point take {held} bytes, and it may hold {most}: {remedy}"
            ))
        };
        if let Some(most) = self.inputs.allowed().memory {
            return most.checked_sub(held).ok_or_else(|| too_much(most, "`memory_limit` allows more"));
        }
        let available = machine::available().map(|available| available - available / SPARE);
        let most = match self.default.get() {
            Some(most) => most,
            None => available.map_or_else(|| self.untold(), |available| available.saturating_add(held)),
        };
        self.default.set(Some(most));
        let left = most.checked_sub(held).zip(Some(available.unwrap_or(usize::MAX)));
        let left = left.map(|(left, available)| left.min(available)).filter(|left| *left > 0);
        // Asking again and again would take longer than what is made.
        left.map(|left| left.max(UNCOUNTED / 16)).ok_or_else(|| {
            too_much(
                most,
                "the machine has no more memory left for it; give it less at a time, ask for fewer tensors, or set a limit \
                 of your own by `memory_limit`",
            )
        })
    }

    /// What the run may hold on a machine that does not tell.
    fn untold(&self) -> usize {
        let given = self.given().map(|x| buffer(x).1).fold(0usize, usize::saturating_add);
        UNTOLD.0.saturating_add(given.saturating_mul(UNTOLD.1))
    }

    /// Weights, constants and inputs.
    fn given(&self) -> impl Iterator<Item = &Tensor> {
        let graph = &self.model.graph;
        let weights = graph.variables.iter().map(|variable| &variable.value);
        let constants = graph.nodes.iter().filter_map(|node| match &node.what {
            What::Constant(tensor) => Some(tensor),
            _ => None,
        });
        weights.chain(constants).chain(&self.inputs.values)
    }

    /// The buffer of a value, and what it counts as: the memory of another device is not the machine's, and only a limit of
    /// the user's own is about it.
    fn counts(&self, x: &Tensor) -> (usize, usize) {
        let (place, bytes) = buffer(x);
        match x.device().is_cpu() || self.inputs.allowed().memory.is_some() {
            true => (place, bytes),
            false => (place, 0),
        }
    }

    /// The bytes of what is held, each buffer counted once.
    fn held(&self, made: &Given) -> usize {
        let (before, kept, called) = (self.before.borrow(), self.kept.borrow(), self.called.borrow());
        let mut seen: HashSet<usize> = self.given().chain(&*before).map(|x| buffer(x).0).collect();
        let mut bytes = 0usize;
        let mut add = |x: &Tensor| {
            let (place, len) = self.counts(x);
            if seen.insert(place) {
                bytes = bytes.saturating_add(len);
            }
        };
        kept.iter().for_each(&mut add);
        let mut lists = HashSet::new();
        let mut of_lists = 0usize;
        let mut add_all = |given: &Given| {
            for value in given.iter().flatten() {
                match value {
                    Data::Tensor(x) => add(x),
                    Data::List(list) if lists.insert(std::ptr::from_ref(&*list.items).addr()) => {
                        of_lists = of_lists.saturating_add(size_of::<Tensor>() * list.items.len());
                        list.items.iter().flatten().for_each(&mut add);
                    }
                    Data::List(_) => {}
                }
            }
        };
        called.iter().for_each(|places| places.borrow().iter().for_each(&mut add_all));
        add_all(made);
        bytes.saturating_add(of_lists)
    }
}
