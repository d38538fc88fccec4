//! The checks of one tap that compare bits.

use std::sync::Mutex;

use candle_core::Tensor;

use super::compare::Bits;
use super::report::{Finding, Verdict};
use super::{Checked, Full};
use crate::Result;
use crate::model::Model;
use crate::names::NamedSite;
use crate::pass::{Entry, Recorded};
use crate::run::run;

impl<M: Model> Checked<'_, '_, M> {
    pub(super) fn look_at(
        &mut self,
        named: &NamedSite,
        place: usize,
        full: &Full<'_, M>,
        finding: &mut Finding,
    ) -> Result<()> {
        let model = self.check.model;
        let values = &full.taps[place];
        finding.visits = values.len();
        if values.is_empty() {
            return Ok(());
        }
        let alone = self.once(|args| run(model).on_args(args).capture(|_| named.clone()))?;
        finding.stop = Verdict::of(same(values, &alone), || {
            "is not the same in a run that stops there: something after it changes it".to_owned()
        });
        let mut back = self.output(&run(model).edit(|_| named.clone(), Tensor::copy))?.same(&full.output);
        if !named.is_nested() {
            // Here the code that makes it does not run.
            back &= self.output(&run(model).replace(|_| named.clone(), &alone))?.same(&full.output);
        }
        finding.back = Verdict::of(back, || {
            "put in its own place changes the output: what follows depends on more than its values, such as its layout or \
             its identity, or the code that makes it has effects (mark the model `#[model(stateful)]`)"
                .to_owned()
        });
        if values.iter().any(Bits::has_floats) && !full.output.is_unknown() {
            self.disturb(named, full, finding)?;
        }
        Ok(())
    }

    /// What noise does.
    fn disturb(&mut self, named: &NamedSite, full: &Full<'_, M>, finding: &mut Finding) -> Result<()> {
        let (model, seed) = (self.check.model, self.check.seed);
        let noisy = |value: &Tensor| value + noise(value, seed, 1.)?;
        let changed = run(model).edit(|_| named.clone(), noisy);
        let output = self.output(&changed)?;
        let mut reaches = !output.same(&full.output);
        // What is saturated shows an effect of much noise only, and not of any.
        for more in 1..=4 {
            let much = |value: &Tensor| value + noise(value, seed.wrapping_add(more), 16.)?;
            reaches = reaches || !self.output(&run(model).edit(|_| named.clone(), much))?.same(&full.output);
        }
        let meant = self.check.without_effect.iter().any(|name| name == named.name());
        finding.effect = match (reaches, meant) {
            (true, _) => Verdict::Holds,
            (false, true) => Verdict::Unknown,
            (false, false) => Verdict::Fails(
                "has no effect: noise added to it does not reach the output; what follows takes its value from elsewhere (if \
                 that is meant, say `Check::without_effect`)"
                    .to_owned(),
            ),
        };
        let Some(recording) = &full.recording else { return Ok(()) };
        let replayed = self.output(&recording.replay().edit(|_| named.clone(), noisy))?;
        finding.replay = Verdict::of(replayed.same(&output), || {
            "edited in a replay gives another output than edited in a run from the start: the order of the calls, or what \
             they compute, is not the same in every run"
                .to_owned()
        });
        let changed = self.once(|args| changed.on_args(args).record_if_stateless())?;
        let order = recording.root().first_order(named.index(), &[], recording.layout());
        let other = order.and_then(|order| first_difference(recording.root(), changed.root(), order));
        finding.before = Verdict::of(other.is_none(), || {
            let names = crate::names::Describe::names(model);
            let name = other.map_or_else(String::new, |index| names.of(index));
            format!("changes `{name}`, which is produced before it: the two share memory")
        });
        Ok(())
    }

    /// For each tap, whether its value is at the end of the pass what it was when it flowed by.
    pub(super) fn overwritten(&mut self, tensors: &[&NamedSite]) -> Result<Vec<Verdict>> {
        let model = self.check.model;
        let copies: Vec<Mutex<Vec<Bits>>> = tensors.iter().map(|_| Mutex::default()).collect();
        let mut copying = run(model);
        for (named, copies) in tensors.iter().zip(&copies) {
            let copy = |value: &Tensor| {
                copies.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(Bits::of(&value.copy()?));
                Ok(value.clone())
            };
            copying = copying.edit(|_| (*named).clone(), copy).if_reached();
        }
        let selection: Vec<NamedSite> = tensors.iter().map(|named| (*named).clone()).collect();
        let values = self.once(|args| copying.on_args(args).capture_to_the_end(|_| selection))?;
        let verdicts = values.iter().zip(&copies).map(|(values, copies)| {
            let copies = copies.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match copies.is_empty() {
                true => Verdict::Unknown,
                false => Verdict::of(same(&copies, values), || {
                    "is overwritten after it was captured: later code writes into its memory, as in-place caches and \
                     `Var::set` do; tap a `.copy()` of it"
                        .to_owned()
                }),
            }
        });
        Ok(verdicts.collect())
    }
}

fn same(expected: &[Bits], values: &[Tensor]) -> bool {
    expected.len() == values.len() && expected.iter().zip(values).all(|(e, value)| e.same(&Bits::of(value)))
}

/// Reproducible noise, `size` times as large as the value: uniform in ±(half its largest element), or ±0.5 where all are 0.
fn noise(value: &Tensor, seed: u64, size: f64) -> Result<Tensor> {
    let largest = value.abs()?.flatten_all()?.to_dtype(candle_core::DType::F64)?;
    let largest = largest.to_vec1::<f64>()?.into_iter().filter(|x| x.is_finite()).fold(0., f64::max);
    let scale = if largest > 0. { largest } else { 1. };
    direction(value, seed)? * (scale * size)
}

/// Reproducible numbers between −0.5 and 0.5, of the value's shape and dtype.
pub(super) fn direction(value: &Tensor, seed: u64) -> Result<Tensor> {
    let mut state = seed ^ 0x5851_f42d_4c95_7f2d;
    let numbers = (0..value.elem_count()).map(|_| {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(0)) / f64::from(u32::MAX) - 0.5
    });
    let numbers: Vec<f64> = numbers.collect();
    Tensor::from_vec(numbers, value.shape(), &candle_core::Device::Cpu)?
        .to_dtype(value.dtype())?
        .to_device(value.device())
}

/// The first site whose value was produced before `order` and differs.
fn first_difference(a: &Recorded, b: &Recorded, order: u32) -> Option<u32> {
    a.indices().find_map(|index| match (a.entry(index), b.entry(index)) {
        (Entry::Value { order: at, value }, Entry::Value { value: other, .. }) if *at < order => {
            (!Bits::of(&**value).same(&Bits::of(&**other))).then_some(index)
        }
        (Entry::Frames(frames), Entry::Frames(others)) => {
            frames.iter().zip(others).find_map(|(a, b)| first_difference(a, b, order))
        }
        _ => None,
    })
}
