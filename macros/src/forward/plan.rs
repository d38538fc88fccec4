//! From what the walks found to what is generated: which fields are submodules, and what type each tap has.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use proc_macro2::Span;
use quote::ToTokens;
use syn::visit::Visit;
use syn::{Ident, Type};

use super::control::Often;
use super::levels::Level;
use super::walk::{Call, Event, Method, Tap};
use crate::ctxt::Ctxt;
use crate::model::ir::{Field, Load, Model};

/// What is generated.
#[derive(Debug)]
pub(crate) struct Plan {
    /// For every field of the struct: its plan, if it is a submodule.
    pub(crate) fields: Vec<Option<FieldPlan>>,
    /// Fields of taps and sites, in the order in which a run first produces them. The output comes after them.
    pub(crate) order: Vec<Item>,
    /// Methods with taps, which get a hidden copy.
    pub(crate) instrumented: HashSet<String>,
    /// Fields that are no submodules unless their type says so, and where that would be an error.
    pub(crate) unmentioned: Vec<(usize, Span, String)>,
}

#[derive(Debug)]
pub(crate) enum Item {
    Field(usize),
    Tap(Box<Tap>),
}

/// A submodule.
#[derive(Debug)]
pub(crate) struct FieldPlan {
    pub(crate) levels: Vec<Level>,
    /// Whether the containers are to be seen in the type as it is written.
    pub(crate) written: bool,
    pub(crate) often: Often,
    pub(crate) method: Method,
    /// The value's type, if the layer is foreign.
    pub(crate) leaf: Option<Type>,
}

impl FieldPlan {
    /// Whether each call has a frame of its own.
    pub(crate) fn framed(&self) -> bool {
        self.often != Often::Once || self.levels.last() == Some(&Level::Opt)
    }
}

/// The events of one method.
pub(crate) struct Walked {
    pub(crate) name: String,
    pub(crate) events: Vec<Event>,
}

/// Gathers the events of the main method in order, those of its helpers where they are called.
struct Gather<'a> {
    cx: &'a Ctxt,
    methods: &'a [Walked],
    order: Vec<Item>,
    calls: HashMap<usize, Vec<(&'a Call, Often)>>,
    /// Place in `order` by where a tap stands.
    taps: HashMap<(usize, usize), usize>,
    stack: Vec<usize>,
}

impl<'a> Gather<'a> {
    fn method(&mut self, index: usize, outer: Often) {
        self.stack.push(index);
        for (place, event) in self.methods[index].events.iter().enumerate() {
            match event {
                Event::Call(call) => {
                    let calls = self.calls.entry(call.field).or_default();
                    if calls.is_empty() {
                        self.order.push(Item::Field(call.field));
                    }
                    calls.push((call, outer.max(call.often)));
                }
                Event::Tap(tap) => self.tap((index, place), tap, outer.max(tap.often)),
                Event::Helper { name, often, span } => self.helper(name, outer.max(*often), *span),
                Event::Untraced { .. } => {}
            }
        }
        self.stack.pop();
    }

    fn tap(&mut self, place: (usize, usize), tap: &Tap, often: Often) {
        match self.taps.get(&place) {
            // A helper that is called at several places.
            Some(&known) => {
                if let Item::Tap(tap) = &mut self.order[known] {
                    tap.often = Often::Visits;
                }
            }
            None => {
                self.taps.insert(place, self.order.len());
                self.order.push(Item::Tap(Box::new(Tap { often, ..tap.clone() })));
            }
        }
    }

    fn helper(&mut self, name: &str, often: Often, span: Span) {
        let Some(index) = self.methods.iter().position(|m| m.name == name) else { return };
        if self.stack.contains(&index) {
            self.cx.error_at(
                span,
                format!("`{name}` calls itself, so that its taps have no fixed place; write it as a loop"),
            );
            return;
        }
        self.method(index, often);
    }
}

/// Methods from which a tap or a traced call is reached.
fn instrumented(methods: &[Walked]) -> HashSet<String> {
    let mut found: HashSet<String> = HashSet::new();
    loop {
        let before = found.len();
        for method in methods {
            let reaches = |event: &Event| match event {
                Event::Call(_) | Event::Tap(_) => true,
                Event::Helper { name, .. } => found.contains(name),
                Event::Untraced { .. } => false,
            };
            if method.events.iter().any(reaches) {
                found.insert(method.name.clone());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

pub(crate) fn plan(cx: &Ctxt, model: &Model, levels: &[RefCell<Vec<Level>>], methods: &[Walked]) -> Plan {
    let mut gather =
        Gather { cx, methods, order: Vec::new(), calls: HashMap::new(), taps: HashMap::new(), stack: Vec::new() };
    gather.method(0, Often::Once);
    let Gather { mut order, calls, .. } = gather;
    let instrumented = instrumented(methods);
    report_nested_helpers(cx, methods, &instrumented);
    let mut fields = Vec::new();
    let mut unmentioned = Vec::new();
    for (index, field) in model.fields.iter().enumerate() {
        let called = calls.get(&index);
        let called_elsewhere =
            methods.iter().flat_map(|m| &m.events).any(|e| matches!(e, Event::Call(c) if c.field == index));
        let submodule = !field.untapped && (called.is_some() || called_elsewhere || is_generic(model, field));
        report_untraced(cx, index, submodule, methods, &mut unmentioned);
        fields.push(match called {
            Some(calls) => Some(field_plan(cx, field, &levels[index].borrow(), calls)),
            None if submodule => {
                never_traced(cx, field);
                None
            }
            None => {
                if !field.untapped && !is_plain(field) && !unmentioned.iter().any(|(i, ..)| *i == index) {
                    unmentioned.push((index, field.ident.span(), never_message(&field.name())));
                }
                None
            }
        });
    }
    check_names(cx, model, &fields, &mut order);
    Plan { fields, order, instrumented, unmentioned }
}

/// Loaded as plain data: not looked at.
fn is_plain(field: &Field) -> bool {
    matches!(field.load, Some(Load::Value(_) | Load::Tensor { .. }))
}

fn never_message(name: &str) -> String {
    format!(
        "`{name}` is a submodule, but `forward` never calls it where the call can be traced; call `self.{name}.forward(..)`, or mark the field `#[model(untapped)]`"
    )
}

fn never_traced(cx: &Ctxt, field: &Field) {
    cx.error_at(field.ident.span(), never_message(&field.name()));
}

/// Mentions that can't be traced are errors for submodules. For other fields the type decides, while compiling.
fn report_untraced(
    cx: &Ctxt,
    index: usize,
    submodule: bool,
    methods: &[Walked],
    unmentioned: &mut Vec<(usize, Span, String)>,
) {
    for event in methods.iter().flat_map(|m| &m.events) {
        let Event::Untraced { field, span, fault } = event else { continue };
        if *field != index {
            continue;
        }
        if submodule {
            cx.error_at(*span, fault);
        } else if !unmentioned.iter().any(|(i, ..)| *i == index) {
            unmentioned.push((index, *span, fault.clone()));
        }
    }
}

/// Calls of tapped helpers from closures and foreign macros.
fn report_nested_helpers(cx: &Ctxt, methods: &[Walked], instrumented: &HashSet<String>) {
    for event in methods.iter().flat_map(|m| &m.events) {
        let Event::Helper { name, span, .. } = event else { continue };
        if let Some((place, helper)) = name.split_once(':')
            && instrumented.contains(helper)
        {
            cx.error_at(*span, format!("`{helper}` has taps, and nothing can be tapped in {place}; call it outside"));
        }
    }
}

fn field_plan(cx: &Ctxt, field: &Field, levels: &[Level], calls: &[(&Call, Often)]) -> FieldPlan {
    let elements = levels.contains(&Level::Many);
    if !elements && (field.partial || field.repeated) {
        let key = if field.partial { "partial" } else { "repeated" };
        cx.error_at(
            field.ident.span(),
            format!("`#[model({key})]` is for fields with elements, and `{}` has none; leave it out", field.name()),
        );
    }
    let several = calls.len() > 1 && !all_different_elements(calls);
    let often = match calls.iter().map(|(_, often)| *often).max() {
        _ if several || field.repeated => Often::Visits,
        Some(Often::Once) if field.partial => Often::Maybe,
        Some(often) => often,
        None => Often::Once,
    };
    let method = calls[0].0.method;
    if calls.iter().any(|(c, _)| (c.method == Method::Step) != (method == Method::Step)) {
        cx.error_at(
            field.ident.span(),
            format!(
                "`{}` is called by `step` and by `seq`, whose values have different types; use one of them",
                field.name()
            ),
        );
    }
    let (written, _) = super::levels::levels(&field.ty);
    FieldPlan {
        written: written.len() == levels.len(),
        levels: levels.to_vec(),
        often,
        method,
        leaf: field.leaf.as_ref().map(|leaf| leaf.value.clone().unwrap_or_else(|| syn::parse_quote!(Tensor))),
    }
}

/// `self.blocks[0]` and `self.blocks[1]` are different submodules.
fn all_different_elements(calls: &[(&Call, Often)]) -> bool {
    let mut seen = HashSet::new();
    calls.iter().all(|(call, _)| call.literal.is_some_and(|index| seen.insert(index)))
}

/// Whether the type mentions a type parameter of the struct, so that nothing is known of it here.
fn is_generic(model: &Model, field: &Field) -> bool {
    struct Search<'a>(&'a Model, bool);
    impl<'ast> Visit<'ast> for Search<'_> {
        fn visit_path(&mut self, path: &'ast syn::Path) {
            self.1 |= self.0.generics.type_params().any(|p| path.segments.first().is_some_and(|s| s.ident == p.ident));
            syn::visit::visit_path(self, path);
        }
    }
    let phantom = field.ty.to_token_stream().to_string().contains("PhantomData");
    if is_plain(field) || phantom {
        return false;
    }
    let mut search = Search(model, false);
    search.visit_type(&field.ty);
    search.1
}

/// Every name is one tap's.
fn check_names(cx: &Ctxt, model: &Model, fields: &[Option<FieldPlan>], order: &mut Vec<Item>) {
    let mut seen: HashMap<String, (Ident, bool)> = HashMap::new();
    for (field, plan) in model.fields.iter().zip(fields) {
        if plan.is_some() {
            seen.insert(field.name(), (field.ident.clone(), false));
        }
    }
    order.retain(|item| {
        let tap = match item {
            Item::Tap(tap) => tap,
            // The derive has said that a field can't be called `output`.
            Item::Field(field) => return model.fields[*field].name() != "output",
        };
        let name = syn::ext::IdentExt::unraw(&tap.name).to_string();
        if name == "output" {
            cx.error_at(
                tap.name.span(),
                "the name `output` is taken by the model's own output; give the tap another name",
            );
            return false;
        }
        match seen.get(&name) {
            None => {
                seen.insert(name, (tap.name.clone(), !tap.cfgs.is_empty()));
                true
            }
            // Under `#[cfg]` only one of them is there.
            Some((_, true)) if !tap.cfgs.is_empty() => true,
            Some((_, _)) => {
                let what = if model.fields.iter().any(|f| f.name() == name) { "a submodule" } else { "another tap" };
                cx.error_at(
                    tap.name.span(),
                    format!("`{name}` is already the name of {what}; give the tap a name of its own"),
                );
                false
            }
        }
    });
}
