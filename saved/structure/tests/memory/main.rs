//! How much memory a file takes to open, by an allocator that counts: of every saved model that the tests have, and of files
//! that are made to take as much as they can.
//!
//! Each is opened in a process of its own, whose peak is its own.

mod bombs;

#[path = "../hostile/message.rs"]
mod message;

use std::alloc::System;
use std::path::{Path, PathBuf};
use std::process::Command;

use cap::Cap;
use message::Directory;
use taper_saved_structure::Result;
use taper_saved_structure::checkpoint::Checkpoint;
use taper_saved_structure::graph::Engine;
use taper_saved_structure::open::open;
use taper_saved_structure::proto::{Attrs, TensorProto};
use taper_saved_structure::slices::Slice;

/// Makes nothing.
struct Nothing {
    /// Whether what nodes do is written down, as for a model with types.
    records: bool,
}

impl Engine for Nothing {
    type Tensor = ();
    type Operation = ();
    const WEIGHTS: bool = false;

    fn records(&self) -> bool {
        self.records
    }

    fn weight(&self, _: Option<(&Checkpoint, &str)>) -> Result<()> {
        Ok(())
    }

    fn part(&self, _: &Checkpoint, _: &str, _: &Slice) -> Result<()> {
        Ok(())
    }

    fn constant(&self, proto: &TensorProto<'_>) -> Result<()> {
        proto.shape.as_ref().map_or(Ok(()), |shape| shape.known().map(|_| ()))
    }

    fn operation(&self, _: &str, _: &Attrs<'_>) -> Result<()> {
        Ok(())
    }
}

#[global_allocator]
static MEMORY: Cap<System> = Cap::new(System, usize::MAX);

/// What opening takes at most of memory, for every byte of the files.
const FACTOR: usize = 32;

/// The same of files that programs write.
const ORDINARY: usize = 16;

/// What it takes however small they are.
const ALWAYS: usize = 2 << 20;

/// The directory that a process of this test opens.
const SUBJECT: &str = "TAPER_TEST_SUBJECT";

fn models(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    for path in paths.into_iter().filter(|path| path.is_dir()) {
        if path.join("saved_model.pb").is_file() {
            found.push(path);
        } else {
            models(&path, found);
        }
    }
}

/// The bytes of the files that are read.
fn size(directory: &Path) -> usize {
    let files = ["saved_model.pb", "variables/variables.index"].map(|name| directory.join(name));
    files.iter().filter_map(|file| Some(std::fs::metadata(file).ok()?.len() as usize)).sum()
}

/// What a process of its own allocates at most.
fn peak(directory: &Path) -> usize {
    let own = std::env::current_exe().unwrap();
    let output = Command::new(own)
        .args(["--exact", "opens_its_subject", "--nocapture", "--test-threads=1"])
        .env(SUBJECT, directory)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let peak = text.lines().find_map(|line| line.split_once("peak: ")?.1.parse().ok());
    peak.unwrap_or_else(|| panic!("{}: {text}{}", directory.display(), String::from_utf8_lossy(&output.stderr)))
}

/// What the processes do that [`peak`] starts.
#[test]
fn opens_its_subject() {
    let Some(subject) = std::env::var_os(SUBJECT) else { return };
    let (subject, before) = (PathBuf::from(subject), MEMORY.allocated());
    assert_eq!(MEMORY.max_allocated(), MEMORY.max_allocated().max(before), "it counts");
    let opened = [false, true].map(|records| {
        let structure = open(&subject, None, &Nothing { records })?;
        if records {
            structure.record().with(|record| println!("{} nodes", record.nodes.len()));
        }
        Ok(structure.tensors.all.len())
    });
    let prefix = subject.join("variables/variables");
    let checkpoint = Checkpoint::open(&prefix).and_then(|checkpoint| checkpoint.objects());
    let outcome = opened.map(|opened: Result<usize>| opened.map_err(|error| error.to_string()));
    println!("{:.80?} {:?}", outcome[0], checkpoint.is_ok());
    println!("\npeak: {}", MEMORY.max_allocated() - before);
}

#[test]
fn what_programs_write_takes_a_few_times_its_size() {
    let mut found = Vec::new();
    models(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/saved"), &mut found);
    assert!(found.len() > 50, "{found:?}");
    for directory in found {
        let (size, peak) = (size(&directory), peak(&directory));
        println!("{:6.1} {size:8} {}", peak as f64 / size as f64, directory.display());
        assert!(peak <= size * ORDINARY, "{}: {peak} bytes for {size}", directory.display());
    }
}

#[test]
fn what_is_made_to_take_memory_takes_no_more_than_is_told() {
    for (name, bomb) in bombs::all() {
        let directory = Directory::of(&format!("memory-{name}"));
        std::fs::write(directory.0.join("saved_model.pb"), &bomb.graph).unwrap();
        if let Some(index) = &bomb.index {
            std::fs::write(directory.0.join("variables/variables.index"), index).unwrap();
        }
        let (size, peak) = (size(&directory.0), peak(&directory.0));
        println!("{:6.1} {size:8} {peak:10} {name}", peak as f64 / size as f64);
        assert!(peak <= size * FACTOR + ALWAYS, "{name}: {peak} bytes for {size}");
    }
}
