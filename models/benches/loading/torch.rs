//! A file as PyTorch's `torch.save` writes it: a zip of a pickled state dict and of one storage for each tensor.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use candle_core::{Error, Result, Tensor};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

pub(crate) fn save(tensors: &HashMap<String, Tensor>, path: &Path) -> Result<()> {
    // As `torch.save` aligns storages.
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored).with_alignment(64);
    let mut zip = ZipWriter::new(BufWriter::new(File::create(path)?));
    zip.start_file("archive/data.pkl", options).map_err(Error::wrap)?;
    zip.write_all(&pickled(tensors))?;
    for (key, tensor) in tensors.values().enumerate() {
        zip.start_file(format!("archive/data/{key}"), options).map_err(Error::wrap)?;
        for values in tensor.flatten_all()?.to_vec1::<f32>()?.chunks(4096) {
            zip.write_all(&values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>())?;
        }
    }
    zip.finish().map_err(Error::wrap)?.flush()?;
    Ok(())
}

/// A dict of calls of `_rebuild_tensor_v2(storage, offset, shape, stride, requires_grad, hooks)`, in protocol 2. A storage
/// is `("storage", class, key, device, length)`, by a persistent id.
fn pickled(tensors: &HashMap<String, Tensor>) -> Vec<u8> {
    let mut pickle = b"\x80\x02}(".to_vec();
    for (key, (name, tensor)) in tensors.iter().enumerate() {
        let (dims, stride) = (tensor.dims(), tensor.stride());
        text(&mut pickle, name);
        pickle.extend_from_slice(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut pickle, "storage");
        pickle.extend_from_slice(b"ctorch\nFloatStorage\n");
        text(&mut pickle, &key.to_string());
        text(&mut pickle, "cpu");
        number(&mut pickle, tensor.elem_count());
        pickle.extend_from_slice(b"tQ");
        number(&mut pickle, 0);
        for sizes in [dims, stride] {
            pickle.push(b'(');
            sizes.iter().for_each(|size| number(&mut pickle, *size));
            pickle.push(b't');
        }
        pickle.extend_from_slice(b"\x89ccollections\nOrderedDict\n)RtR");
    }
    pickle.extend_from_slice(b"u.");
    pickle
}

fn text(pickle: &mut Vec<u8>, text: &str) {
    pickle.push(b'X');
    pickle.extend_from_slice(&(text.len() as u32).to_le_bytes());
    pickle.extend_from_slice(text.as_bytes());
}

fn number(pickle: &mut Vec<u8>, number: usize) {
    pickle.push(b'J');
    pickle.extend_from_slice(&i32::try_from(number).expect("a number of 32 bits").to_le_bytes());
}
