//! What runs give: tensors by name.

use std::collections::BTreeMap;
use std::ops::Index;
use std::path::Path;

use candle_core::Tensor;
use taper::__private::Visited;

use crate::model::SavedModel;
use crate::run::Place;
use crate::{Error, Result};

/// What a model gives, by the names of its signature.
#[derive(Clone, Debug)]
pub struct Outputs {
    all: Vec<(String, Tensor)>,
}

impl Outputs {
    pub(crate) fn of(model: &SavedModel, values: Vec<Tensor>) -> Self {
        Outputs { all: model.graph.outputs.iter().map(|output| output.name.clone()).zip(values).collect() }
    }

    /// The output of a name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.all.iter().find(|(own, _)| own == name).map(|(_, tensor)| tensor)
    }

    /// The output of a model that has one.
    ///
    /// # Errors
    /// A model that has several.
    pub fn single(&self) -> Result<&Tensor> {
        match self.all.as_slice() {
            [(_, tensor)] => Ok(tensor),
            all => {
                let names: Vec<_> = all.iter().map(|(name, _)| format!("`{name}`")).collect();
                Err(Error::Msg(format!("the model has {} outputs: {}", all.len(), names.join(", "))))
            }
        }
    }

    /// The outputs in the order of their names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.all.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }
}

impl Index<&str> for Outputs {
    type Output = Tensor;

    /// Panics if there is no output of the name; [`get`](Outputs::get) does not.
    fn index(&self, name: &str) -> &Tensor {
        self.get(name).unwrap_or_else(|| panic!("there is no output `{name}`"))
    }
}

/// The tensors that were asked for, in the order in which they were, with their whole names.
///
/// A tensor in a loop has a value for every step, one behind the other, whose number its name has:
/// `lstm/while/body.2/lstm_cell/MatMul` is that of the third. One in a branch that was not taken has none.
#[derive(Clone, Debug)]
pub struct Captured {
    all: Vec<Value>,
    absent: Vec<Absent>,
}

/// Why there is nothing for a name.
#[derive(Clone, Debug)]
struct Absent {
    why: String,
    /// Whether the name has the number of a step.
    of_a_step: bool,
}

/// A value that was asked for.
#[derive(Clone, Debug)]
struct Value {
    /// With the steps of the loops around it.
    name: String,
    /// Without them.
    plain: String,
    /// The names by layers, in the same way.
    short: String,
    short_plain: String,
    visits: Vec<u32>,
    tensor: Tensor,
}

impl Captured {
    /// The values at some places. A group of them may give nothing at all.
    pub(crate) fn of(model: &SavedModel, groups: &[Vec<Place>], values: Vec<Vec<Visited<Tensor>>>) -> Self {
        let (mut all, mut absent) = (Vec::new(), Vec::new());
        let mut values = values.into_iter();
        for group in groups {
            let before = all.len();
            for (place, visited) in group.iter().zip(values.by_ref()) {
                let sited = &model.sited[place.site];
                all.extend(visited.into_iter().map(|Visited { visits, value }| Value {
                    name: sited.at(&visits),
                    plain: sited.name.clone(),
                    short: sited.short_at(&visits),
                    short_plain: sited.short_at(&[]),
                    visits,
                    tensor: value,
                }));
            }
            if let Some(place) = group.first().filter(|_| all.len() == before) {
                let of_a_step = place.visits.iter().any(Option::is_some);
                absent.push(Absent { why: model.nothing(place).to_string(), of_a_step });
            }
        }
        Captured { all, absent }
    }

    /// The same, something for every name.
    pub(crate) fn whole(self) -> Result<Self> {
        match self.absent.first() {
            Some(absent) => Err(Error::Msg(absent.why.clone())),
            None => Ok(self),
        }
    }

    /// Why there is nothing for some of the names, in a run that [may](crate::Run::allow_absent) leave them out: a branch that
    /// was not taken, a step that was not made.
    pub fn absent(&self) -> impl ExactSizeIterator<Item = &str> {
        self.absent.iter().map(|absent| absent.why.as_str())
    }

    /// Those of [`absent`](Self::absent) that are about a name with the number of a step, which no loop made.
    pub fn absent_steps(&self) -> impl Iterator<Item = &str> {
        self.absent.iter().filter(|absent| absent.of_a_step).map(|absent| absent.why.as_str())
    }

    /// The tensors with their whole names without numbers, and the steps of the loops around them, outermost first.
    pub fn iter_visits(&self) -> impl ExactSizeIterator<Item = (&str, &[u32], &Tensor)> {
        self.all.iter().map(|value| (value.plain.as_str(), value.visits.as_slice(), &value.tensor))
    }

    /// A tensor that was captured: by its whole name, by its name by layers, or by the end of that if it is that of one of
    /// them, with the numbers of its steps if it stands in a loop.
    ///
    /// ```
    /// # use candle_core::{DType, Device, Tensor};
    /// # let model = taper_saved::open("../tests/data/saved/custom/export")?;
    /// # let x = Tensor::zeros((3, 8), DType::F32, &Device::Cpu)?;
    /// # let inputs = || model.input_tensors().map(|(name, _)| (name, &x));
    /// let captured = model.capture(inputs(), &["custom/two/Tanh"])?;
    /// assert!(captured.get("two/Tanh").is_some());
    /// assert!(captured.get("custom/two/d1/Relu").is_none());
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        match self.meant(name, |value| &value.name, |value| &value.short).as_slice() {
            [value] => Some(&value.tensor),
            _ => None,
        }
    }

    /// The values of a tensor in a loop, by one of these names without numbers, one for every step in the order of the run. Of
    /// any other tensor there is one.
    pub fn visits(&self, name: &str) -> Vec<&Tensor> {
        let meant = self.meant(name, |value| &value.plain, |value| &value.short_plain);
        meant.into_iter().map(|value| &value.tensor).collect()
    }

    /// The values of one tensor whose whole name this is, or whose name by layers, or the end of it; nothing if it is that of
    /// several tensors.
    fn meant(&self, name: &str, whole: impl Fn(&Value) -> &str, short: impl Fn(&Value) -> &str) -> Vec<&Value> {
        let is_end = |of: &str| of.strip_suffix(name).is_some_and(|before| before.ends_with('/'));
        let among = |is: &dyn Fn(&Value) -> bool| self.all.iter().filter(|value| is(value)).collect::<Vec<_>>();
        let found = [
            among(&|value| whole(value) == name),
            among(&|value| short(value) == name),
            among(&|value| is_end(short(value))),
        ];
        let found = found.into_iter().find(|found| !found.is_empty()).unwrap_or_default();
        match found.iter().all(|value| value.plain == found[0].plain) {
            true => found,
            false => Vec::new(),
        }
    }

    /// The value of a tensor in one step of its loop, from the end if negative.
    ///
    /// # Errors
    /// A tensor that was not asked for, and a step that the run did not make.
    pub fn nth(&self, name: &str, visit: isize) -> Result<&Tensor> {
        let visits = self.visits(name);
        let place = if visit < 0 { visits.len().checked_add_signed(visit) } else { Some(visit.unsigned_abs()) };
        place.and_then(|place| visits.get(place).copied()).ok_or_else(|| {
            let made = visits.len();
            Error::Msg(format!("visit {visit} of `{name}` was asked for, and {made} were captured under this name"))
        })
    }

    /// The values of a tensor in a loop as one tensor, the steps being its first axis: `[step, …]`.
    ///
    /// # Errors
    /// A tensor that was not asked for, and values of different shapes.
    pub fn stacked(&self, name: &str) -> Result<Tensor> {
        let visits = self.visits(name);
        if visits.is_empty() {
            return Err(Error::Msg(format!("nothing was captured under the name `{name}`")));
        }
        Tensor::stack(&visits, 0).map_err(|error| {
            Error::Msg(format!("the values of `{name}` can't be stacked, take them by `visits`: {error}"))
        })
    }

    /// The one tensor that was asked for.
    ///
    /// # Errors
    /// Several were, or several steps of one.
    pub fn single(&self) -> Result<&Tensor> {
        match self.all.as_slice() {
            [value] => Ok(&value.tensor),
            [first, rest @ ..] if rest.iter().all(|value| value.plain == first.plain) => Err(Error::Msg(format!(
                "`{}` has {} values, one for every step; take them by `visits` or `stacked`, or ask for one: `{}`",
                first.plain,
                self.all.len(),
                first.name
            ))),
            all => Err(Error::Msg(format!("{} tensors were captured, and not one", all.len()))),
        }
    }

    /// The same, taken out.
    ///
    /// # Errors
    /// As [`single`](Self::single).
    pub fn into_single(self) -> Result<Tensor> {
        self.single().cloned()
    }

    /// The tensors with their whole names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor)> {
        self.all.iter().map(|value| (value.name.as_str(), &value.tensor))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether nothing was asked for.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Writes the tensors as safetensors, keyed by their whole names.
    ///
    /// # Errors
    /// A file that can't be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let tensors: BTreeMap<&str, Tensor> =
            self.iter().map(|(name, tensor)| Ok((name, tensor.contiguous()?))).collect::<Result<_>>()?;
        let tensors = tensors.into_iter().collect();
        candle_core::safetensors::save(&tensors, path)
    }
}

impl Index<usize> for Captured {
    type Output = Tensor;

    fn index(&self, place: usize) -> &Tensor {
        &self.all[place].tensor
    }
}
