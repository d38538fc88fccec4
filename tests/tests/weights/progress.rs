//! What is told while a loader loads.

use std::sync::{Arc, Mutex};

use super::*;

#[test]
fn bytes_are_counted_up_to_all_of_them() {
    let folder = Folder::new("progress");
    let path = folder.save("a.safetensors", &[("a", &[10]), ("b", &[5]), ("c", &[1])]);
    let seen = Arc::new(Mutex::new(Vec::new()));
    let told = Arc::clone(&seen);
    let weights = Weights::safetensors([path], DType::F32, &Device::Cpu)
        .unwrap()
        .allow_unused(|name| name == "c")
        .on_progress(move |read, all| told.lock().unwrap().push((read, all)));
    weights.load(|vb| Ok((vb.get(10, "a")?, vb.get(5, "b")?))).unwrap();
    assert_eq!(*seen.lock().unwrap(), [(40, 64), (60, 64), (64, 64)]);
}
