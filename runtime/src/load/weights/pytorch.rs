//! Files that PyTorch's `torch.save` wrote: a pickled state dict beside the storages that its tensors lie in, together
//! in a zip, or (before PyTorch 1.6) one after the other.

mod objects;
mod zipped;

use std::collections::HashMap;
use std::io::BufRead;
use std::ops::Range;

use candle_core::Shape;
use candle_core::pickle::{Object, Stack};

use self::objects::{Saved, Storage};
use super::file::{Holds, Located, Tensors};
use crate::Error;

/// What is wrong with a file, as it goes on after the file's name: "`pytorch_model.bin` is …".
type Result<T> = std::result::Result<T, String>;

/// Where each storage lies in the file.
type Storages = HashMap<String, Range<usize>>;

/// The first pickle of a file from before PyTorch 1.6, a number that stands for nothing else.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// Where the tensors are.
pub(super) fn tensors(bytes: &[u8]) -> Result<Tensors> {
    let (object, storages) = if bytes.starts_with(LEGACY) {
        legacy(bytes)?
    } else if bytes.starts_with(b"PK") {
        zipped::read(bytes)?
    } else {
        return Err("is not a file that PyTorch's `torch.save` wrote".to_owned());
    };
    let saved = objects::state_dict(object)?;
    saved.into_iter().map(|(name, saved)| Ok((name.clone(), locate(&name, saved, &storages)?))).collect()
}

fn unpickled(pickle: &mut impl BufRead) -> Result<Object> {
    let mut stack = Stack::empty();
    let object = stack.read_loop(pickle).and_then(|()| stack.finalize());
    object.map_err(|error| {
        // Without the backtrace: the message goes on in one line.
        let error = if let Error::WithBacktrace { inner, .. } = error { *inner } else { error };
        format!(
            "is cut short, or was pickled otherwise than by PyTorch's defaults ({error}); get it again, or save it again \
             by `torch.save(model.state_dict(), path)`"
        )
    })
}

/// Pickles of a version and of the system, of the state dict, and of the storages' keys; then the storages in the order
/// of the keys, each after its length.
fn legacy(bytes: &[u8]) -> Result<(Object, Storages)> {
    let mut rest = &bytes[LEGACY.len()..];
    unpickled(&mut rest)?;
    unpickled(&mut rest)?;
    let object = unpickled(&mut rest)?;
    let Object::List(keys) = unpickled(&mut rest)? else {
        return Err("is damaged: it does not list its storages".to_owned());
    };
    let mut known = HashMap::new();
    objects::storages(&object, &mut known);
    let mut storages = Storages::new();
    for key in keys {
        let Object::Unicode(key) = key else { return Err("is damaged: a storage's key is no text".to_owned()) };
        let Some((length, after)) = rest.split_first_chunk() else { return Err(cut(&key)) };
        let Some(width) = known.get(&key).and_then(Storage::width) else {
            return Err(format!("has a storage `{key}` of elements that candle has no type for"));
        };
        let size = usize::try_from(i64::from_le_bytes(*length)).ok().and_then(|length| length.checked_mul(width));
        let Some(size) = size.filter(|size| *size <= after.len()) else { return Err(cut(&key)) };
        let start = bytes.len() - after.len();
        storages.insert(key, start..start + size);
        rest = &after[size..];
    }
    Ok((object, storages))
}

fn cut(key: &str) -> String {
    format!("is cut short: its storage `{key}` is not all there; get it again")
}

fn locate(name: &str, saved: Saved, storages: &Storages) -> Result<Located> {
    let Saved { storage, offset, shape, stride } = saved;
    let missing = || format!("is damaged: the storage `{}` of `{name}` is not in it", storage.key);
    let range = storages.get(&storage.key).ok_or_else(missing)?;
    let shape = Shape::from(shape);
    let mut start = range.start;
    if let Holds::Known(dtype) = storage.holds {
        let width = dtype.size_in_bytes();
        // One past the last element that the tensor reaches.
        let reach =
            shape.dims().iter().zip(&stride).try_fold(1usize, |reach, (dim, stride)| {
                reach.checked_add(dim.saturating_sub(1).checked_mul(*stride)?)
            });
        let end = reach.filter(|_| shape.elem_count() > 0).unwrap_or(0).checked_add(offset);
        if end.and_then(|end| end.checked_mul(width)).is_none_or(|end| end > range.len()) {
            return Err(format!("is damaged: `{name}` reaches beyond its storage `{}`", storage.key));
        }
        start += offset * width;
    }
    let stride = Some(stride).filter(|stride| !shape.is_contiguous(stride));
    Ok(Located { holds: storage.holds, shape, stride, start })
}
