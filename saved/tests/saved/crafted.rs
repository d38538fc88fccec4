//! Models that nobody would save: they end in an error, soon and in little memory.

use candle_core::Tensor;
use taper_saved::{SavedModel, open};

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// A field that is a message or a string.
fn field(number: u64, bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, number << 3 | 2);
    put(&mut out, bytes.as_ref().len() as u64);
    out.extend_from_slice(bytes.as_ref());
    out
}

/// A field that is a number.
fn number(number: u64, value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, number << 3);
    put(&mut out, value);
    out
}

fn attr(name: &str, value: Vec<u8>) -> Vec<u8> {
    field(5, [field(1, name), field(2, value)].concat())
}

fn node(name: &str, op: &str, inputs: &[&str], attrs: Vec<Vec<u8>>) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|input| field(3, input)).collect();
    [field(1, name), field(2, op), inputs, attrs.concat()].concat()
}

/// A call of a function of one argument.
fn call(name: &str, function: &str, input: &str) -> Vec<u8> {
    let types = || field(1, number(6, 1));
    let function = attr("f", field(10, field(1, function)));
    node(name, "PartitionedCall", &[input], vec![function, attr("Tin", types()), attr("Tout", types())])
}

/// A function of `x` that gives the value of a name.
fn function(name: &str, nodes: &[Vec<u8>], gives: &str) -> Vec<u8> {
    let argument = |at, name: &str| field(at, [field(1, name), number(3, 1)].concat());
    let signature = [field(1, name), argument(2, "x"), argument(3, "y")].concat();
    let nodes: Vec<u8> = nodes.iter().flat_map(|node| field(3, node)).collect();
    [field(1, signature), nodes, field(4, [field(1, "y"), field(2, gives)].concat())].concat()
}

/// What operations there are gives out: one value, `y`, of floats.
fn operation(name: &str) -> Vec<u8> {
    field(1, [field(1, name), field(3, [field(1, "output"), number(3, 1)].concat())].concat())
}

/// A model of `x` whose output is that of the node `end`.
fn model(name: &str, nodes: &[Vec<u8>], functions: &[Vec<u8>]) -> candle_core::Result<SavedModel> {
    let info = |name: &str| [field(1, name), number(2, 1), field(3, number(3, 1))].concat();
    let x = field(1, node("x", "Placeholder", &[], vec![attr("dtype", number(6, 1))]));
    let nodes: Vec<u8> = nodes.iter().flat_map(|node| field(1, node)).collect();
    let library: Vec<u8> = functions.iter().flat_map(|function| field(1, function)).collect();
    let operations = ["Relu", "AddV2", "Const", "Fill", "Placeholder", "Identity"].map(operation).concat();
    let signature = [
        field(1, [field(1, "x"), field(2, info("x:0"))].concat()),
        field(2, [field(1, "y"), field(2, info("end:0"))].concat()),
    ];
    let meta = [
        field(1, [field(2, operations), field(4, "serve")].concat()),
        field(2, [x, nodes, field(2, library)].concat()),
        field(5, [field(1, "serving_default"), field(2, signature.concat())].concat()),
    ];
    let directory = std::env::temp_dir().join(format!("taper-saved-crafted-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    std::fs::write(directory.join("saved_model.pb"), field(2, meta.concat())).unwrap();
    let opened = open(&directory);
    std::fs::remove_dir_all(&directory).unwrap();
    opened
}

fn run(model: &SavedModel) -> candle_core::Result<Vec<f32>> {
    let x = Tensor::new(&[-1f32, 2.], &candle_core::Device::Cpu)?;
    model.forward([("x", &x)])?["y"].to_vec1()
}

#[test]
fn one_that_is_in_order_runs() {
    let double = function("double", &[node("sum", "AddV2", &["x", "x"], vec![])], "sum:output:0");
    let nodes = [call("two", "double", "x"), call("four", "double", "two"), node("end", "Relu", &["four"], vec![])];
    let model = model("order", &nodes, &[double]).unwrap();
    assert_eq!(run(&model).unwrap(), [0., 8.]);
    let names: Vec<_> = model.tensors().iter().map(|tensor| tensor.name()).collect();
    assert_eq!(names, ["x", "two/sum", "four/sum", "end"]);
}

#[test]
fn a_function_that_calls_itself_is_an_error() {
    let own = function("own", &[call("again", "own", "x")], "again:output:0");
    let error = model("recursion", &[call("end", "own", "x")], &[own]).unwrap_err().to_string();
    assert!(error.contains("a function calls itself"), "{error}");
}

/// Identities that wait for each other, as the condition of a `Merge`; frames without a way out.
#[test]
fn control_flow_that_goes_in_circles_is_an_error() {
    let cond = || vec![attr("T", number(6, 1))];
    let nodes = [
        node("a", "Identity", &["b"], cond()),
        node("b", "Identity", &["a"], cond()),
        node("s", "Switch", &["x", "a"], cond()),
        node("end", "Merge", &["s", "s:1"], cond()),
    ];
    let error = model("circle", &nodes, &[]).and_then(|model| run(&model)).unwrap_err().to_string();
    assert!(error.contains("cycle"), "{error}");
    let enter = || vec![attr("T", number(6, 1)), attr("frame_name", field(2, "frame"))];
    let nodes = [
        node("enter", "Enter", &["x"], enter()),
        node("merge", "Merge", &["enter", "next"], cond()),
        node("goes", "LoopCond", &["merge"], cond()),
        node("switch", "Switch", &["merge", "goes"], cond()),
        node("next", "NextIteration", &["end"], cond()),
        node("end", "Exit", &["switch"], cond()),
    ];
    let error = model("frame", &nodes, &[]).and_then(|model| run(&model)).unwrap_err().to_string();
    assert!(error.contains("can't be computed") || error.contains("not there"), "{error}");
}

/// 2⁶⁰ nodes out of sixty functions.
#[test]
fn a_small_file_makes_no_great_graph() {
    let mut functions = vec![function("f0", &[node("r", "Relu", &["x"], vec![])], "r:output:0")];
    for depth in 1..60 {
        let before = format!("f{}", depth - 1);
        let calls = [call("a", &before, "x"), call("b", &before, "a:output:0")];
        functions.push(function(&format!("f{depth}"), &calls, "b:output:0"));
    }
    let error = model("growth", &[call("end", "f59", "x")], &functions).unwrap_err().to_string();
    assert!(error.contains("no reasonable size"), "{}", &error[error.len().saturating_sub(200)..]);
}

#[test]
fn nodes_in_a_cycle_are_listed_and_not_computed() {
    let nodes = [node("a", "AddV2", &["x", "end"], vec![]), node("end", "Relu", &["a"], vec![])];
    let model = model("cycle", &nodes, &[]).unwrap();
    let error = run(&model).unwrap_err().to_string();
    assert!(error.contains("the output `y` can't be computed") && error.contains("cycle"), "{error}");
    assert!(model.summary().to_string().contains("not supported: end (Relu)"));
}

/// A loop over `x` as long as `cond` says, which is asked again by `body`.
fn repeat(name: &str, [cond, body]: [&str; 2], input: &str) -> Vec<u8> {
    let called = |own: &str, function: &str| attr(own, field(10, field(1, function)));
    let types = attr("T", field(1, number(6, 1)));
    node(name, "StatelessWhile", &[input], vec![called("cond", cond), called("body", body), types])
}

/// One of two functions of `x`, by whether it is zero.
fn choose(name: &str, [yes, no]: [&str; 2], input: &str) -> Vec<u8> {
    let called = |own: &str, function: &str| attr(own, field(10, field(1, function)));
    let types = |own: &str| attr(own, field(1, number(6, 1)));
    let attrs = vec![called("then_branch", yes), called("else_branch", no), types("Tin"), types("Tout")];
    node(name, "StatelessIf", &[input, input], attrs)
}

#[test]
fn names_in_loops_are_those_of_no_other_node() {
    // A name in the function is that of an argument once the loop's own is left out.
    let never = function("never", &[node("loop/x", "Relu", &["x"], vec![])], "loop/x:output:0");
    let step = function("step", &[node("loop/sum", "AddV2", &["x", "x"], vec![])], "loop/sum:output:0");
    let nodes = [
        node("loop/body/sum", "Relu", &["x"], vec![]),
        repeat("loop", ["never", "step"], "loop/body/sum"),
        node("end", "AddV2", &["loop", "loop/body/sum"], vec![]),
    ];
    let model = model("names", &nodes, &[never, step]).unwrap();
    let names: Vec<_> = model.tensors().iter().map(|tensor| tensor.name()).collect();
    let inside = ["loop/cond/x", "loop/cond/loop/x", "loop/body#2/x", "loop/body#2/sum"];
    assert_eq!(names, [&["x", "loop/body/sum"][..], &inside, &["loop", "end"]].concat());
    let none = Tensor::new(&[0f32; 0], &candle_core::Device::Cpu).unwrap();
    let found = model.capture([("x", &none)], &["loop/cond/loop/x", "loop/body/sum"]).unwrap();
    assert_eq!(found.len(), 2);
    let error = model.capture([("x", &none)], &["loop/body#2/sum"]).unwrap_err().to_string();
    assert!(error.contains("made no step of `loop/body#2`"), "{error}");
}

#[test]
fn a_loop_or_branch_that_calls_itself_is_an_error() {
    let stop = function("stop", &[node("r", "Relu", &["x"], vec![])], "r:output:0");
    for own in [
        function("own", &[repeat("again", ["stop", "own"], "x")], "again:output:0"),
        function("own", &[choose("again", ["own", "stop"], "x")], "again:output:0"),
        // Both ways.
        function("own", &[choose("again", ["own", "own"], "x")], "again:output:0"),
    ] {
        let opened = model("loops", &[call("end", "own", "x")], &[own, stop.clone()]);
        let error = opened.and_then(|model| run(&model)).unwrap_err().to_string();
        assert!(error.contains("calls itself") || error.contains("no reasonable size"), "{error}");
    }
}

#[test]
fn what_is_not_supported_in_a_branch_keeps_the_branch_from_being_computed_and_names_itself() {
    let odd = function("odd", &[node("pick/sum", "Odd", &["x"], vec![])], "pick/sum:output:0");
    let even = function("even", &[node("pick/sum", "Relu", &["x"], vec![])], "pick/sum:output:0");
    let nodes = [choose("pick", ["odd", "even"], "x"), node("end", "Relu", &["pick"], vec![])];
    let model = model("odd", &nodes, &[odd, even]).unwrap();
    let blame = "`pick/then_branch/sum` (Odd): the operation is not supported";
    for name in ["pick/then_branch/sum", "pick/else_branch/sum", "pick", "end"] {
        let error = model.find(name).unwrap_err().to_string();
        assert!(error.contains("can't be computed") && error.contains(blame), "{name}: {error}");
    }
    assert!(run(&model).unwrap_err().to_string().contains(blame));
    assert!(model.summary().to_string().contains("not supported: pick/then_branch/sum (Odd)"));
}

#[test]
fn functions_that_do_not_fit_are_errors_and_leave_nothing() {
    let one = function("one", &[node("r", "Relu", &["x"], vec![])], "r:output:0");
    let types = |own: &str, count: usize| attr(own, field(1, vec![number(6, 1); count].concat()));
    let called = |own: &str| attr(own, field(10, field(1, "one")));
    for node_of_two in [
        node("pair", "StatelessWhile", &["x", "x"], vec![called("cond"), called("body"), types("T", 2)]),
        // It says that it gives more than its functions do.
        node("pair", "StatelessIf", &["x", "x"], vec![called("then_branch"), called("else_branch"), types("Tout", 2)]),
        node("pair", "StatelessCase", &["x", "x"], vec![attr("branches", field(1, "")), types("Tout", 1)]),
    ] {
        let nodes = [node_of_two, node("end", "Relu", &["pair"], vec![])];
        let model = model("fit", &nodes, std::slice::from_ref(&one)).unwrap();
        let error = run(&model).unwrap_err().to_string();
        assert!(error.contains("do not take and give"), "{error}");
        assert!(model.tensors().iter().all(|tensor| !tensor.name().contains("pair/")));
    }
}

#[test]
fn great_values_are_not_made() {
    let tensor = |shape: &[u64], values: Vec<u8>| {
        let shape: Vec<u8> = shape.iter().flat_map(|size| field(2, number(1, *size))).collect();
        attr("value", field(8, [number(1, 3), field(2, shape), values].concat()))
    };
    // 2⁴⁰ numbers, of which the file has one.
    let sizes = node("sizes", "Const", &[], vec![tensor(&[1 << 20, 1 << 20], number(7, 3))]);
    let nodes = [sizes, node("end", "Fill", &["sizes", "x"], vec![])];
    assert!(run(&model("constant", &nodes, &[]).unwrap()).is_err());
    let sizes = node("sizes", "Const", &[], vec![tensor(&[1], number(7, 1 << 40))]);
    let nodes = [sizes, node("end", "Fill", &["sizes", "x"], vec![])];
    let error = run(&model("fill", &nodes, &[]).unwrap()).unwrap_err().to_string();
    assert!(error.contains("`end` (Fill)") && error.contains("elements"), "{error}");
}

/// A constant of one value that stands for all.
fn constant(name: &str, ty: u64, shape: &[u64], value: Vec<u8>) -> Vec<u8> {
    let shape: Vec<u8> = shape.iter().flat_map(|size| field(2, number(1, *size))).collect();
    let tensor = [number(1, ty), field(2, shape), value].concat();
    node(name, "Const", &[], vec![attr("value", field(8, tensor)), attr("dtype", number(6, ty))])
}

/// What such constants become would be 4 TB.
#[test]
fn constants_that_take_no_memory_are_not_put_there() {
    let float = || field(5, 1f32.to_le_bytes());
    let types = || vec![attr("T", number(6, 1))];
    let constants = [
        constant("great", 1, &[1 << 20, 1 << 20], float()),
        constant("large", 1, &[1 << 14, 1 << 14], float()),
        constant("rows", 1, &[1 << 20, 1], float()),
        constant("columns", 1, &[1, 1 << 20], float()),
        constant("axis", 3, &[], number(7, 0)),
        constant("empty", 1, &[1 << 40, 0], Vec::new()),
    ];
    let often = vec!["large"; 100];
    for (at, end) in [
        node("end", "Relu", &["great"], types()),
        node("end", "Identity", &["great"], types()),
        node("end", "Less", &["rows", "columns"], types()),
        node("end", "LogicalAnd", &["rows", "columns"], types()),
        node("end", "ClipByValue", &["rows", "columns", "rows"], types()),
        node("end", "Pack", &often, types()),
        node("end", "ConcatV2", &[&often[..], &["axis"]].concat(), types()),
        node("end", "Unpack", &["empty"], types()),
    ]
    .into_iter()
    .enumerate()
    {
        let nodes = [&constants[..], &[end]].concat();
        let error = run(&model(&format!("memory-{at}"), &nodes, &[]).unwrap()).unwrap_err().to_string();
        assert!(error.contains("`end` (") && error.contains("elements"), "{at}: {error}");
    }
}

/// A list of a million places, each of which would be a million zeros of its own.
#[test]
fn places_that_nothing_was_written_to_are_not_made() {
    let list = || vec![attr("element_dtype", number(6, 1))];
    let nodes = [
        constant("shape", 3, &[1], number(7, 1 << 20)),
        constant("len", 3, &[], number(7, 1 << 20)),
        node("list", "TensorListReserve", &["shape", "len"], list()),
        node("end", "TensorListStack", &["list", "shape"], list()),
    ];
    let error = run(&model("list", &nodes, &[]).unwrap()).unwrap_err().to_string();
    assert!(error.contains("`end` (TensorListStack)") && error.contains("elements"), "{error}");
}

/// A mebibyte of ones each, all needed at the end.
fn mebibytes(count: usize) -> Vec<Vec<u8>> {
    let types = || vec![attr("T", number(6, 1))];
    let mut nodes = vec![constant("one", 1, &[1 << 18], field(5, 1f32.to_le_bytes()))];
    let names: Vec<String> = (0..count).map(|at| format!("n{at}")).collect();
    nodes.extend(names.iter().map(|name| node(name, "Relu", &["one"], types())));
    nodes.push(node("sum", "AddN", &names.iter().map(String::as_str).collect::<Vec<_>>(), types()));
    let axis = constant("axis", 3, &[1], number(7, 0));
    nodes.extend([axis, node("end", "Sum", &["sum", "axis"], types())]);
    nodes
}

fn x() -> Tensor {
    Tensor::new(&[-1f32, 2.], &candle_core::Device::Cpu).unwrap()
}

const MEBI: usize = 1 << 20;

#[test]
fn what_a_run_holds_at_a_time_is_limited_in_sum() {
    let model = model("sum", &mebibytes(40), &[]).unwrap();
    let x = x();
    let error = model.run().memory_limit(20 * MEBI).forward([("x", &x)]).unwrap_err().to_string();
    let known =
        ["`n20` (Relu)", &format!("take {} bytes", 21 * MEBI), &format!("may hold {}", 20 * MEBI), "`memory_limit`"];
    assert!(known.iter().all(|known| error.contains(known)), "{error}");
    let out = model.run().memory_limit(42 * MEBI).forward([("x", &x)]).unwrap();
    assert_eq!(out["y"].to_scalar::<f32>().unwrap(), 40. * (1 << 18) as f32);
    assert!(model.forward([("x", &x)]).is_ok());
    // One value that is larger than all may be is not made.
    let error = model.run().memory_limit(MEBI / 2).forward([("x", &x)]).unwrap_err().to_string();
    assert!(error.contains("`n0` (Relu)") && error.contains("may hold"), "{error}");
}

#[test]
fn a_weight_that_is_larger_than_the_limit_is_only_read() {
    let model = open(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/saved/mlp/export")).unwrap();
    assert!(model.variables().any(|(_, weight)| weight.dims() == [32, 64]));
    let x = Tensor::ones((1, 32), candle_core::DType::F32, &candle_core::Device::Cpu).unwrap();
    assert!(model.run().memory_limit(4096).forward([("x", &x)]).is_ok());
    // What is made of it counts: 256 bytes in the first layer.
    let error = model.run().memory_limit(200).forward([("x", &x)]).unwrap_err().to_string();
    assert!(error.contains("`memory_limit` allows more"), "{error}");
}

/// More than is made without anything being counted.
#[test]
fn a_run_may_make_and_hold_a_great_deal() {
    let model = model("deal", &mebibytes(300), &[]).unwrap();
    let out = model.forward([("x", &x())]).unwrap();
    assert_eq!(out["y"].to_scalar::<f32>().unwrap(), 300. * (1 << 18) as f32);
}

#[test]
fn what_is_used_up_and_what_is_a_view_does_not_count_and_what_is_captured_does() {
    let types = || vec![attr("T", number(6, 1))];
    let mut nodes = vec![constant("one", 1, &[1 << 18], field(5, 1f32.to_le_bytes()))];
    nodes.push(node("n0", "Relu", &["one"], types()));
    for at in 1..50 {
        let op = if at % 2 == 0 { "Relu" } else { "Identity" };
        nodes.push(node(&format!("n{at}"), op, &[&format!("n{}", at - 1)], types()));
    }
    nodes.extend([constant("axis", 3, &[1], number(7, 0)), node("end", "Sum", &["n49", "axis"], types())]);
    let model = model("used", &nodes, &[]).unwrap();
    let (run, x) = (|| model.run().memory_limit(3 * MEBI), x());
    run().forward([("x", &x)]).unwrap();
    assert_eq!(run().capture([("x", &x)], &["n0", "n1"]).unwrap().len(), 2);
    let error = run().capture([("x", &x)], &["n*"]).unwrap_err().to_string();
    assert!(error.contains("may hold"), "{error}");
    assert_eq!(model.run().memory_limit(27 * MEBI).capture([("x", &x)], &["n*"]).unwrap().len(), 50);
}

/// A list that grows by a mebibyte in every step of a loop without end.
#[test]
fn a_loop_that_fills_a_list_without_end_is_an_error() {
    let list = || vec![attr("element_dtype", number(6, 1))];
    let one = constant("one", 1, &[1 << 18], field(5, 1f32.to_le_bytes()));
    let relu = node("relu", "Relu", &["one:output:0"], vec![attr("T", number(6, 1))]);
    let push = node("push", "TensorListPushBack", &["x", "relu:output:0"], list());
    let more = function("more", &[one, relu, push], "push:output_handle:0");
    let yes = function("yes", &[node("len", "TensorListLength", &["x"], vec![])], "len:length:0");
    let nodes = [
        constant("shape", 3, &[1], number(7, 1 << 18)),
        constant("len", 3, &[], number(7, 1)),
        node("list", "TensorListReserve", &["shape", "len"], list()),
        repeat("loop", ["yes", "more"], "list"),
        node("end", "TensorListLength", &["loop"], vec![]),
    ];
    let model = model("fill", &nodes, &[yes, more]).unwrap();
    let error = model.run().memory_limit(50 * MEBI).forward([("x", &x())]).unwrap_err().to_string();
    assert!(error.contains("`loop/body/") && error.contains("may hold"), "{error}");
}

#[test]
fn loops_without_end_end_by_a_limit_or_by_being_stopped() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    let same = function("same", &[node("r", "Identity", &["x"], vec![])], "r:output:0");
    // A value of two numbers is taken for true.
    let nodes = [repeat("loop", ["same", "same"], "x"), node("end", "Relu", &["loop"], vec![])];
    let model = model("endless", &nodes, std::slice::from_ref(&same)).unwrap();
    let x = x();
    let error = model.run().step_limit(1000).forward([("x", &x)]).unwrap_err().to_string();
    assert!(error.contains("`loop`") && error.contains("1000 steps") && error.contains("`step_limit`"), "{error}");
    let asked = std::sync::Arc::new(AtomicUsize::new(0));
    let counts = asked.clone();
    let stop = move || counts.fetch_add(1, Ordering::Relaxed) > 5000;
    let error = model.run().stop_when(stop).forward([("x", &x)]).unwrap_err().to_string();
    assert!(error.contains("the run was stopped before `loop/"), "{error}");
    assert_eq!(asked.load(Ordering::Relaxed), 5002);
    // Those of a loop in a loop are counted together.
    let outer = function("outer", &[repeat("again", ["same", "same"], "x")], "again:output:0");
    let nodes = [repeat("loop", ["same", "outer"], "x"), node("end", "Relu", &["loop"], vec![])];
    let model = self::model("nested", &nodes, &[same, outer]).unwrap();
    let error = model.run().step_limit(100).forward([("x", &x)]).unwrap_err().to_string();
    assert!(error.contains("100 steps"), "{error}");
}

/// candle has no cosine of integers, and breaks off.
#[test]
fn what_candle_has_no_code_for_is_an_error() {
    let int = || vec![attr("T", number(6, 3))];
    let nodes = [constant("n", 3, &[2], number(7, 1)), node("end", "Cos", &["n"], int())];
    let error = run(&model("cosine", &nodes, &[]).unwrap()).unwrap_err().to_string();
    assert!(error.contains("`end` (Cos)") && error.contains("can't be computed of these values"), "{error}");
}
