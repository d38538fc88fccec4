//! Whether the weights of a model are still those that were recorded: only a `Var` can change.

use std::collections::HashSet;

use candle_core::{CpuStorage, Storage, Tensor, TensorId};

use crate::Result;
use crate::pass::{Entry, Recorded};
use crate::site::Builder;
use crate::tapped::Tapped;

/// A digest of a tensor's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Fingerprint(u64, u64);

/// The content of every variable that a recorded run depends on.
pub(crate) struct Weights {
    seen: Vec<(Tensor, Fingerprint)>,
}

impl Weights {
    /// The variables that the layers of the model hold, and those on the autograd graph of the recorded values.
    pub(crate) fn of<M: Tapped>(model: &M, root: &Recorded) -> Result<Self> {
        let mut builder = Builder::for_weights();
        model.__taper_sites(&mut builder);
        let mut graph = Graph::default();
        builder.into_weights().iter().for_each(|weight| graph.walk(weight));
        let mut values = Vec::new();
        gather(root, &mut values);
        // A later value has most of the graph of the earlier ones.
        values.sort_by_key(|(order, _)| std::cmp::Reverse(*order));
        values.iter().for_each(|(_, value)| graph.walk(value));
        let seen = graph.vars.into_iter().map(|var| {
            let content = Fingerprint::of(&var)?;
            Ok((var, content))
        });
        Ok(Weights { seen: seen.collect::<Result<_>>()? })
    }

    /// Whether all of them are as they were.
    pub(crate) fn unchanged(&self) -> Result<bool> {
        for (var, content) in &self.seen {
            if Fingerprint::of(var)? != *content {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The variables of an autograd graph.
#[derive(Default)]
struct Graph {
    walked: HashSet<TensorId>,
    vars: Vec<Tensor>,
}

impl Graph {
    fn walk(&mut self, tensor: &Tensor) {
        if !tensor.track_op() || self.walked.contains(&tensor.id()) {
            return;
        }
        for node in tensor.sorted_nodes().into_iter().chain([tensor]) {
            if self.walked.insert(node.id()) && node.is_variable() {
                self.vars.push(node.clone());
            }
        }
    }
}

/// Every recorded tensor that is on an autograd graph, and when it was produced.
fn gather(frame: &Recorded, values: &mut Vec<(u32, Tensor)>) {
    for index in frame.indices() {
        match frame.entry(index) {
            Entry::Value { order, value } => match value.downcast_ref::<Tensor>() {
                // By far the most values; the parts of others come with names, which cost strings.
                Some(tensor) => values.extend(tensor.track_op().then(|| (*order, tensor.clone()))),
                None => {
                    let tensors = crate::bundle::tensors("", &**value).unwrap_or_default().into_iter();
                    values.extend(tensors.filter(|(_, tensor)| tensor.track_op()).map(|(_, tensor)| (*order, tensor)));
                }
            },
            Entry::Frames(frames) => frames.iter().for_each(|frame| gather(frame, values)),
            Entry::NotKept { .. } | Entry::Unreached => {}
        }
    }
}

impl Fingerprint {
    /// Of the content, in the order of the tensor's own elements.
    pub(crate) fn of(tensor: &Tensor) -> Result<Self> {
        let tensor =
            if tensor.device().is_cpu() { tensor.clone() } else { tensor.to_device(&candle_core::Device::Cpu)? };
        let tensor = tensor.contiguous()?;
        let (storage, layout) = tensor.storage_and_layout();
        let (start, end) = layout.contiguous_offsets().unwrap_or((0, 0));
        let Storage::Cpu(storage) = &*storage else { unreachable!("moved to the CPU") };
        Ok(match storage {
            CpuStorage::U8(v) => digest::<_, 8>(&v[start..end], u64::from),
            CpuStorage::U32(v) => digest::<_, 2>(&v[start..end], u64::from),
            CpuStorage::I16(v) => digest::<_, 4>(&v[start..end], |x| u64::from(x.cast_unsigned())),
            CpuStorage::I32(v) => digest::<_, 2>(&v[start..end], |x| u64::from(x.cast_unsigned())),
            CpuStorage::I64(v) => digest::<_, 1>(&v[start..end], i64::cast_unsigned),
            CpuStorage::BF16(v) => digest::<_, 4>(&v[start..end], |x| u64::from(x.to_bits())),
            CpuStorage::F16(v) => digest::<_, 4>(&v[start..end], |x| u64::from(x.to_bits())),
            CpuStorage::F32(v) => digest::<_, 2>(&v[start..end], |x| u64::from(x.to_bits())),
            CpuStorage::F64(v) => digest::<_, 1>(&v[start..end], f64::to_bits),
            CpuStorage::F8E4M3(v) => digest::<_, 8>(&v[start..end], |x| u64::from(x.to_bits())),
            CpuStorage::F6E2M3(v) | CpuStorage::F6E3M2(v) | CpuStorage::F4(v) | CpuStorage::F8E8M0(v) => {
                digest::<_, 8>(v, u64::from)
            }
        })
    }
}

/// Sums side by side, since the processor begins a product before the one before it is done. Contents that differ in one
/// word have different sums; others have equal ones as seldom as in any digest of 64 bits that nobody attacks. As many
/// values as fit make up a word.
fn digest<T: Copy, const PER_WORD: usize>(values: &[T], bits: impl Fn(T) -> u64) -> Fingerprint {
    const LANES: usize = 8;
    let width = const { u64::BITS / PER_WORD as u32 };
    let word = |values: &[T]| values.iter().fold(0, |word: u64, &value| word.rotate_left(width) | bits(value));
    let mut lanes: [u64; LANES] = std::array::from_fn(|lane| lane as u64 + 1);
    let blocks = values.chunks_exact(LANES * PER_WORD);
    let rest = blocks.remainder();
    for block in blocks {
        for (lane, values) in lanes.iter_mut().zip(block.chunks_exact(PER_WORD)) {
            *lane = mixed(*lane, word(values));
        }
    }
    for (lane, values) in lanes.iter_mut().zip(rest.chunks(PER_WORD)) {
        *lane = mixed(*lane, word(values));
    }
    let half =
        |first: usize| lanes.iter().skip(first).step_by(2).fold(values.len() as u64, |sum, &lane| mixed(sum, lane));
    Fingerprint(half(0), half(1))
}

/// Of different words or different sums, different sums.
fn mixed(sum: u64, word: u64) -> u64 {
    (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    /// Every element counts, wherever it stands, and so do signs of zero, the order and the length.
    #[test]
    fn any_difference_shows() -> Result<()> {
        for dtype in [DType::U8, DType::U32, DType::I64, DType::F16, DType::BF16, DType::F32, DType::F64] {
            for len in [1, 2, 7, 16, 17, 64, 131] {
                let zeros = Tensor::zeros(len, dtype, &Device::Cpu)?;
                let mut seen =
                    vec![Fingerprint::of(&zeros)?, Fingerprint::of(&Tensor::zeros(len + 1, dtype, &Device::Cpu)?)?];
                let numbers: Vec<u32> = (0..len as u32).collect();
                for place in numbers.clone() {
                    let one: Vec<f32> = numbers.iter().map(|&i| f32::from(u8::from(i == place))).collect();
                    seen.push(Fingerprint::of(&Tensor::new(one, &Device::Cpu)?.to_dtype(dtype)?)?);
                }
                let (count, different) =
                    (seen.len(), seen.into_iter().map(|Fingerprint(a, b)| (a, b)).collect::<HashSet<_>>());
                assert_eq!(different.len(), count, "{dtype:?}, {len} elements");
            }
        }
        let [plus, minus] =
            [0f32, -0f32].map(|zero| Tensor::full(zero, 3, &Device::Cpu).and_then(|t| Fingerprint::of(&t)));
        assert_ne!(plus?, minus?);
        Ok(())
    }

    /// Of equal contents, equal digests, whatever the layout.
    #[test]
    fn the_layout_does_not_show() -> Result<()> {
        let whole = Tensor::arange(0f32, 60., &Device::Cpu)?.reshape((5, 12))?;
        let part = whole.narrow(0, 1, 3)?.t()?;
        assert_eq!(Fingerprint::of(&part)?, Fingerprint::of(&part.force_contiguous()?)?);
        assert_ne!(Fingerprint::of(&part)?, Fingerprint::of(&part.t()?)?);
        Ok(())
    }
}
