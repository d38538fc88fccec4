//! Makes the corpora of the targets from the models that the tests have: `cargo run --example seeds` in this directory.

use std::fs;
use std::path::{Path, PathBuf};

use taper_saved_fuzz::folder;

/// What the tests put graphs together with.
#[allow(dead_code)]
#[path = "../../structure/tests/hostile/message.rs"]
mod message;

use message::{Model, attr, described, field, function, node, number, one};

/// Larger files are read too slowly to be changed often.
const MOST: usize = 48 << 10;

/// The directories that have a `saved_model.pb`, in order.
fn models(directory: &Path, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.is_dir()) {
        if path.join("saved_model.pb").is_file() {
            found.push(path.clone());
        } else {
            models(path, found);
        }
    }
}

/// Graphs of a few nodes, which are changed a hundred times while a model is changed once.
fn small() -> Vec<(&'static str, Model)> {
    let named = |key: &str, name: &str| attr(key, field(10, field(1, name)));
    let types = |key: &str| attr(key, field(1, number(6, 1)));
    let float = || attr("T", number(6, 1));
    let shape = field(2, field(2, number(1, 2)));
    let constant = |name: &str, ty: u64, value: Vec<u8>| {
        let tensor = [number(1, ty), shape.clone(), value].concat();
        node(name, "Const", &[], &[attr("value", field(8, tensor)), attr("dtype", number(6, ty))])
    };
    let relu = function("relu", 1, &[node("r", "Relu", &["x0"], &[float()])], "r:y:0");
    let twice = function(
        "twice",
        1,
        &[
            node("a", "PartitionedCall", &["x0"], &[named("f", "relu"), types("Tin"), types("Tout")]),
            node("b", "StatefulPartitionedCall", &["a:output:0"], &[named("f", "relu"), types("Tin"), types("Tout")]),
        ],
        "b:output:0",
    );
    let less = function("less", 1, &[node("l", "Less", &["x0", "x0"], &[float()])], "l:y:0");
    let operations = || ["Relu", "Less", "Const", "AddV2"].map(|name| described(name, 1, &[one("y")])).to_vec();
    let list = || attr("element_dtype", number(6, 1));
    vec![
        ("calls", Model {
            nodes: vec![
                node("call", "PartitionedCall", &["x"], &[named("f", "twice"), types("Tin"), types("Tout")]),
                node("end", "Relu", &["call", "^x"], &[float()]),
            ],
            functions: vec![relu.clone(), twice.clone()],
            operations: operations(),
        }),
        ("loop", Model {
            nodes: vec![
                node("loop", "While", &["x"], &[named("cond", "less"), named("body", "twice"), types("T")]),
                node("end", "Relu", &["loop"], &[float()]),
            ],
            functions: vec![relu.clone(), twice.clone(), less],
            operations: operations(),
        }),
        ("branch", Model {
            nodes: vec![
                node("if", "If", &["x", "x"], &[
                    named("then_branch", "relu"),
                    named("else_branch", "twice"),
                    types("Tin"),
                    types("Tout"),
                ]),
                node("end", "Identity", &["if"], &[float()]),
            ],
            functions: vec![relu, twice],
            operations: operations(),
        }),
        ("effects", Model {
            nodes: vec![
                node("v", "VarHandleOp", &[], &[attr("dtype", number(6, 1)), attr("shared_name", field(2, "v"))]),
                node("read", "ReadVariableOp", &["v"], &[attr("dtype", number(6, 1))]),
                node("set", "AssignVariableOp", &["v", "x"], &[]),
                node("again", "ReadVariableOp", &["v", "^set"], &[]),
                node("end", "AddV2", &["read", "again"], &[float()]),
            ],
            ..Model::default()
        }),
        ("sizes", Model {
            nodes: vec![
                constant("sizes", 3, field(7, [2u8, 3])),
                constant("value", 1, field(5, [0, 0, 128, 63])),
                node("fill", "Fill", &["sizes", "x"], &[float()]),
                node("split", "Split", &["sizes", "fill"], &[float(), attr("num_split", number(3, 2))]),
                node("list", "TensorListReserve", &["sizes", "sizes"], &[list()]),
                node("stack", "TensorListStack", &["list", "sizes"], &[list()]),
                node("strided", "StridedSlice", &["x", "sizes", "sizes", "sizes"], &[float()]),
                node("conv", "Conv2D", &["fill", "value"], &[float(), attr("strides", field(1, field(3, [1u8, 1, 1, 1])))]),
                node("end", "Tile", &["value", "split:1"], &[float()]),
            ],
            ..Model::default()
        }),
    ]
}

fn main() -> std::io::Result<()> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let root = here.join("../../tests/data/saved");
    let mut found = Vec::new();
    models(&root, &mut found);
    let mut made = 0;
    for model in found {
        let name = model.strip_prefix(&root).unwrap_or(&model).display().to_string().replace('/', "-");
        let graph = fs::read(model.join("saved_model.pb"))?;
        let index = fs::read(model.join("variables/variables.index")).ok();
        let data = fs::read(model.join("variables/variables.data-00000-of-00001")).unwrap_or_default();
        let mut put = |target: &str, bytes: &[u8]| {
            let corpus = here.join("corpus").join(target);
            fs::create_dir_all(&corpus)?;
            made += usize::from(bytes.len() <= MOST);
            if bytes.len() <= MOST { fs::write(corpus.join(&name), bytes) } else { Ok(()) }
        };
        if let Some(index) = &index {
            put("table", index)?;
        }
        put("proto", &graph)?;
        if let Some(input) = folder::input(graph, index.as_deref(), &data) {
            put("open", &input)?;
            put("run", &input)?;
        }
    }
    for (name, model) in small() {
        let graph = model.file();
        fs::write(here.join("corpus/proto").join(name), &graph)?;
        made += 3;
        for target in ["open", "run"] {
            let input = folder::input(graph.clone(), None, &[]).unwrap_or_default();
            fs::write(here.join("corpus").join(target).join(name), input)?;
        }
    }
    println!("{made} files in {}", here.join("corpus").display());
    Ok(())
}
