//! What a typed model holds: its weights once, and nothing that outlives it.

use std::alloc::System;

use cap::Cap;
use taper_saved::candle_core::{DType, Device, Tensor};
use taper_saved::saved_model;

saved_model! { Net = "../tests/data/saved_twice/branches/first" }

#[global_allocator]
static LIVE: Cap<System> = Cap::new(System, usize::MAX);

/// What is alive is counted for the whole process, so that this is the only test in it.
#[test]
fn a_model_is_held_once_and_given_back() {
    let x = Tensor::zeros((1, 4, 4, 2), DType::F32, &Device::Cpu).unwrap();
    // What is made once for a process, is made now.
    let expected =
        Net::load(&Device::Cpu).unwrap().forward(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    let held = |before: usize| LIVE.allocated().saturating_sub(before);

    let before = LIVE.allocated();
    let first = Net::load(&Device::Cpu).unwrap();
    let one = held(before);
    let weights: usize = first.saved().variables().map(|(_, weight)| weight.elem_count() * 4).sum();
    assert!(one > weights, "{one} bytes hold {weights} of weights");
    // A second is another model, and as large; a clone is the same.
    let second = Net::load(&Device::Cpu).unwrap();
    let both = held(before);
    assert!((both - one).abs_diff(one) < 512, "{one}, and {both} for two");
    let clone = first.clone();
    assert!(held(before) < both + 64, "{} bytes, and {both} before it was cloned", held(before));
    drop(first);
    let y = clone.forward(&x).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
    assert_eq!(y, expected);
    drop((second, clone, y));
    assert!(held(before) < 256, "{} bytes are left", held(before));
}

/// A model goes where a `Tensor` does.
const _: fn() = || {
    fn is_shared<T: Send + Sync + Clone + std::fmt::Debug>() {}
    is_shared::<Net>();
    is_shared::<NetTaps>();
    is_shared::<NetSites>();
};
