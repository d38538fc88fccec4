//! The values of a run that ended, in the order in which it produced them.

use candle_core::Tensor;

use super::Slots;
use crate::bundle;
use crate::names::{ContainerKind, Names};

/// A value that a run produced.
pub(crate) struct Produced {
    /// The tap's name, visits numbered as in a file of taps: `shared.2.output`.
    pub(crate) name: String,
    /// The site.
    pub(crate) index: u32,
    /// When it was produced.
    order: u32,
    /// Its tensors by their names, which begin with the tap's; `None` for a type that is not known to hold any.
    pub(crate) tensors: Option<Vec<(String, Tensor)>>,
    /// Its type.
    pub(crate) type_name: &'static str,
}

impl Produced {
    pub(crate) fn of<'s>(slots: &'s Slots, names: &Names) -> Vec<Self> {
        let mut all = Vec::new();
        for entry in &names.entries {
            // Frames, with what they are called, and how much of the tap's name that is for.
            let mut frames = vec![(slots, String::new(), 0)];
            for container in &entry.within {
                let plain = names.of(container.node);
                let inside = |(slots, name, len): (&'s Slots, String, usize)| {
                    let name = name + &plain[len..];
                    let called = |visit: usize| match container.kind {
                        ContainerKind::Maybe => name.clone(),
                        ContainerKind::Visits => format!("{name}.{visit}"),
                    };
                    let frames = slots.frames(container.node).iter().enumerate();
                    frames.map(|(visit, frame)| (frame, called(visit), plain.len())).collect::<Vec<_>>()
                };
                frames = frames.into_iter().flat_map(inside).collect();
            }
            for (slots, name, len) in frames {
                let (Some(order), Some(value)) = (slots.order(entry.index), slots.get(entry.index).any()) else {
                    continue;
                };
                let name = name + &entry.name[len..];
                let tensors = bundle::tensors(&name, value);
                all.push(Produced { name, index: entry.index, order, tensors, type_name: entry.value });
            }
        }
        all.sort_by_key(|value| value.order);
        all
    }
}
