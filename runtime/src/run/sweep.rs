//! Activation patching: values of one recording put into another, site by site, and what that does to a number.

use candle_core::{DType, Device, Tensor};

use super::recording::Recording;
use super::setup::Setup;
use super::table::SweepTable;
use super::{IntoArgs, Runnable};
use crate::model::Model;
use crate::names::Describe;
use crate::pass::{Change, Entry, What};
use crate::select::{Aims, Targets, stranger};
use crate::{Error, Result};

/// A number that a metric gives: a scalar tensor, or the number itself.
pub trait Metric {
    /// The number.
    ///
    /// # Errors
    /// A tensor that does not have one element.
    fn number(self) -> Result<f64>;
}

impl Metric for f64 {
    fn number(self) -> Result<f64> {
        Ok(self)
    }
}

impl Metric for f32 {
    fn number(self) -> Result<f64> {
        Ok(f64::from(self))
    }
}

impl Metric for Tensor {
    fn number(self) -> Result<f64> {
        if self.elem_count() != 1 {
            return Err(Error::Msg(format!("a metric is one number, and this is {:?}; reduce it", self.dims())));
        }
        self.flatten_all()?.get(0)?.to_dtype(DType::F64)?.to_scalar()
    }
}

type Progress<'p> = Box<dyn FnMut(usize, usize) + 'p>;

/// Patches each of some sites from one recording into another: what [`Recording::sweep`] gives.
#[must_use = "a sweep runs when it is measured"]
pub struct Sweep<'r, M: Runnable> {
    setup: Setup<'r, 'r, M>,
    places: Vec<Place>,
    dims: Vec<isize>,
    progress: Option<Progress<'r>>,
    fault: Option<Error>,
}

/// A site, one of its visits, and what both recordings have there.
struct Place {
    name: String,
    index: u32,
    visits: Vec<(u32, u32)>,
    base: Tensor,
    source: Tensor,
}

impl<M: Model> Recording<'_, '_, M> {
    /// Activation patching: the value of each site of a selection is taken from `source` and put into this recording's run,
    /// one at a time, and a metric of the output is measured.
    ///
    /// What comes before the site is reused, so that a sweep over all layers computes half of them on average. See Heimersheim
    /// and Nanda, “How to use and interpret activation patching” (2024).
    ///
    /// ```
    /// # use taper::{Model, forward, candle_core::{Device, DType, Result, Tensor}, candle_nn::{Linear, linear, VarBuilder, Module}};
    /// # #[derive(Model)]
    /// # pub struct Net {
    /// #     #[load(linear(4, 4))]
    /// #     pub first: Linear,
    /// #     #[load(linear(4, 2))]
    /// #     pub last: Linear,
    /// # }
    /// # #[forward]
    /// # impl Net {
    /// #     pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
    /// #         self.last.forward(&self.first.forward(x)?.relu()?)
    /// #     }
    /// # }
    /// # let net = Net::load(VarBuilder::zeros(DType::F32, &Device::Cpu))?;
    /// # let clean_x = Tensor::zeros((2, 4), DType::F32, &Device::Cpu)?;
    /// # let corrupted_x = Tensor::ones((2, 4), DType::F32, &Device::Cpu)?;
    /// let clean = net.run().record(&clean_x)?;
    /// let corrupted = net.run().record(&corrupted_x)?;
    /// let table = corrupted
    ///     .sweep(&clean, |t| (t.first, t.output))
    ///     .along(0)
    ///     .measure(&corrupted_x, |y| y.sum_all())?;
    /// assert_eq!(table.names(), ["first", "output"]);
    /// # Ok::<(), taper::candle_core::Error>(())
    /// ```
    pub fn sweep<'r, S: Targets<Item = Tensor>>(
        &'r self,
        source: &Recording<'_, '_, M>,
        select: impl FnOnce(M::Sites) -> S,
    ) -> Sweep<'r, M> {
        let mut setup = Setup::new(self.model());
        setup.changes = self.changes().inherited();
        setup.base = Some(self.base());
        let selection = select(setup.user_sites());
        let (places, fault) = match places(&setup, self, source, &selection) {
            Ok(places) => (places, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        Sweep { setup, places, dims: Vec::new(), progress: None, fault }
    }
}

fn places<M: Model, S: Targets<Item = Tensor>>(
    setup: &Setup<'_, '_, M>,
    base: &Recording<'_, '_, M>,
    source: &Recording<'_, '_, M>,
    selection: &S,
) -> Result<Vec<Place>> {
    let layout = &setup.layout;
    let names = setup.model.names();
    let mut found = Vec::new();
    for aim in Aims::of(selection, None)? {
        if aim.span.tree != layout.fingerprint {
            return Err(stranger(aim.span.first, aim.span.tree, &setup.model));
        }
        for index in (aim.span.first..aim.span.end).filter(|&index| !layout.is_frame(index)) {
            let name = names.of(index);
            let visits = base.root().visits_of(index, &aim.visits, layout);
            if visits.is_empty() {
                return Err(Error::Msg(format!("the recorded run did not reach `{name}`")));
            }
            let repeated = visits.len() > 1;
            for (number, (path, entry)) in visits.into_iter().enumerate() {
                let others = source.root().visits_of(index, &path, layout);
                let other = others.first().map_or(&Entry::Unreached, |(_, entry)| *entry);
                let place = Place {
                    name: if repeated { format!("{name}#{number}") } else { name.clone() },
                    index,
                    visits: path,
                    base: tensor(entry, &name)?,
                    source: tensor(other, &name)?,
                };
                place.check()?;
                found.push(place);
            }
        }
    }
    Ok(found)
}

fn tensor(entry: &Entry, name: &str) -> Result<Tensor> {
    match entry {
        Entry::Value { value, .. } => value
            .downcast_ref::<Tensor>()
            .cloned()
            .ok_or_else(|| Error::Msg(format!("`{name}` is not a `Tensor`; select tensors"))),
        Entry::NotKept { .. } => Err(Error::Msg(format!("a recording has not kept `{name}`; keep it when recording"))),
        Entry::Unreached | Entry::Frames(_) => Err(Error::Msg(format!("a recorded run did not reach `{name}`"))),
    }
}

impl Place {
    fn check(&self) -> Result<()> {
        if self.base.dims() == self.source.dims() && self.base.dtype() == self.source.dtype() {
            return Ok(());
        }
        Err(Error::Msg(format!(
            "`{}` is {:?} {:?} in one recording and {:?} {:?} in the other; patch runs of equal shapes",
            self.name,
            self.base.dims(),
            self.base.dtype(),
            self.source.dims(),
            self.source.dtype()
        )))
    }

    /// The base with the slice at these indices taken from the source.
    fn patched(&self, dims: &[usize], at: &[usize]) -> Result<Tensor> {
        let slices: Vec<_> = dims.iter().copied().zip(at.iter().copied()).collect();
        spliced(&self.base, &self.source, &slices)
    }
}

fn spliced(base: &Tensor, source: &Tensor, slices: &[(usize, usize)]) -> Result<Tensor> {
    let Some((&(dim, at), rest)) = slices.split_first() else { return Ok(source.clone()) };
    let size = base.dim(dim)?;
    let slice = spliced(&base.narrow(dim, at, 1)?, &source.narrow(dim, at, 1)?, rest)?;
    let mut parts = Vec::new();
    if at > 0 {
        parts.push(base.narrow(dim, 0, at)?);
    }
    parts.push(slice);
    if at + 1 < size {
        parts.push(base.narrow(dim, at + 1, size - at - 1)?);
    }
    Tensor::cat(&parts, dim)
}

impl<'r, M: Model> Sweep<'r, M> {
    /// Patches each index of a dimension on its own: each head, each position. Counted from the end if negative; called
    /// twice, each pair of indices.
    pub fn along(mut self, dim: isize) -> Self {
        self.dims.push(dim);
        self
    }

    /// Calls `f` with how many runs are done, and how many there are, before the first run and after each.
    pub fn on_progress(mut self, f: impl FnMut(usize, usize) + 'r) -> Self {
        self.progress = Some(Box::new(f));
        self
    }

    /// Runs the model for each patch, on the inputs of the recording that is patched.
    ///
    /// `args`: these inputs as one value, `&x` of a model with one and a tuple, `(&ids, None)`, of others, as all that runs a
    /// model more than once takes them ([`integrated_gradients`](crate::Loss::integrated_gradients), [`check`](fn@crate::check)):
    /// they are cloned for each run, and functions with the parameters of `forward` itself are generated for one run alone.
    ///
    /// # Errors
    /// Those of the model and of the metric; inputs that are not the recorded ones; sites whose values have another shape in
    /// the two recordings, or, where they are patched along dimensions, another shape than each other.
    pub fn measure<'a, R: Metric>(
        mut self,
        args: impl IntoArgs<M::Args<'a>>,
        metric: impl Fn(&M::Output) -> Result<R>,
    ) -> std::result::Result<SweepTable, M::Error>
    where
        M::Args<'a>: Clone,
    {
        let args = args.into_args();
        if let Some(fault) = self.fault.take() {
            return Err(fault.into());
        }
        let (dims, axes) = self.axes()?;
        let number = |output: &M::Output| metric(output).and_then(Metric::number);
        let baseline = number(&self.run(None, args.clone())?)?;
        self.setup.trust_base();
        let each: Vec<Vec<usize>> = indices(&axes);
        let total = self.places.len() * each.len();
        let mut progress = self.progress.take();
        let mut tell = |done| progress.iter_mut().for_each(|f| f(done, total));
        let mut values = Vec::with_capacity(total);
        tell(0);
        for place in 0..self.places.len() {
            for at in &each {
                let patched = self.places[place].patched(&dims, at)?;
                values.push(number(&self.run(Some((place, patched)), args.clone())?)?);
                tell(values.len());
            }
        }
        let names = self.places.iter().map(|place| place.name.clone()).collect::<Vec<_>>();
        let shape: Vec<usize> = std::iter::once(names.len()).chain(axes).collect();
        let values = Tensor::from_vec(values, shape, &Device::Cpu)?;
        Ok(SweepTable { names, dims: self.dims, values, baseline })
    }

    /// The dimensions that are patched along, and their sizes, which all sites share.
    fn axes(&self) -> Result<(Vec<usize>, Vec<usize>)> {
        let mut found: Option<(&Place, Vec<usize>, Vec<usize>)> = None;
        for place in &self.places {
            let (mut dims, mut sizes) = (Vec::new(), Vec::new());
            for &dim in &self.dims {
                let rank = place.base.rank();
                let known = if dim < 0 { rank.checked_add_signed(dim) } else { Some(dim.unsigned_abs()) };
                let Some(dim) = known.filter(|&dim| dim < rank) else {
                    return Err(Error::Msg(format!(
                        "`{}` has no dimension {dim}: it is {:?}",
                        place.name,
                        place.base.dims()
                    )));
                };
                if dims.contains(&dim) {
                    return Err(Error::Msg(format!("dimension {dim} is patched along twice")));
                }
                dims.push(dim);
                sizes.push(place.base.dims()[dim]);
            }
            match &found {
                Some((first, _, other)) if *other != sizes => {
                    return Err(Error::Msg(format!(
                        "`{}` is {:?} and `{}` is {:?}: sites that are patched along dimensions need equal sizes there; sweep \
                         them one after the other",
                        first.name,
                        first.base.dims(),
                        place.name,
                        place.base.dims()
                    )));
                }
                Some((_, other, _)) if *other != dims => {
                    return Err(Error::Msg(
                        "sites of different rank are patched along different dimensions".to_owned(),
                    ));
                }
                Some(_) => {}
                None => found = Some((place, dims, sizes)),
            }
        }
        Ok(found.map(|(_, dims, sizes)| (dims, sizes)).unwrap_or_default())
    }

    fn run(&mut self, patch: Option<(usize, Tensor)>, args: M::Args<'_>) -> std::result::Result<M::Output, M::Error> {
        let patched = patch.is_some();
        if let Some((place, value)) = patch {
            let Place { index, visits, .. } = &self.places[place];
            self.setup.changes.push(Change {
                index: *index,
                visits: visits.clone(),
                what: What::set(&value),
                optional: false,
                call: 0,
                inherited: false,
            });
        }
        let inputs = self.setup.inputs(|| M::__taper_seen(&args));
        let model = self.setup.model;
        let output = self.setup.forward(inputs, |at| model.__taper_call(args, at));
        if patched {
            self.setup.changes.pop();
        }
        output
    }
}

/// Every combination of indices below the sizes, the last changing fastest.
pub(super) fn indices(sizes: &[usize]) -> Vec<Vec<usize>> {
    sizes.iter().fold(vec![Vec::new()], |all, &size| {
        all.iter().flat_map(|at| (0..size).map(move |i| [at.as_slice(), &[i]].concat())).collect()
    })
}
