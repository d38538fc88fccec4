//! Runs the command.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use candle_core::{DType, Tensor};

/// What a run of the command came to.
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    /// The standard output, of a run that went well.
    #[track_caller]
    pub(crate) fn well(self) -> String {
        assert_eq!(self.code, 0, "{}{}", self.out, self.err);
        self.out
    }

    /// The error, of a run that ended with this code and printed nothing.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (code, ""), "{}", self.err);
        assert!(!self.err.contains("panicked"), "{}", self.err);
        self.err
    }

    #[track_caller]
    pub(crate) fn json(self) -> serde_json::Value {
        serde_json::from_str(&self.well()).unwrap()
    }
}

pub(crate) fn command<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_taper"));
    command.args(arguments);
    command
}

pub(crate) fn taper(arguments: &[&str]) -> Ran {
    let Output { status, stdout, stderr } = command(arguments.iter().copied()).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: status.code().expect("an exit code"), out: text(stdout), err: text(stderr) }
}

/// A path below `tests/data`.
pub(crate) fn data(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/data").join(path).display().to_string()
}

/// A path below `tests/data/saved`.
pub(crate) fn saved(path: &str) -> String {
    data(&format!("saved/{path}"))
}

/// A folder that goes when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("taper-cli-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    /// A path in it.
    pub(crate) fn at(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    /// Copies a folder into it.
    pub(crate) fn copy(&self, from: &str, name: &str) -> String {
        fn copy(from: &Path, to: &Path) {
            std::fs::create_dir_all(to).unwrap();
            for entry in std::fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                let to = to.join(entry.file_name());
                if entry.path().is_dir() {
                    copy(&entry.path(), &to)
                } else {
                    std::fs::copy(entry.path(), to).map(|_| ()).unwrap()
                }
            }
        }
        copy(Path::new(from), &self.0.join(name));
        self.at(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An `.npy` file with any header and any bytes.
pub(crate) fn npy(path: &str, descr: &str, fortran: bool, shape: &str, values: &[u8]) {
    let fortran = if fortran { "True" } else { "False" };
    let header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': ({shape}), }}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(values);
    std::fs::write(path, bytes).unwrap();
}

/// The largest of |a − b| / (1 + |b|).
pub(crate) fn difference(a: &Tensor, b: &Tensor) -> f64 {
    if a.dims() != b.dims() {
        return f64::INFINITY;
    }
    let all = |x: &Tensor| x.to_dtype(DType::F64).unwrap().flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let distances = all(a).into_iter().zip(all(b)).map(|(a, b)| match a == b || a.is_nan() && b.is_nan() {
        true => 0.,
        false => (a - b).abs() / (1. + b.abs()),
    });
    // NaN counts, where `max` would drop it.
    distances.fold(0., |worst: f64, d| if d.is_nan() { f64::INFINITY } else { worst.max(d) })
}

/// A file of tensors.
pub(crate) fn tensors(path: &str) -> std::collections::HashMap<String, Tensor> {
    candle_core::safetensors::load(path, &candle_core::Device::Cpu).unwrap()
}
