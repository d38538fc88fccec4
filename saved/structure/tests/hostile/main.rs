//! Small files that describe what would take any time or any memory: an error, or a graph of a reasonable size. Where one is
//! read as it was meant, its test does not end.

mod message;

use message::{Directory, Model, attr, described, field, function, node, number, one};
use taper_saved_structure::checkpoint::Checkpoint;
use taper_saved_structure::graph::Engine;
use taper_saved_structure::open::{Structure, open};
use taper_saved_structure::proto::{Attrs, TensorProto};
use taper_saved_structure::slices::Slice;
use taper_saved_structure::{Error, Result};

/// Makes nothing, and knows every operation but one.
#[derive(Debug)]
struct Nothing;

impl Engine for Nothing {
    type Tensor = ();
    type Operation = ();

    fn weight(&self, saved: Option<(&Checkpoint, &str)>) -> Result<()> {
        let Some((checkpoint, key)) = saved else { return Ok(()) };
        checkpoint.parts(&checkpoint.entry(key)?, |_| Ok(()))
    }

    fn part(&self, checkpoint: &Checkpoint, key: &str, part: &Slice) -> Result<()> {
        checkpoint.parts(&checkpoint.part(key, part)?, |_| Ok(()))
    }

    fn constant(&self, _: &TensorProto<'_>) -> Result<()> {
        Ok(())
    }

    fn operation(&self, op: &str, attrs: &Attrs<'_>) -> Result<()> {
        match op {
            "Unknown" => Err(Error::Msg("it is not known".to_owned())),
            _ => attrs.output_shapes().map(|_| ()),
        }
    }
}

fn opened(model: &Model, name: &str) -> Result<Structure<Nothing>> {
    let directory = Directory::of(name);
    std::fs::write(directory.0.join("saved_model.pb"), model.file()).unwrap();
    open(&directory.0, None, &Nothing)
}

fn failed(model: &Model, name: &str) -> String {
    opened(model, name).unwrap_err().to_string()
}

/// A graph of so many nodes of one operation, each behind `x`.
fn many(count: usize, name: impl Fn(usize) -> String, op: &str) -> Vec<Vec<u8>> {
    let mut nodes: Vec<Vec<u8>> = (0..count).map(|at| node(&name(at), op, &["x"], &[])).collect();
    let inputs: Vec<String> = (0..count).map(name).collect();
    let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
    nodes.push(node("end", "AddN", &inputs, &[]));
    nodes
}

/// Five hundred million values of one node, in a file of 60 kB.
#[test]
fn outputs_that_are_lists_of_lists_are_not_made() {
    let output = |at: usize| [field(1, format!("o{at}")), field(6, "T")].concat();
    let operation = described("Great", 1, &(0..200).map(output).collect::<Vec<_>>());
    let types = attr("T", field(1, field(6, vec![1; 50_000])));
    let nodes =
        vec![node("great", "Great", &["x"], std::slice::from_ref(&types)), node("end", "Relu", &["great"], &[])];
    let model = Model { nodes, operations: vec![operation], ..Model::default() };
    let error = failed(&model, "lists");
    assert!(error.contains("no reasonable size"), "{error}");
}

#[test]
fn an_operation_of_a_great_many_outputs_is_not_supported() {
    let outputs: Vec<Vec<u8>> = (0..1000).map(|at| one(&format!("o{at}"))).collect();
    let nodes = vec![node("great", "Great", &["x"], &[]), node("end", "Relu", &["great:o999:0"], &[])];
    let model = Model { nodes, operations: vec![described("Great", 1, &outputs)], ..Model::default() };
    let structure = opened(&model, "outputs").unwrap();
    let end = structure.tensors.all.iter().find(|tensor| tensor.name() == "end").unwrap();
    assert!(end.unsupported().is_some(), "{end:?}");
}

/// Every one of them would try the names of all before it.
#[test]
fn nodes_of_one_name_are_told_apart_soon() {
    let model = Model { nodes: many(20_000, |_| "same".to_owned(), "Relu"), ..Model::default() };
    let structure = opened(&model, "names").unwrap();
    let names: std::collections::HashSet<&str> = structure.tensors.all.iter().map(|tensor| tensor.name()).collect();
    assert_eq!(names.len(), structure.tensors.all.len());
    assert!(names.contains("end"), "{names:?}");
}

/// Ten thousand nodes by as many defaults.
#[test]
fn defaults_are_not_copied_for_every_node() {
    let default = |at: usize| field(4, [field(1, format!("a{at}")), field(3, number(3, 1))].concat());
    let operation = [described("Many", 1, &[one("y")]), (0..10_000).flat_map(default).collect()].concat();
    let model =
        Model { nodes: many(10_000, |at| format!("n{at}"), "Many"), operations: vec![operation], ..Model::default() };
    assert_eq!(opened(&model, "defaults").unwrap().tensors.all.len(), 10_002);
}

/// One node waits ten thousand times for a thousand assignments.
#[test]
fn effects_are_not_gathered_without_end() {
    let names: Vec<String> = (0..1000).map(|at| format!("a{at}")).collect();
    let mut nodes: Vec<Vec<u8>> = names.iter().map(|name| node(name, "AssignVariableOp", &["x", "x"], &[])).collect();
    let all: Vec<String> = names.iter().map(|name| format!("^{name}")).collect();
    nodes.push(node("b", "NoOp", &all.iter().map(String::as_str).collect::<Vec<_>>(), &[]));
    nodes.push(node("end", "Relu", &[&["x"], &vec!["^b"; 10_000][..]].concat(), &[]));
    let error = failed(&Model { nodes, ..Model::default() }, "effects");
    assert!(error.contains("no reasonable size"), "{error}");
}

/// A function of nothing but waiting is looked at again at every call.
#[test]
fn functions_that_are_called_often_cost_what_they_are() {
    let waits = vec!["^x0"; 5000];
    let calls = |of: &str, count: usize| -> Vec<Vec<u8>> {
        let f = attr("f", field(10, field(1, of)));
        (0..count).map(|at| node(&format!("c{at}"), "PartitionedCall", &["x0"], std::slice::from_ref(&f))).collect()
    };
    let leaf = function("leaf", 1, &[node("wait", "NoOp", &waits, &[])], "x0");
    let outer = function("outer", 1, &calls("leaf", 1000), "x0");
    let f = attr("f", field(10, field(1, "outer")));
    let names: Vec<String> = (0..1000).map(|at| format!("n{at}")).collect();
    let mut nodes: Vec<Vec<u8>> =
        names.iter().map(|name| node(name, "PartitionedCall", &["x"], std::slice::from_ref(&f))).collect();
    nodes.push(node("end", "AddN", &names.iter().map(String::as_str).collect::<Vec<_>>(), &[]));
    let model = Model { nodes, functions: vec![leaf, outer], ..Model::default() };
    let error = failed(&model, "calls");
    assert!(error.contains("no reasonable size"), "{error}");
}

/// As deep as calls may be, and one deeper; in the stack that threads have.
#[test]
fn loops_in_loops_end_in_an_error_and_not_in_the_stack() {
    let of = |depth: usize| {
        let loops = |name: &str| {
            let function = |key, name: &str| attr(key, field(10, field(1, name)));
            let types = attr("T", field(1, number(6, 1)));
            node(
                name,
                "While",
                &["x0"],
                &[function("cond", "yes"), function("body", &format!("b{}", depth + 1)), types],
            )
        };
        function(&format!("b{depth}"), 1, &[loops("w")], "w:output:0")
    };
    let mut functions: Vec<Vec<u8>> = (0..200).map(of).collect();
    functions.push(function("b200", 1, &[node("r", "Relu", &["x0"], &[])], "r:output:0"));
    functions.push(function("yes", 1, &[node("r", "Relu", &["x0"], &[])], "r:output:0"));
    let f = attr("f", field(10, field(1, "b0")));
    let call = node("call", "PartitionedCall", &["x"], &[f]);
    let model = Model { nodes: vec![call, node("end", "Relu", &["call"], &[])], functions, ..Model::default() };
    let structure = std::thread::scope(|scope| {
        std::thread::Builder::new()
            .stack_size(1 << 20)
            .spawn_scoped(scope, || opened(&model, "loops"))
            .unwrap()
            .join()
            .unwrap()
    });
    let structure = structure.unwrap();
    let end = structure.tensors.all.iter().find(|tensor| tensor.name() == "end").unwrap();
    assert!(end.unsupported().is_some(), "{end:?}");
}

/// Half a gigabyte of one name.
#[test]
fn reasons_are_not_repeated_at_full_length() {
    let long = "n".repeat(100_000);
    let mut nodes = vec![node(&long, "Unknown", &["x"], &[])];
    nodes.push(node("n0", "Relu", &[&long], &[]));
    nodes.extend((1..5000).map(|at| node(&format!("n{at}"), "Relu", &[&format!("n{}", at - 1)], &[])));
    nodes.push(node("end", "Relu", &["n4999"], &[]));
    let structure = opened(&Model { nodes, ..Model::default() }, "reasons").unwrap();
    let reasons: std::collections::HashSet<*const u8> =
        structure.tensors.all.iter().filter_map(|tensor| tensor.unsupported()).map(str::as_ptr).collect();
    assert_eq!(reasons.len(), 2, "of the node itself, and of all that depend on it");
}

#[test]
fn scopes_do_not_take_more_than_the_names() {
    // Sixty scopes by two thousand bytes, in every one of twelve nodes.
    let part = "p".repeat(2000);
    let name = |at: usize| format!("r{at}/{}", vec![part.as_str(); 60].join("/"));
    let model = Model { nodes: many(12, name, "Relu"), ..Model::default() };
    let error = failed(&model, "scopes");
    assert!(error.contains("the names of its scopes"), "{error}");
}

#[test]
fn what_is_no_file_is_not_read() {
    let directory = Directory::of("device");
    let file = directory.0.join("saved_model.pb");
    #[cfg(unix)]
    std::os::unix::fs::symlink("/dev/zero", &file).unwrap();
    #[cfg(not(unix))]
    std::fs::create_dir_all(&file).unwrap();
    let error = open(&directory.0, None, &Nothing).unwrap_err().to_string();
    assert!(error.contains("saved_model.pb") && error.contains("no file"), "{error}");
}
