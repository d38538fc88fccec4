//! A whole directory: every signature of it is opened, its graph flattened, its tensors and layers named. Nothing computes.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};
use taper_saved_fuzz::folder::Files;
use taper_saved_fuzz::{memory, mutate};
use taper_saved_structure::checkpoint::Checkpoint;
use taper_saved_structure::graph::Engine;
use taper_saved_structure::open::open;
use taper_saved_structure::proto::{Attrs, TensorProto};
use taper_saved_structure::signatures::signatures;
use taper_saved_structure::slices::Slice;
use taper_saved_structure::{Error, Result};

/// Bytes in memory for one of a file. Functions are put in place of their calls, so that a graph may be larger than its
/// file; how much larger is the reader's own limit, 32 times and a mebibyte.
const FACTOR: usize = 64;

/// Reads what there is to read, and makes nothing of it.
struct Nothing;

impl Engine for Nothing {
    type Tensor = ();
    type Operation = ();

    fn weight(&self, saved: Option<(&Checkpoint, &str)>) -> Result<()> {
        let Some((checkpoint, key)) = saved else { return Ok(()) };
        let entry = checkpoint.entry(key)?;
        for slice in &entry.slices {
            self.part(checkpoint, key, slice)?;
        }
        checkpoint.parts(&entry, |_| Ok(()))
    }

    fn part(&self, checkpoint: &Checkpoint, key: &str, part: &Slice) -> Result<()> {
        checkpoint.parts(&checkpoint.part(key, part)?, |_| Ok(()))
    }

    fn constant(&self, proto: &TensorProto<'_>) -> Result<()> {
        proto.shape.as_ref().map_or(Ok(()), |shape| shape.known().map(|_| ()))
    }

    fn operation(&self, op: &str, attrs: &Attrs<'_>) -> Result<()> {
        match op {
            "StopGradient" => Err(Error::Msg("one that is not supported".to_owned())),
            _ => attrs.output_shapes().map(|_| ()),
        }
    }
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some(files) = Files::of(bytes) else { return Corpus::Reject };
    let directory = files.write();
    memory::limited(files.size(), FACTOR, || {
        let _ = open(&directory, None, &Nothing);
        for signature in signatures(&directory).unwrap_or_default().iter().take(3) {
            if let Ok(structure) = open(&directory, Some(signature.name()), &Nothing) {
                // What is said of it is asked for.
                for tensor in &structure.tensors.all {
                    let _ = (tensor.shape(), tensor.unsupported());
                }
                for layer in &structure.layers {
                    let _ = (layer.name(), layer.calls(), layer.parameters());
                }
            }
        }
    });
    Corpus::Keep
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match seed % 16 {
        0 => fuzzer_mutate(data, size, max_size),
        _ => mutate::message(data, size, max_size, seed).unwrap_or_else(|| fuzzer_mutate(data, size, max_size)),
    }
});
