//! The tensors among pickled objects.

use std::collections::{BTreeMap, HashMap};

use candle_core::DType;
use candle_core::pickle::Object;

use super::Result;
use crate::load::weights::file::Holds;

/// A tensor as it is pickled: a view of a storage.
pub(super) struct Saved {
    pub(super) storage: Storage,
    /// Of its first element, in elements.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// In elements.
    pub(super) stride: Vec<usize>,
}

pub(super) struct Storage {
    pub(super) key: String,
    pub(super) holds: Holds,
}

impl Storage {
    /// The bytes of an element.
    pub(super) fn width(&self) -> Option<usize> {
        match &self.holds {
            Holds::Known(dtype) => Some(dtype.size_in_bytes()),
            Holds::Unknown(class) => match class.as_str() {
                "BoolStorage" | "CharStorage" | "QInt8Storage" | "QUInt8Storage" => Some(1),
                "ComplexFloatStorage" => Some(8),
                "ComplexDoubleStorage" => Some(16),
                _ => None,
            },
            Holds::Blocks(_) => None,
        }
    }
}

/// The tensors of a state dict, or of dicts of them: those below `key` are named `key.name`.
///
/// Where all tensors are below one key, as in a checkpoint that has them below `state_dict` beside the epoch, the key
/// is left out.
pub(super) fn state_dict(object: Object) -> Result<BTreeMap<String, Saved>> {
    let mut entries = match object {
        Object::Dict(entries) => entries,
        object => {
            let what = class(&object).map_or_else(|| "no dict".to_owned(), |class| format!("a whole `{class}`"));
            return Err(format!(
                "holds {what}, where the tensors of a state dict are needed; save it again by \
                 `torch.save(model.state_dict(), path)`"
            ));
        }
    };
    loop {
        let mut found = entries.iter().filter(|(key, value)| matches!(key, Object::Unicode(_)) && has_tensors(value));
        let only = match (found.next(), found.next()) {
            (Some((_, Object::Dict(inner))), None) => inner.clone(),
            _ => break,
        };
        entries = only;
    }
    let mut tensors = BTreeMap::new();
    collect("", entries, &mut tensors)?;
    if tensors.is_empty() {
        return Err("holds no tensors; save it again by `torch.save(model.state_dict(), path)`".to_owned());
    }
    Ok(tensors)
}

fn has_tensors(object: &Object) -> bool {
    match object {
        Object::Dict(entries) => {
            entries.iter().any(|(key, value)| matches!(key, Object::Unicode(_)) && has_tensors(value))
        }
        other => rebuilt(other).is_some(),
    }
}

fn collect(prefix: &str, entries: Vec<(Object, Object)>, tensors: &mut BTreeMap<String, Saved>) -> Result<()> {
    for (key, value) in entries {
        let Object::Unicode(key) = key else { continue };
        let name = format!("{prefix}{key}");
        if let Object::Dict(inner) = value {
            collect(&format!("{name}."), inner, tensors)?;
        } else if let Some((function, args)) = rebuilt(&value) {
            let saved = saved(function, args).map_err(|fault| format!("has `{name}`, which {fault}"))?;
            if tensors.insert(name.clone(), saved).is_some() {
                return Err(format!("has two tensors that would be named `{name}`"));
            }
        }
    }
    Ok(())
}

/// The function of `torch._utils` that makes a tensor, and its arguments.
fn rebuilt(object: &Object) -> Option<(&str, &[Object])> {
    let Object::Reduce { callable, args } = object else { return None };
    let Object::Tuple(args) = &**args else { return None };
    rebuilt_by(callable, args)
}

fn rebuilt_by<'a>(callable: &'a Object, args: &'a [Object]) -> Option<(&'a str, &'a [Object])> {
    let Object::Class { module_name, class_name } = callable else { return None };
    match (module_name.as_str(), class_name.as_str()) {
        // A parameter is a tensor, and whether it has a gradient.
        ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => rebuilt(args.first()?),
        // A subclass: how its tensor is made, its type, the arguments.
        ("torch._tensor", "_rebuild_from_type_v2") => match args {
            [function, _, Object::Tuple(args), ..] => rebuilt_by(function, args),
            _ => None,
        },
        ("torch._utils", function) if function.starts_with("_rebuild_") => Some((function, args)),
        _ => None,
    }
}

/// The arguments are the storage, the offset, the shape and the stride; what comes after them is not needed.
fn saved(function: &str, args: &[Object]) -> Result<Saved> {
    if !["_rebuild_tensor", "_rebuild_tensor_v2", "_rebuild_tensor_v3"].contains(&function) {
        return Err(format!("is no plain tensor (`torch._utils.{function}`); save it as one"));
    }
    let [Object::PersistentLoad(id), offset, shape, stride, more @ ..] = args else {
        return Err(format!("has other arguments than those of `{function}`"));
    };
    let mut storage = storage(id).ok_or("lies in a storage of an unknown kind")?;
    // The third version names the dtype instead of having a class of storages for it.
    if let (true, Some(Object::Class { class_name, .. })) = (function.ends_with("v3"), more.get(2)) {
        storage.holds = Holds::Unknown(class_name.clone());
    }
    let sizes = |object: &Object| match object {
        Object::Tuple(sizes) => sizes.iter().map(size).collect::<Option<Vec<_>>>(),
        _ => None,
    };
    let (Some(offset), Some(shape), Some(stride)) = (size(offset), sizes(shape), sizes(stride)) else {
        return Err("has sizes that are no numbers".to_owned());
    };
    if shape.len() != stride.len() {
        return Err(format!("has {} dimensions and {} strides", shape.len(), stride.len()));
    }
    // In bytes of the widest elements: a stride of 0 reaches nowhere, so that no storage bounds it.
    if shape.iter().try_fold(16usize, |bytes, dim| bytes.checked_mul(*dim)).is_none() {
        return Err("has more elements than can be counted".to_owned());
    }
    Ok(Saved { storage, offset, shape, stride })
}

fn size(object: &Object) -> Option<usize> {
    match object {
        Object::Int(size) => usize::try_from(*size).ok(),
        Object::Long(size) => usize::try_from(*size).ok(),
        _ => None,
    }
}

/// `("storage", class, key, device, length)`, and before PyTorch 1.6 the part of another storage that it is, or none.
fn storage(id: &Object) -> Option<Storage> {
    let Object::Tuple(id) = id else { return None };
    let [_, Object::Class { class_name, .. }, Object::Unicode(key), _, _, part @ ..] = id.as_slice() else {
        return None;
    };
    if !matches!(part, [] | [Object::None]) {
        return None;
    }
    let holds = match class_name.as_str() {
        "FloatStorage" => DType::F32,
        "DoubleStorage" => DType::F64,
        "HalfStorage" => DType::F16,
        "BFloat16Storage" => DType::BF16,
        "ByteStorage" => DType::U8,
        "ShortStorage" => DType::I16,
        "IntStorage" => DType::I32,
        "LongStorage" => DType::I64,
        other => return Some(Storage { key: key.clone(), holds: Holds::Unknown(other.to_owned()) }),
    };
    Some(Storage { key: key.clone(), holds: Holds::Known(holds) })
}

/// Every storage that is mentioned anywhere in `object`, tensors that are no weights included.
pub(super) fn storages(object: &Object, found: &mut HashMap<String, Storage>) {
    match object {
        Object::PersistentLoad(id) => {
            if let Some(storage) = storage(id) {
                found.insert(storage.key.clone(), storage);
            }
        }
        Object::Tuple(objects) | Object::List(objects) => objects.iter().for_each(|object| storages(object, found)),
        Object::Dict(entries) => entries.iter().for_each(|(_, value)| storages(value, found)),
        Object::Reduce { callable, args } | Object::Build { callable, args } => {
            storages(callable, found);
            storages(args, found);
        }
        _ => (),
    }
}

fn class(object: &Object) -> Option<String> {
    match object {
        Object::Class { module_name, class_name } => Some(format!("{module_name}.{class_name}")),
        Object::Reduce { callable, .. } | Object::Build { callable, .. } => class(callable),
        _ => None,
    }
}
