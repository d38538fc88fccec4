//! A whole directory that is opened by `taper_saved` and run: on ones, plainly and with every tensor captured.

#![no_main]

use candle_core::{DType, Device, Tensor};
use libfuzzer_sys::{Corpus, fuzz_mutator, fuzz_target, fuzzer_mutate};
use taper_saved::{SavedModel, open};
use taper_saved_fuzz::folder::Files;
use taper_saved_fuzz::{memory, mutate};

/// What reading may take, for one byte of the files.
const FACTOR: usize = 96;

/// What the values of a run may take at a time, and what the process may use while it runs: operations need some of their own.
const HELD: usize = 16 << 20;
const USED: usize = 256 << 20;

/// Steps of loops: more take long, and show nothing new.
const STEPS: usize = 200;

/// Larger inputs are not made.
const MOST: usize = 1 << 12;

fn inputs(model: &SavedModel) -> Option<Vec<(String, Tensor)>> {
    let inputs = model.input_tensors().map(|(name, input)| {
        let sizes: Vec<usize> = input.shape()?.into_iter().map(|size| size.unwrap_or(2)).collect();
        let count = sizes.iter().try_fold(1usize, |count, size| count.checked_mul(*size))?;
        let dtype = input.ty().dtype().filter(|_| count <= MOST)?;
        let ones = Tensor::ones(sizes, DType::U8, &Device::Cpu).and_then(|ones| ones.to_dtype(dtype));
        Some((name.to_owned(), ones.ok()?))
    });
    inputs.collect()
}

fuzz_target!(|bytes: &[u8]| -> Corpus {
    let Some(files) = Files::of(bytes) else { return Corpus::Reject };
    let directory = files.write();
    let Some(model) = memory::limited(files.size(), FACTOR, || open(&directory).ok()) else { return Corpus::Keep };
    let _ = model.summary().to_string();
    if let Some(inputs) = inputs(&model) {
        let given = || inputs.iter().map(|(name, tensor)| (name.as_str(), tensor));
        memory::within(USED, || {
            let run = || model.run().memory_limit(HELD).step_limit(STEPS);
            let _ = run().forward(given());
            let _ = run().allow_absent().capture(given(), &["*"]);
        });
    }
    Corpus::Keep
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match seed % 16 {
        0 => fuzzer_mutate(data, size, max_size),
        _ => mutate::message(data, size, max_size, seed).unwrap_or_else(|| fuzzer_mutate(data, size, max_size)),
    }
});
