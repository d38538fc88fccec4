//! Whether a model computes what the original does: its taps against a file of reference tensors, from first to last.
//!
//! A port to Rust goes: dump what the original computes (`tools/dump_reference.py`), write the struct, read the report.
//! [`taper::porting`](crate::porting) walks through one.
//!
//! ```
//! # use std::collections::HashMap;
//! # use taper::{Model, forward, candle_core::{Device, DType, Result, Tensor}, candle_nn::{Linear, linear, VarBuilder, Module}};
//! # #[derive(Model)]
//! # pub struct Block {
//! #     #[load(linear(2, 2))]
//! #     pub fc: Linear,
//! # }
//! # #[forward]
//! # impl Block {
//! #     pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
//! #         #[tap]
//! #         let act = self.fc.forward(x)?.relu()?;
//! #         x + act
//! #     }
//! # }
//! # #[derive(Model)]
//! # pub struct Net {
//! #     #[load(each(2))]
//! #     pub blocks: Vec<Block>,
//! # }
//! # #[forward]
//! # impl Net {
//! #     pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
//! #         let mut x = x.clone();
//! #         for block in &self.blocks {
//! #             x = block.forward(&x)?;
//! #         }
//! #         Ok(x)
//! #     }
//! # }
//! # let net = Net::load(VarBuilder::zeros(DType::F32, &Device::Cpu))?;
//! # let t = |v: f32| Tensor::full(v, (1, 2), &Device::Cpu).unwrap();
//! # let tensors = [("input.x", t(1.)), ("module.h.0", t(1.)), ("module.h.1", t(1.)), ("module.h.0.fc", t(0.)), ("module.h.1.fc", t(0.5)), ("output", t(1.))];
//! # let tensors: HashMap<_, _> = tensors.into_iter().map(|(name, t)| (name.to_owned(), t)).collect();
//! use taper::parity::{Parity, Reference};
//!
//! # let _ = || Reference::open("reference.safetensors");
//! // In earnest: `Reference::open("reference.safetensors")?`
//! let reference = Reference::from_tensors(tensors);
//! let report = Parity::of(&net, &reference)
//!     .map("blocks.{i}.fc", "module.h.{i}.fc")
//!     .map("blocks.{i}.output", "module.h.{i}")
//!     .map("output", "output")
//!     .run(&reference.tensor("input.x")?)?;
//!
//! println!("{report}");
//! assert_eq!(report.first_divergence().unwrap().tap, "blocks.1.fc");
//! assert_eq!(report.without_reference(), ["blocks.0.act", "blocks.1.act"]);
//! // In a test: every row agrees, or the report is the error.
//! assert!(report.into_result().is_err());
//! # Ok::<(), taper::candle_core::Error>(())
//! ```

mod difference;
mod gradients;
mod mapping;
mod pattern;
mod reference;
mod report;

use std::collections::BTreeSet;
use std::fmt;

use candle_core::Tensor;

pub use difference::Difference;
pub use reference::Reference;
pub use report::{Report, Row};

use crate::error::candle_error;
use crate::model::Model;
use crate::names::{Describe, Names};
use crate::pass::Produced;
use crate::run::{IntoArgs, Run, Setup};
use crate::{Error, Result, glob};
use difference::Measure;
use mapping::{Mapping, Match, View};

/// How far a value may be from its reference, times `1 + |reference|`: the noise of 32-bit floats that are summed in
/// another order.
pub const TOLERANCE: f64 = 2e-5;

/// A model and the reference that its taps are compared with.
///
/// [`map`](Self::map) says which tap is which reference; [`run`](Self::run) runs the model once, and compares.
pub struct Parity<'a, M: Model> {
    subject: Subject<'a, M>,
    reference: &'a Reference,
    mapping: Mapping<'a>,
    tolerance: Option<f64>,
    leaving: Vec<String>,
}

/// What is run.
enum Subject<'a, M: Model> {
    Model(Box<Setup<'a, 'a, M>>),
    Run(&'a Setup<'a, 'a, M>),
}

impl<'a, M: Model> Parity<'a, M> {
    /// A comparison of a model's taps.
    pub fn of(model: &'a M, reference: &'a Reference) -> Self {
        Self::with(Subject::Model(Box::new(Setup::new(model))), reference)
    }

    /// A comparison of the taps of a changed run, with what the original gives if it is changed likewise.
    pub fn of_run(run: &'a Run<'_, '_, M>, reference: &'a Reference) -> Self {
        Self::with(Subject::Run(run.setup()), reference)
    }

    fn with(subject: Subject<'a, M>, reference: &'a Reference) -> Self {
        Parity { subject, reference, mapping: Mapping::default(), tolerance: None, leaving: Vec::new() }
    }

    /// Compares a tap with a reference, by their names.
    ///
    /// Placeholders stand for what differs: `{i}` is one part between dots, and stands for the same in both names;
    /// `{i+1}` of the reference is a number larger by that. Visits of a repeated tap are numbered from 0, calls in the
    /// reference from 1: `.map("shared.{i}", "module.shared#{i+1}")`. An element of a tuple is named by its place:
    /// `output.0`.
    ///
    /// `{path*}` is any number of parts. A pattern with it is for whatever there is: it is for taps that no other pattern
    /// names, and only where the reference exists.
    ///
    /// A tap may have several references, and a reference several taps.
    #[must_use]
    pub fn map(mut self, tap: &str, reference: &str) -> Self {
        self.mapping.patterns(tap, reference);
        self
    }

    /// Compares taps with the references that a function names, where names follow no pattern.
    #[must_use]
    pub fn map_names(mut self, names: impl Fn(&str) -> Option<String> + 'a) -> Self {
        self.mapping.function(names);
        self
    }

    /// Takes the names of taps to be those of the original's modules, where no other mapping says otherwise: `PATH` and
    /// `PATH.output` are compared with `module.PATH`, `output` with `output`, as far as there are such references.
    #[must_use]
    pub fn same_names(mut self) -> Self {
        self.mapping.same_names();
        self
    }

    /// Compares `f` of the taps of the [`map`](Self::map) before this: a part of them, or their dimensions in another
    /// order.
    #[must_use]
    pub fn tap_as(mut self, f: impl Fn(&Tensor) -> Result<Tensor> + 'a) -> Self {
        if let Some(rule) = self.mapping.last("tap_as") {
            rule.tap_as = Some(Box::new(f));
        }
        self
    }

    /// Compares with `f` of the references of the [`map`](Self::map) before this: a part of them, or their dimensions in
    /// another order.
    ///
    /// ```
    /// # use taper::{Model, parity::Parity};
    /// # fn f<M: Model>(parity: Parity<'_, M>) {
    /// // The original has [batch, token, head · channel], the tap is [batch, head, token, channel].
    /// let parity = parity
    ///     .map("blocks.{i}.attn.q", "module.h.{i}.attn.q_proj")
    ///     .reference_as(|q| q.reshape((2, 9, 4, 8))?.transpose(1, 2));
    /// # }
    /// ```
    #[must_use]
    pub fn reference_as(mut self, f: impl Fn(&Tensor) -> Result<Tensor> + 'a) -> Self {
        if let Some(rule) = self.mapping.last("reference_as") {
            rule.reference_as = Some(Box::new(f));
        }
        self
    }

    /// How far a value may be from its reference, times `1 + |reference|`; [`TOLERANCE`] if nothing is said. Of gradients,
    /// times the largest of the tensor; 1e-4 if nothing is said.
    #[must_use]
    pub fn tolerance(self, tolerance: f64) -> Self {
        Parity { tolerance: Some(tolerance), ..self }
    }

    /// References that are not meant to be compared, by a pattern with `*` and `**` as in
    /// [`matching`](crate::SiteTable::matching): they are not listed as left over.
    #[must_use]
    pub fn leaving(mut self, pattern: &str) -> Self {
        self.leaving.push(pattern.to_owned());
        self
    }

    fn setup(&self) -> &Setup<'a, 'a, M> {
        match &self.subject {
            Subject::Model(setup) => setup,
            Subject::Run(setup) => setup,
        }
    }

    /// Runs the model on the arguments, a tuple or the one argument that it has, and compares what it gives.
    ///
    /// # Errors
    /// Those of the model; names in the mapping that no tap or no reference has, with near ones; nothing to compare. That
    /// values differ is no error here: see [`Report::into_result`].
    pub fn run<'x>(&self, args: impl IntoArgs<M::Args<'x>>) -> Result<Report> {
        let produced = self.produced(args.into_args())?;
        let values = Values::of(produced, &self.setup().model().names());
        let mut report = self.report("taps", self.tolerance.unwrap_or(TOLERANCE));
        let matches = self.matches(&values)?;
        for (value, matches) in values.tensors.iter().zip(&matches) {
            if matches.is_empty() {
                report.without_reference.push(value.name.clone());
            }
            for found in matches {
                let compared = Compared { name: &value.name, value: &value.tensor, reference: &found.reference };
                report.rows.push(self.row(compared, found.rule, Measure::Each, report.tolerance)?);
            }
        }
        if report.rows.is_empty() {
            return Err(Error::Msg(format!(
                "nothing was compared: no tap of `{}` is mapped to a tensor of {}; say which is which by `map`, or \
                 `same_names`",
                report.model, self.reference
            )));
        }
        let is_output = |name: &str| !["input.", "grad.", "edited."].iter().any(|prefix| name.starts_with(prefix));
        report.left_over = self.left_over(&report.rows, is_output);
        report.notes = values.notes;
        Ok(report)
    }

    fn produced(&self, args: M::Args<'_>) -> Result<Vec<Produced>> {
        let setup = self.setup();
        let inputs = setup.inputs(|| M::__taper_seen(&args));
        setup.in_order(&inputs, |at| setup.model().__taper_call(args, at)).map_err(candle_error)
    }

    fn report(&self, what: &'static str, tolerance: f64) -> Report {
        Report {
            model: self.setup().model().type_name(),
            tolerance,
            what,
            rows: Vec::new(),
            without_reference: Vec::new(),
            left_over: Vec::new(),
            notes: Vec::new(),
        }
    }

    fn matches(&self, values: &Values) -> Result<Vec<Vec<Match>>> {
        let taps: Vec<&str> = values.tensors.iter().map(|value| value.name.as_str()).collect();
        self.mapping.resolve(&taps, &values.possible, self.reference)
    }

    /// One comparison, by one of the rules.
    fn row(&self, compared: Compared<'_>, rule: usize, measure: Measure, tolerance: f64) -> Result<Row> {
        let Compared { name: tap, value, reference } = compared;
        let rule = &self.mapping.rules[rule];
        let expected = self.reference.tensor(reference)?;
        let viewed = |what: &str, of: &str, tensor: &Tensor, view: &Option<View<'_>>| match view {
            Some(view) => view(tensor).map_err(|error| {
                Error::Wrapped(Box::new(format!("in `{what}` of `{of}` {:?}: {error}", tensor.dims())))
            }),
            None => Ok(tensor.clone()),
        };
        let value = viewed("tap_as", tap, value, &rule.tap_as)?;
        let expected = viewed("reference_as", reference, &expected, &rule.reference_as)?;
        let same = value.dims() == expected.dims();
        let difference = same.then(|| Difference::of(&value, &expected, measure)).transpose()?;
        Ok(Row {
            tap: tap.to_owned(),
            reference: reference.to_owned(),
            shape: value.dims().to_vec(),
            expected: expected.dims().to_vec(),
            agrees: difference.as_ref().is_some_and(|difference| difference.is_within(tolerance)),
            difference,
        })
    }

    /// What the reference has of a kind and no row compares.
    fn left_over(&self, rows: &[Row], is_meant: impl Fn(&str) -> bool) -> Vec<String> {
        let compared: BTreeSet<&str> = rows.iter().map(|row| row.reference.as_str()).collect();
        let left = |name: &str| self.leaving.iter().any(|pattern| glob::matches(pattern, name));
        let names = self.reference.names().filter(|name| is_meant(name) && !compared.contains(name) && !left(name));
        names.map(str::to_owned).collect()
    }
}

impl<M: Model> fmt::Debug for Parity<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let model = self.setup().model().type_name();
        f.debug_struct("Parity").field("model", &model).field("reference", self.reference).finish_non_exhaustive()
    }
}

/// A tap's tensor, and the name of what it is compared with.
struct Compared<'c> {
    name: &'c str,
    value: &'c Tensor,
    reference: &'c str,
}

/// What a run gave, as far as it can be compared.
struct Values {
    /// In the order of production.
    tensors: Vec<Value>,
    /// Names of what other inputs might give, visits numbered 0.
    possible: Vec<String>,
    notes: Vec<String>,
}

/// A tensor that a run gave.
struct Value {
    name: String,
    tensor: Tensor,
    site: u32,
}

impl Values {
    fn of(produced: Vec<Produced>, names: &Names) -> Self {
        let reached: BTreeSet<u32> = produced.iter().map(|value| value.index).collect();
        let not_reached = names.entries.iter().filter(|entry| !reached.contains(&entry.index));
        let possible: Vec<String> = not_reached.map(|entry| names.first_visit(entry)).collect();
        let mut notes: Vec<String> =
            possible.iter().map(|name| format!("`{name}` was not reached by these inputs")).collect();
        let mut tensors = Vec::new();
        for Produced { name, index: site, tensors: found, type_name, .. } in produced {
            match found {
                Some(found) => tensors.extend(found.into_iter().map(|(name, tensor)| Value { name, tensor, site })),
                None => notes.push(format!("`{name}` is a `{type_name}`, which is not compared")),
            }
        }
        Values { tensors, possible, notes }
    }
}
