//! Which values are numbered by visit: those in loops, and those of what is called at several places.

use std::collections::{HashMap, HashSet};

use crate::programs::*;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Often {
    Once,
    Maybe,
    Visits,
}

/// How often a run produces each tap and calls each field of a model.
#[derive(Debug, Default)]
pub(super) struct Kinds {
    taps: HashMap<usize, Often>,
    fields: HashMap<usize, Often>,
}

impl Kinds {
    pub(super) fn of(model: &Model) -> Self {
        let mut found = Found::default();
        found.method(model, 0, Often::Once);
        let field = |(field, calls): (&usize, &Vec<CallSite>)| (*field, often_called(&model.fields[*field], calls));
        Kinds { fields: found.calls.iter().map(field).collect(), taps: found.taps }
    }

    pub(super) fn tap(&self, tap: usize) -> Often {
        self.taps[&tap]
    }

    pub(super) fn field(&self, field: usize) -> Often {
        self.fields[&field]
    }
}

/// A call of a field as it is written: how often it is made, and the element if that is a number.
type CallSite = (Often, Option<usize>);

fn often_called(field: &Field, calls: &[CallSite]) -> Often {
    let mut elements = HashSet::new();
    let different = calls.iter().all(|(_, element)| element.is_some_and(|element| elements.insert(element)));
    let most = calls.iter().map(|(often, _)| *often).max().expect("every field is called");
    match field.repeated || calls.len() > 1 && !different {
        true => Often::Visits,
        false if field.partial => most.max(Often::Maybe),
        false => most,
    }
}

#[derive(Default)]
struct Found {
    taps: HashMap<usize, Often>,
    calls: HashMap<usize, Vec<CallSite>>,
}

enum Around {
    Branch,
    /// A method's body or a labelled block; `left` once something before may have left it.
    Block {
        label: Option<usize>,
        left: bool,
    },
    Loop(usize),
}

/// One method, as it is called somewhere.
struct Walk<'a> {
    model: &'a Model,
    found: &'a mut Found,
    outer: Often,
    around: Vec<Around>,
    elements: HashMap<usize, (usize, Option<usize>)>,
}

impl Found {
    fn method(&mut self, model: &Model, index: usize, outer: Often) {
        let around = vec![Around::Block { label: None, left: false }];
        let mut walk = Walk { model, found: self, outer, around, elements: HashMap::new() };
        walk.block(&model.methods[index]);
    }
}

impl Walk<'_> {
    /// How often what stands here is produced. The `own` loop comes to each element once.
    fn often(&self, own: Option<usize>) -> Often {
        let mut often = self.outer;
        let mut in_own = false;
        for around in &self.around {
            match around {
                Around::Loop(label) if Some(*label) == own => in_own = true,
                Around::Loop(_) => often = Often::Visits,
                Around::Branch | Around::Block { left: true, .. } if !in_own => often = often.max(Often::Maybe),
                _ => {}
            }
        }
        often
    }

    fn inside(&mut self, around: Around, body: &[Stmt]) {
        self.around.push(around);
        self.block(body);
        self.around.pop();
    }

    fn block(&mut self, body: &[Stmt]) {
        body.iter().for_each(|stmt| self.stmt(stmt));
    }

    fn stmt(&mut self, stmt: &Stmt) {
        match stmt {
            Stmt::Compute(_) | Stmt::Continue(_) => {}
            Stmt::Tap(taps) => taps.iter().for_each(|(tap, _)| self.tap(*tap)),
            Stmt::Call(place, _) => self.call(*place),
            Stmt::TapCall(tap, place, _) => {
                self.call(*place);
                self.tap(*tap);
            }
            Stmt::If(cond, then, otherwise) => {
                if let Cond::And(place) | Cond::Or(place) = cond {
                    self.around.push(Around::Branch);
                    self.call(*place);
                    self.around.pop();
                }
                self.inside(Around::Branch, then);
                self.inside(Around::Branch, otherwise);
            }
            Stmt::Match(arms) => arms.iter().for_each(|arm| self.inside(Around::Branch, arm)),
            Stmt::Times { label, body, .. } | Stmt::While { label, body } => self.inside(Around::Loop(*label), body),
            Stmt::Over { label, field, zip, body, .. } => {
                self.elements.insert(*label, (*field, *zip));
                self.inside(Around::Loop(*label), body);
            }
            Stmt::Modulo { field, .. } => {
                let often = self.often(None);
                self.called(*field, often, None);
            }
            Stmt::IfSome(field) | Stmt::ApplyOption(field) => {
                let often = self.often(None).max(Often::Maybe);
                self.called(*field, often, None);
            }
            Stmt::Help(helper) => {
                let often = self.often(None);
                self.found.method(self.model, *helper, often);
            }
            Stmt::Block { label, body } => self.inside(Around::Block { label: Some(*label), left: false }, body),
            Stmt::Return(_) => self.leave(None),
            Stmt::Break(label) => self.leave(Some(*label)),
        }
    }

    fn leave(&mut self, target: Option<usize>) {
        for around in &mut self.around {
            if let Around::Block { label, left } = around
                && *label == target
            {
                *left = true;
            }
        }
    }

    fn tap(&mut self, tap: usize) {
        let often = self.often(None);
        // Written once and met again: in a helper that is called at several places.
        let met = self.found.taps.contains_key(&tap);
        self.found.taps.insert(tap, if met { Often::Visits } else { often });
    }

    fn call(&mut self, place: Place) {
        match place {
            Place::Whole(field) => self.called(field, self.often(None), None),
            Place::At(field, at) => self.called(field, self.often(None), Some(at)),
            Place::Element(label) => self.called(self.elements[&label].0, self.often(Some(label)), None),
            Place::Zipped(label) => {
                let (_, field) = self.elements[&label];
                self.called(field.expect("zipped"), self.often(Some(label)), None);
            }
        }
    }

    fn called(&mut self, field: usize, often: Often, element: Option<usize>) {
        self.found.calls.entry(field).or_default().push((often, element));
    }
}
