//! Protocol buffers made by hand, and the parts of graphs.

use std::path::PathBuf;

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A field that is a message or a string.
pub(crate) fn field(number: u64, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, number << 3 | 2);
    put(&mut out, bytes.as_ref().len() as u64);
    out.extend_from_slice(bytes.as_ref());
    out
}

/// A field that is a number.
pub(crate) fn number(number: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, number << 3);
    put(&mut out, value);
    out
}

pub(crate) fn attr(name: &str, value: Vec<u8>) -> Vec<u8> {
    field(5, [field(1, name), field(2, value)].concat())
}

pub(crate) fn node(name: &str, op: &str, inputs: &[&str], attrs: &[Vec<u8>]) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|input| field(3, input)).collect();
    [field(1, name), field(2, op), inputs, attrs.concat()].concat()
}

/// What an operation, or a function, is called and gives.
pub(crate) fn described(name: &str, inputs: usize, outputs: &[Vec<u8>]) -> Vec<u8> {
    let inputs: Vec<u8> =
        (0..inputs).flat_map(|at| field(2, [field(1, format!("x{at}")), number(3, 1)].concat())).collect();
    let outputs: Vec<u8> = outputs.iter().flat_map(|output| field(3, output)).collect();
    [field(1, name), inputs, outputs].concat()
}

/// One float.
pub(crate) fn one(name: &str) -> Vec<u8> {
    [field(1, name), number(3, 1)].concat()
}

/// A function of `x0`, …, that gives a value as `y`.
pub(crate) fn function(name: &str, inputs: usize, nodes: &[Vec<u8>], gives: &str) -> Vec<u8> {
    let nodes: Vec<u8> = nodes.iter().flat_map(|node| field(3, node)).collect();
    let returns = field(4, [field(1, "y"), field(2, gives)].concat());
    [field(1, described(name, inputs, &[one("y")])), nodes, returns].concat()
}

/// A graph, as it is put together.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) nodes: Vec<Vec<u8>>,
    pub(crate) functions: Vec<Vec<u8>>,
    /// Of operations, what they give.
    pub(crate) operations: Vec<Vec<u8>>,
}

impl Model {
    /// The file, with `x` for what goes in and the node `end` for what comes out.
    pub(crate) fn file(&self) -> Vec<u8> {
        let info = |name: &str| [field(1, name), number(2, 1), field(3, number(3, 1))].concat();
        let x = field(1, node("x", "Placeholder", &[], &[attr("dtype", number(6, 1))]));
        let all = |number, parts: &[Vec<u8>]| parts.iter().flat_map(|part| field(number, part)).collect::<Vec<_>>();
        let signature = [
            field(1, [field(1, "x"), field(2, info("x:0"))].concat()),
            field(2, [field(1, "y"), field(2, info("end:0"))].concat()),
        ];
        let meta = [
            field(1, [field(2, all(1, &self.operations)), field(4, "serve")].concat()),
            field(2, [x, all(1, &self.nodes), field(2, all(1, &self.functions))].concat()),
            field(5, [field(1, "serving_default"), field(2, signature.concat())].concat()),
        ];
        field(2, meta.concat())
    }
}

/// A directory of the test's own.
pub(crate) struct Directory(pub(crate) PathBuf);

impl Directory {
    pub(crate) fn of(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("taper-structure-{}-{name}", std::process::id()));
        std::fs::create_dir_all(path.join("variables")).unwrap();
        Directory(path)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
