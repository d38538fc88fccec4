//! The types of values that are known to hold tensors: what is detached, copied, saved and loaded.

use std::any::{Any, TypeId};
use std::sync::Arc;

use candle_core::Tensor;
use candle_nn::rnn::{GRUState, LSTMState};

use crate::Result;
use crate::pass::Slot;

type Change<'f> = &'f mut dyn FnMut(&str, &mut Tensor) -> Result<()>;
type Get<'f> = &'f dyn Fn(&str) -> Option<Tensor>;

/// A value made of tensors.
trait Bundle: Clone + Any {
    /// Calls `f` with every tensor, under names that extend `name`.
    fn each(&mut self, name: &str, f: Change<'_>) -> Result<()>;

    /// The value whose tensors `get` has under the same names.
    fn gather(name: &str, get: Get<'_>) -> Option<Self>;
}

impl Bundle for Tensor {
    fn each(&mut self, name: &str, f: Change<'_>) -> Result<()> {
        f(name, self)
    }

    fn gather(name: &str, get: Get<'_>) -> Option<Self> {
        get(name)
    }
}

impl<B: Bundle> Bundle for Option<B> {
    fn each(&mut self, name: &str, f: Change<'_>) -> Result<()> {
        self.as_mut().map_or(Ok(()), |b| b.each(name, f))
    }

    fn gather(name: &str, get: Get<'_>) -> Option<Self> {
        Some(B::gather(name, get))
    }
}

impl<B: Bundle> Bundle for Vec<B> {
    fn each(&mut self, name: &str, f: Change<'_>) -> Result<()> {
        self.iter_mut().enumerate().try_for_each(|(i, b)| b.each(&format!("{name}.{i}"), f))
    }

    fn gather(name: &str, get: Get<'_>) -> Option<Self> {
        Some((0..).map_while(|i| B::gather(&format!("{name}.{i}"), get)).collect())
    }
}

macro_rules! bundles {
    ($($type:ty { $($part:tt),+ })+) => {$(
        impl Bundle for $type {
            fn each(&mut self, name: &str, f: Change<'_>) -> Result<()> {
                $(self.$part.each(&format!("{name}.{}", stringify!($part)), f)?;)+
                Ok(())
            }

            fn gather(name: &str, get: Get<'_>) -> Option<Self> {
                Some(Self { $($part: Bundle::gather(&format!("{name}.{}", stringify!($part)), get)?),+ })
            }
        }
    )+};
}

bundles! {
    LSTMState { h, c }
    GRUState { h }
}

macro_rules! tuples {
    ($(($($part:tt $name:ident),+))+) => {$(
        impl<$($name: Bundle),+> Bundle for ($($name,)+) {
            fn each(&mut self, name: &str, f: Change<'_>) -> Result<()> {
                $(self.$part.each(&format!("{name}.{}", $part), f)?;)+
                Ok(())
            }

            fn gather(name: &str, get: Get<'_>) -> Option<Self> {
                Some(($($name::gather(&format!("{name}.{}", $part), get)?,)+))
            }
        }
    )+};
}

tuples! {
    (0 A, 1 B)
    (0 A, 1 B, 2 C)
    (0 A, 1 B, 2 C, 3 D)
}

/// A type of values that are looked into.
struct Known {
    type_id: fn() -> TypeId,
    each: fn(&mut dyn Any, &str, Change<'_>) -> Result<()>,
    tensors: fn(&dyn Any, &str) -> Vec<(String, Tensor)>,
    gather: fn(&str, Get<'_>) -> Option<Slot>,
    share: fn(&dyn Any) -> Shared,
    slot: fn(&dyn Any) -> Slot,
}

/// A value that several runs hold, in any thread.
pub(crate) type Shared = Arc<dyn Any + Send + Sync>;

const fn known<B: Bundle + Send + Sync>() -> Known {
    Known {
        type_id: TypeId::of::<B>,
        each: |value, name, f| value.downcast_mut::<B>().map_or(Ok(()), |b| b.each(name, f)),
        tensors: |value, name| {
            let mut tensors = Vec::new();
            let mut keep = |name: &str, tensor: &mut Tensor| {
                tensors.push((name.to_owned(), tensor.clone()));
                Ok(())
            };
            if let Some(value) = value.downcast_ref::<B>() {
                value.clone().each(name, &mut keep).expect("keeping can't fail");
            }
            tensors
        },
        gather: |name, get| B::gather(name, get).map(Slot::of),
        share: |value| Arc::new(value.downcast_ref::<B>().expect("looked up by its type").clone()),
        slot: |value| Slot::of(value.downcast_ref::<B>().expect("looked up by its type").clone()),
    }
}

static KNOWN: [Known; 12] = [
    known::<Tensor>(),
    known::<Option<Tensor>>(),
    known::<Vec<Tensor>>(),
    known::<(Tensor, Tensor)>(),
    known::<(Tensor, Option<Tensor>)>(),
    known::<(Tensor, Vec<Tensor>)>(),
    known::<(Tensor, Tensor, Tensor)>(),
    known::<(Tensor, Tensor, Tensor, Tensor)>(),
    known::<LSTMState>(),
    known::<Vec<LSTMState>>(),
    known::<GRUState>(),
    known::<Vec<GRUState>>(),
];

fn of(type_id: TypeId) -> Option<&'static Known> {
    KNOWN.iter().find(|known| (known.type_id)() == type_id)
}

/// Changes the tensors of a value. A value of an unknown type is left as it is.
pub(crate) fn for_tensors(value: &mut dyn Any, f: &mut dyn FnMut(&mut Tensor) -> Result<()>) -> Result<()> {
    // By far the most values; the table costs strings.
    if let Some(tensor) = value.downcast_mut::<Tensor>() {
        return f(tensor);
    }
    let type_id = (*value).type_id();
    of(type_id).map_or(Ok(()), |known| (known.each)(value, "", &mut |_, tensor| f(tensor)))
}

/// The tensors of a value, under names that extend `name`; `None` for a value of an unknown type.
pub(crate) fn tensors(name: &str, value: &dyn Any) -> Option<Vec<(String, Tensor)>> {
    of(value.type_id()).map(|known| (known.tensors)(value, name))
}

/// Whether the tensors of two values of a type agree in shapes, dtypes and devices.
pub(crate) fn same_form(a: &dyn Any, b: &dyn Any) -> bool {
    // By far the most values; the words are made of strings.
    if let (Some(a), Some(b)) = (a.downcast_ref::<Tensor>(), b.downcast_ref::<Tensor>()) {
        return a.dims() == b.dims() && a.dtype() == b.dtype() && a.device().location() == b.device().location();
    }
    form(a) == form(b)
}

/// Shapes, dtypes and devices of the tensors of a value, in words; `None` for a value of an unknown type.
pub(crate) fn form(value: &dyn Any) -> Option<String> {
    let form = |t: &Tensor| format!("{:?} {:?} on {:?}", t.dims(), t.dtype(), t.device().location());
    if let Some(tensor) = value.downcast_ref::<Tensor>() {
        return Some(form(tensor));
    }
    let tensors = tensors("", value)?;
    Some(format!("({})", tensors.iter().map(|(_, t)| form(t)).collect::<Vec<_>>().join(", ")))
}

/// The value as several runs can hold it; `None` for a value of an unknown type, which may not leave its thread.
pub(crate) fn share(value: &dyn Any) -> Option<Shared> {
    let type_id = value.type_id();
    let plain = || PLAIN.iter().find(|plain| (plain.type_id)() == type_id).map(|plain| (plain.share)(value));
    of(type_id).map(|known| (known.share)(value)).or_else(plain)
}

/// A copy of a value that is shared, detached if asked for.
pub(crate) fn slot(value: &Shared, attached: bool) -> Slot {
    match of((**value).type_id()) {
        Some(known) if !attached => {
            let mut slot = (known.slot)(&**value);
            let detach = &mut |tensor: &mut Tensor| {
                *tensor = tensor.detach();
                Ok(())
            };
            let done = match &mut slot {
                Slot::Tensor(tensor) => detach(tensor),
                Slot::Other(value) => for_tensors(&mut **value, detach),
                _ => Ok(()),
            };
            done.expect("detaching can't fail");
            slot
        }
        _ => Slot::Shared(value.clone()),
    }
}

/// A type of values without tensors.
struct Plain {
    type_id: fn() -> TypeId,
    share: fn(&dyn Any) -> Shared,
}

const fn plain<T: Clone + Any + Send + Sync>() -> Plain {
    Plain {
        type_id: TypeId::of::<T>,
        share: |value| Arc::new(value.downcast_ref::<T>().expect("looked up by its type").clone()),
    }
}

static PLAIN: [Plain; 14] = [
    plain::<()>(),
    plain::<bool>(),
    plain::<u8>(),
    plain::<u32>(),
    plain::<u64>(),
    plain::<usize>(),
    plain::<i32>(),
    plain::<i64>(),
    plain::<f32>(),
    plain::<f64>(),
    plain::<String>(),
    plain::<Vec<usize>>(),
    plain::<Vec<u32>>(),
    plain::<Vec<f32>>(),
];

/// The value of a type whose tensors `get` has.
pub(crate) fn gather(type_id: TypeId, name: &str, get: Get<'_>) -> Option<Slot> {
    (of(type_id)?.gather)(name, get)
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    #[test]
    fn what_is_taken_apart_is_put_together() {
        let t = |v: f32| Tensor::new(v, &Device::Cpu).unwrap();
        let value = (t(1.), vec![t(2.), t(3.)]);
        let parts = tensors("output", &value).unwrap();
        let names: Vec<_> = parts.iter().map(|(n, _)| n.as_str()).collect();
        assert_eq!(names, ["output.0", "output.1.0", "output.1.1"]);
        let get = |name: &str| parts.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone());
        let slot = gather(value.type_id(), "output", &get).unwrap();
        let (a, b) = slot.get::<(Tensor, Vec<Tensor>)>().unwrap();
        assert_eq!((a.to_scalar::<f32>().unwrap(), b.len()), (1., 2));
        assert!(tensors("n", &7usize).is_none());
    }
}
