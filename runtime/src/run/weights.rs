//! Whether the weights of a model are still those that were recorded: only a `Var` can change.

use std::collections::HashSet;

use candle_core::{CpuStorage, Storage, Tensor, TensorId};

use crate::Result;
use crate::pass::{Entry, Recorded};
use crate::site::Builder;
use crate::tapped::Tapped;

/// A digest of a tensor's content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fingerprint(u64, u64);

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

/// Every recorded tensor, and when it was produced.
fn gather(frame: &Recorded, values: &mut Vec<(u32, Tensor)>) {
    for index in frame.indices() {
        match frame.entry(index) {
            Entry::Value { order, value } => {
                let tensors = crate::bundle::tensors("", &**value).unwrap_or_default();
                values.extend(tensors.into_iter().map(|(_, tensor)| (*order, tensor)));
            }
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
            CpuStorage::U8(v) => digest(v[start..end].iter().map(|&x| u64::from(x))),
            CpuStorage::U32(v) => digest(v[start..end].iter().map(|&x| u64::from(x))),
            CpuStorage::I16(v) => digest(v[start..end].iter().map(|&x| u64::from(x.cast_unsigned()))),
            CpuStorage::I32(v) => digest(v[start..end].iter().map(|&x| u64::from(x.cast_unsigned()))),
            CpuStorage::I64(v) => digest(v[start..end].iter().map(|&x| x.cast_unsigned())),
            CpuStorage::BF16(v) => digest(v[start..end].iter().map(|x| u64::from(x.to_bits()))),
            CpuStorage::F16(v) => digest(v[start..end].iter().map(|x| u64::from(x.to_bits()))),
            CpuStorage::F32(v) => digest(v[start..end].iter().map(|x| u64::from(x.to_bits()))),
            CpuStorage::F64(v) => digest(v[start..end].iter().map(|x| x.to_bits())),
            CpuStorage::F8E4M3(v) => digest(v[start..end].iter().map(|x| u64::from(x.to_bits()))),
            CpuStorage::F6E2M3(v) | CpuStorage::F6E3M2(v) | CpuStorage::F4(v) | CpuStorage::F8E8M0(v) => {
                digest(v.iter().map(|&x| u64::from(x)))
            }
        })
    }
}

/// Four sums side by side, so that the processor adds several at once; an equal sum of different contents is as likely as
/// for any digest of 128 bits that nobody attacks.
fn digest(words: impl ExactSizeIterator<Item = u64>) -> Fingerprint {
    const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;
    let len = words.len() as u64;
    let mut lanes = [len, 1, 2, 3];
    for (place, word) in words.enumerate() {
        let lane = &mut lanes[place % 4];
        *lane = (*lane ^ word).wrapping_mul(MULTIPLIER).rotate_left(29);
    }
    let mix = |a: u64, b: u64| (a ^ b.rotate_left(32)).wrapping_mul(MULTIPLIER);
    Fingerprint(mix(lanes[0], lanes[1]), mix(lanes[2], lanes[3]))
}
