//! Files that are made to take as much memory as they can for their size.

use crate::message::{Model, attr, described, field, function, node, number, one};

/// The files of a model.
pub(crate) struct Bomb {
    pub(crate) graph: Vec<u8>,
    pub(crate) index: Option<Vec<u8>>,
}

/// How large those are whose size can be chosen.
const SIZE: usize = 1 << 17;

fn of(graph: Vec<u8>) -> Bomb {
    Bomb { graph, index: None }
}

/// The same message as often as it fits.
fn often(message: &[u8]) -> Vec<u8> {
    message.repeat(SIZE / message.len())
}

/// A numbered message as often as it fits.
fn numbered(message: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let mut all = Vec::new();
    for at in 0.. {
        if all.len() >= SIZE {
            break;
        }
        all.extend(message(at));
    }
    all
}

/// A file of one graph with a field: 1 is what is said of it, 2 the nodes, 5 the signatures, 7 the objects.
fn meta(at: u64, bytes: &[u8]) -> Vec<u8> {
    field(2, field(at, bytes))
}

/// A graph of `x` and these nodes, the last of which takes all.
fn graph(nodes: Vec<Vec<u8>>) -> Vec<u8> {
    Model { nodes, ..Model::default() }.file()
}

/// A node that takes `x`, and the end.
fn one_node(op: &str, attrs: &[Vec<u8>]) -> Vec<Vec<u8>> {
    vec![node("n", op, &["x"], attrs), node("end", "Relu", &["n"], &[])]
}

fn messages() -> Vec<(&'static str, Bomb)> {
    let entry = |at: usize| field(5, field(1, format!("{at:x}")));
    vec![
        ("empty nodes", of(meta(2, &often(&field(1, []))))),
        ("nodes of an empty attribute", of(meta(2, &often(&field(1, field(5, [])))))),
        ("nodes of one letter", of(meta(2, &often(&field(1, [field(1, "n"), field(2, "o")].concat()))))),
        (
            "nodes of an attribute",
            of(meta(2, &often(&field(1, [field(1, "n"), field(2, "o"), field(5, field(1, "a"))].concat())))),
        ),
        ("nodes of an input", of(meta(2, &often(&field(1, [field(1, "n"), field(2, "o"), field(3, "")].concat()))))),
        ("empty inputs", of(meta(2, &field(1, often(&field(3, [])))))),
        ("attributes", of(meta(2, &field(1, numbered(entry))))),
        ("empty functions", of(meta(2, &field(2, often(&field(1, [])))))),
        ("functions of a letter", of(meta(2, &field(2, often(&field(1, field(1, field(1, "f")))))))),
        ("empty operations", of(meta(1, &field(2, often(&field(1, [])))))),
        ("operations of a letter", of(meta(1, &field(2, often(&field(1, field(1, "o"))))))),
        ("operations of an output", of(meta(1, &field(2, often(&field(1, [field(1, "o"), field(3, [])].concat())))))),
        ("empty outputs", of(meta(1, &field(2, field(1, often(&field(3, []))))))),
        ("empty tags", of(meta(1, &often(&field(4, []))))),
        ("empty objects", of(meta(7, &often(&field(1, []))))),
        ("objects that hold one", of(meta(7, &often(&field(1, field(1, [])))))),
        ("empty children", of(meta(7, &field(1, often(&field(1, [])))))),
        (
            "captures",
            of(meta(7, &numbered(|at| field(2, [field(1, format!("{at:x}")), field(2, field(2, [0]))].concat())))),
        ),
        ("numbers of a capture", of(meta(7, &field(2, [field(1, "f"), field(2, field(2, vec![1; SIZE]))].concat())))),
        (
            "signatures",
            of(meta(5, &[])
                .into_iter()
                .chain(field(2, numbered(|at| field(5, field(1, format!("{at:x}"))))))
                .collect()),
        ),
        (
            "arguments",
            of(field(
                2,
                field(5, [field(1, "s"), field(2, numbered(|at| field(1, field(1, format!("{at:x}")))))].concat()),
            )),
        ),
        (
            "sizes",
            of(field(
                2,
                field(
                    5,
                    [
                        field(1, "s"),
                        field(2, field(1, [field(1, "x"), field(2, field(3, often(&field(2, []))))].concat())),
                    ]
                    .concat(),
                ),
            )),
        ),
    ]
}

/// What is read of attributes when nodes are made.
fn attributes() -> Vec<(&'static str, Bomb)> {
    let value = |tensor: Vec<u8>| attr("value", field(8, tensor));
    vec![
        ("shapes of outputs", of(graph(one_node("Relu", &[attr("_output_shapes", field(1, often(&field(7, []))))])))),
        (
            "sizes of outputs",
            of(graph(one_node("Relu", &[attr("_output_shapes", field(1, field(7, often(&field(2, [])))))]))),
        ),
        ("types", of(graph(one_node("IdentityN", &[attr("T", field(1, field(6, vec![1; SIZE])))])))),
        ("strings", of(graph(one_node("Const", &[value([number(1, 7), often(&field(8, []))].concat())])))),
        ("numbers", of(graph(one_node("Const", &[value([number(1, 9), field(10, vec![1; SIZE])].concat())])))),
        ("branches", of(graph(one_node("Case", &[attr("branches", field(1, often(&field(9, []))))])))),
    ]
}

fn graphs() -> Vec<(&'static str, Bomb)> {
    let call = |name: &str, of: &str, input: &str| {
        node(name, "PartitionedCall", &[input], &[attr("f", field(10, field(1, of)))])
    };
    let end = |inputs: &[String]| node("end", "AddN", &inputs.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    let many = |count: usize, make: &dyn Fn(usize) -> (String, Vec<u8>)| {
        let (names, mut nodes): (Vec<_>, Vec<_>) = (0..count).map(make).unzip();
        nodes.push(end(&names));
        nodes
    };
    let plain = |at: usize| (format!("n{at}"), node(&format!("n{at}"), "Relu", &["x"], &[]));
    let scoped = |at: usize| {
        let name = format!("{}{at}", "a/".repeat(62));
        (name.clone(), node(&name, "Relu", &["x"], &[]))
    };
    let calls = |at: usize| (format!("c{at}"), call(&format!("c{at}"), "f", "x"));
    // One function, put in place of many calls.
    let leaf = function(
        "f",
        1,
        &(0..50).map(|at| node(&format!("n{at}"), "Relu", &["x0"], &[])).collect::<Vec<_>>(),
        "n0:y:0",
    );
    let inlined = Model { nodes: many(200, &calls), functions: vec![leaf], ..Model::default() };
    // Twice as many at every depth.
    let mut functions = vec![function("f0", 1, &[node("r", "Relu", &["x0"], &[])], "r:y:0")];
    for depth in 1..60 {
        let before = format!("f{}", depth - 1);
        let both = [call("a", &before, "x0"), call("b", &before, "a:output:0")];
        functions.push(function(&format!("f{depth}"), 1, &both, "b:output:0"));
    }
    let exponential = Model { nodes: vec![call("end", "f59", "x")], functions, ..Model::default() };
    // A long name in front of many short ones.
    let long = "n".repeat(2000);
    let leaf = function(
        "f",
        1,
        &(0..500).map(|at| node(&format!("n{at}"), "Relu", &["x0"], &[])).collect::<Vec<_>>(),
        "n0:y:0",
    );
    let prefixed = Model {
        nodes: vec![call(&long, "f", "x"), node("end", "Relu", &[&long], &[])],
        functions: vec![leaf],
        ..Model::default()
    };
    // The same in scopes of it.
    let long = vec!["scope"; 60].join("/");
    let nodes = (0..60).map(|at| node(&format!("{long}/{at}/n"), "Relu", &["x0"], &[])).collect::<Vec<_>>();
    let leaf = function("f", 1, &nodes, &format!("{long}/0/n:y:0"));
    let scopes = Model {
        nodes: many(60, &|at| (format!("{long}/c{at}"), call(&format!("{long}/c{at}"), "f", "x"))),
        functions: vec![leaf],
        ..Model::default()
    };
    // Ten outputs each.
    let outputs: Vec<Vec<u8>> = (0..200).map(|at| one(&format!("o{at}"))).collect();
    let several = Model {
        nodes: many(300, &|at| (format!("n{at}"), node(&format!("n{at}"), "Several", &["x"], &[]))),
        operations: vec![described("Several", 1, &outputs)],
        ..Model::default()
    };
    let body = |depth: usize| {
        let called = |key, name: &str| attr(key, field(10, field(1, name)));
        let next = format!("b{}", depth + 1);
        let nodes = ["u", "v"].map(|name| {
            node(
                name,
                "While",
                &["x0"],
                &[called("cond", "yes"), called("body", &next), attr("T", field(1, number(6, 1)))],
            )
        });
        function(&format!("b{depth}"), 1, &nodes, "v:output:0")
    };
    let mut functions: Vec<Vec<u8>> = (0..12).map(body).collect();
    functions.push(function("b12", 1, &[node("r", "Relu", &["x0"], &[])], "r:y:0"));
    functions.push(function("yes", 1, &[node("r", "Relu", &["x0"], &[])], "r:y:0"));
    let loops = Model { nodes: vec![call("end", "b0", "x")], functions, ..Model::default() };
    // One great constant in the branches of many conditions.
    let ty = || attr("T", number(6, 1));
    let mut conditions = vec![node("great", "Const", &[], &[attr("value", field(8, field(4, vec![0; 1 << 15])))])];
    let names: Vec<String> = (0..500).map(|at| format!("m{at}")).collect();
    for (at, name) in names.iter().enumerate() {
        let [switch, other, sum] = ["s", "t", "a"].map(|own| format!("{own}{at}"));
        conditions.push(node(&switch, "Switch", &["x", "x"], &[ty()]));
        conditions.push(node(&sum, "AddN", &[&switch, "great"], &[ty()]));
        conditions.push(node(&other, "Identity", &[&format!("{switch}:1")], &[ty()]));
        conditions.push(node(name, "Merge", &[&sum, &other], &[ty()]));
    }
    conditions.push(end(&names));
    let types = attr("T", field(1, field(6, vec![1; 1000])));
    let lists = Model {
        nodes: many(100, &|at| {
            (format!("n{at}"), node(&format!("n{at}"), "IdentityN", &["x"], std::slice::from_ref(&types)))
        }),
        ..Model::default()
    };
    vec![
        ("nodes", of(graph(many(4000, &plain)))),
        ("nodes in scopes", of(graph(many(800, &scoped)))),
        ("a function in place of many calls", of(inlined.file())),
        ("functions that call others twice", of(exponential.file())),
        ("a long name of a call", of(prefixed.file())),
        ("long names of calls and in them", of(scopes.file())),
        ("nodes of many outputs", of(several.file())),
        ("loops in loops", of(loops.file())),
        ("lists of outputs", of(lists.file())),
        ("a constant in many branches", of(graph(conditions))),
    ]
}

/// All of them, by name.
pub(crate) fn all() -> Vec<(&'static str, Bomb)> {
    [messages(), attributes(), graphs(), tables()].into_iter().flatten().collect()
}

fn tables() -> Vec<(&'static str, Bomb)> {
    let table = |entries: Vec<u8>| Some(table::of(&entries));
    let bomb = |entries: Vec<u8>| Bomb { graph: graph(one_node("Relu", &[])), index: table(entries) };
    // A key of a letter, and keys that share all but a letter with the one before.
    let keys = |value: &'static [u8]| {
        numbered(move |at| {
            let letter = at as u8;
            let mut entry = vec![0, 3, value.len() as u8, (at >> 8) as u8, (at >> 16) as u8, letter];
            entry.extend(value);
            entry
        })
    };
    let mut long = vec![0, 0x80, 0x7f, 0];
    long.extend(vec![b'k'; 127 << 7]);
    for at in 0..SIZE / 5 {
        long.extend([0xff, 0x7e, 1, 0, at as u8]);
    }
    vec![("keys", bomb(keys(&[]))), ("keys that share", bomb(long))]
}

/// Tables of one block.
mod table {
    fn crc(bytes: &[u8]) -> u32 {
        let mut crc = !0u32;
        for byte in bytes {
            crc ^= u32::from(*byte);
            for _ in 0..8 {
                crc = if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 };
            }
        }
        (!crc).rotate_right(15).wrapping_add(0xa282_ead8)
    }

    fn put(out: &mut Vec<u8>, mut number: usize) {
        while number >= 0x80 {
            out.push(number as u8 | 0x80);
            number >>= 7;
        }
        out.push(number as u8);
    }

    fn block(file: &mut Vec<u8>, entries: &[u8]) -> Vec<u8> {
        let first = file.len();
        file.extend(entries);
        file.extend([0, 0, 0, 0, 1, 0, 0, 0]);
        let mut handle = Vec::new();
        put(&mut handle, first);
        put(&mut handle, file.len() - first);
        file.push(0);
        let crc = crc(&file[first..]);
        file.extend(crc.to_le_bytes());
        handle
    }

    /// A table of these entries, as they stand in a block, and a header.
    pub(super) fn of(entries: &[u8]) -> Vec<u8> {
        let mut file = Vec::new();
        let entries = [&[0, 0, 2, 8, 1], entries].concat();
        let data = block(&mut file, &entries);
        let meta = block(&mut file, &[]);
        let index = block(&mut file, &[&[0, 1, data.len() as u8, 0xff], &data[..]].concat());
        let mut footer = [meta, index].concat();
        footer.resize(40, 0);
        file.extend(footer);
        file.extend(0xdb47_7524_8b80_fb57u64.to_le_bytes());
        file
    }
}
