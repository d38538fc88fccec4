//! The index of a checkpoint, as it is and with checksums that hold; every tensor is read that it tells of.

#![no_main]

use libfuzzer_sys::fuzz_target;
use taper_saved_fuzz::{memory, table};
use taper_saved_structure::checkpoint::Checkpoint;

/// Bytes in memory for one of a file.
const FACTOR: usize = 32;

/// What tensors are read from: more than any entry of a small index should ask for.
const DATA: usize = 1 << 12;

fn read(index: &[u8]) {
    let directory = std::env::temp_dir().join(format!("taper-saved-fuzz-table-{}", std::process::id()));
    let prefix = directory.join("variables");
    let data = prefix.with_extension("data-00000-of-00001");
    if !data.exists() {
        std::fs::create_dir_all(&directory).expect("the temporary directory can be written to");
        std::fs::write(&data, (0..DATA).map(|at| at as u8).collect::<Vec<_>>()).expect("there is room");
    }
    std::fs::write(prefix.with_extension("index"), index).expect("there is room");
    memory::limited(index.len() + DATA, FACTOR, || {
        let Ok(checkpoint) = Checkpoint::open(&prefix) else { return };
        let mut left = 64;
        let _ = checkpoint.keys(|key| {
            if left == 0 {
                return;
            }
            left -= 1;
            let Ok(entry) = checkpoint.entry(key) else { return };
            let _ = entry.shape.known();
            let _ = checkpoint.parts(&entry, |_| Ok(()));
            for slice in entry.slices.iter().take(8) {
                let _ = checkpoint.part(key, slice).and_then(|part| checkpoint.parts(&part, |_| Ok(())));
            }
        });
        let _ = checkpoint.objects();
        let _ = checkpoint.has("no such key");
    });
}

fuzz_target!(|bytes: &[u8]| {
    read(bytes);
    let mut mended = bytes.to_vec();
    table::mend(&mut mended);
    if mended != bytes {
        read(&mended);
    }
});
