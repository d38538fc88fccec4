//! Every operation of the table with what nobody would give it: sizes, places and attributes of any number, in a process that
//! has little memory. Memory that is not there ends the process, so that an operation which does not ask for room is seen.

#[cfg(target_os = "linux")]
use std::process::Command;
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use super::testing::{A, data, i, rising};
use crate::data::{Data, List};

/// Set in the process that has little memory: which operations it is to try, or all.
const OPERATION: &str = "TAPER_TEST_OPERATION";

/// What it has, in KiB: enough for the program itself and for what may be made without asking.
#[cfg(target_os = "linux")]
const MEMORY: usize = 3 << 18;

/// How often each operation is tried.
const TIMES: usize = 250;

const NUMBERS: [i64; 20] = [
    0,
    1,
    1,
    2,
    3,
    4,
    7,
    -1,
    -2,
    64,
    1 << 12,
    1 << 15,
    1 << 16,
    1 << 20,
    1 << 28,
    1 << 31,
    1 << 40,
    1 << 62,
    i64::MAX,
    i64::MIN,
];

struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.below(all.len())]
    }

    fn sizes(&mut self) -> Vec<usize> {
        match self.below(12) {
            0 => vec![4096],
            1 => vec![64, 64],
            2 => vec![1 << 14],
            3 => vec![1, 16, 16, 4],
            4 => vec![1, 1, 1, 0],
            _ => (0..self.below(6)).map(|_| self.of(&[1, 1, 2, 3, 4])).collect(),
        }
    }

    fn tensor(&mut self) -> Tensor {
        let list = |random: &mut Self, len: usize| (0..len).map(|_| random.of(&NUMBERS)).collect::<Vec<_>>();
        match self.below(12) {
            0 => {
                // One number in memory.
                let sizes: &[usize] =
                    self.of(&[&[1 << 31][..], &[1 << 16, 1 << 15], &[1 << 20, 1 << 20], &[1 << 15, 1], &[1, 1 << 15]]);
                let one = if self.below(2) == 0 { rising(&[1]) } else { i(&[1], &[1]) };
                one.reshape(()).unwrap().broadcast_as(sizes).unwrap()
            }
            1..5 => rising(&self.sizes()),
            5..8 => {
                let number = self.of(&NUMBERS);
                i(&[], &[number])
            }
            8..10 => {
                let len = self.below(7);
                let list = list(self, len);
                i(&[len], &list)
            }
            10 => {
                let rows = self.below(5);
                let list = list(self, rows * 2);
                i(&[rows, 2], &list)
            }
            _ => rising(&self.sizes()).to_dtype(self.of(&[DType::U8, DType::I64, DType::F16])).unwrap(),
        }
    }

    fn input(&mut self, lists: bool) -> Data {
        if !lists || self.below(2) == 0 {
            return Data::Tensor(self.tensor());
        }
        let items = (0..self.below(4)).map(|_| if self.below(3) == 0 { None } else { Some(rising(&[2, 2])) }).collect();
        let shape = (self.below(2) == 0).then(|| vec![self.of(&NUMBERS), self.of(&NUMBERS)].into());
        Data::List(List { items: Arc::new(items), shape })
    }
}

/// A few of the attributes that operations read.
fn attributes<'a>(random: &mut Random, lists: &'a [Vec<i64>]) -> Vec<(&'static str, A<'a>)> {
    let mut all: Vec<(&'static str, A<'a>)> = Vec::new();
    let types = [1, 1, 1, 3, 4, 9, 10, 19];
    for name in ["T", "dtype", "DstT", "element_dtype"] {
        all.push((name, A::Type(random.of(&types))));
    }
    all.push(("padding", A::Str(random.of(&["SAME", "SAME", "VALID", "EXPLICIT"]))));
    for name in ["strides", "ksize", "dilations", "ksizes", "rates"] {
        all.push((name, A::Ints(&lists[random.below(lists.len())])));
    }
    all.push((
        "equation",
        A::Str(random.of(&["a,b->ab", "ab,cd->abcd", "a->aaa", "...,...->...", "ab,bc->ac", "a,a,a->a"])),
    ));
    for name in [
        "axis",
        "num_split",
        "num",
        "num_partitions",
        "num_bits",
        "depth_radius",
        "block_size",
        "batch_dims",
        "batch_dim",
        "seq_dim",
        "k",
    ] {
        if random.below(2) == 0 {
            all.push((name, A::Int(random.of(&NUMBERS))));
        }
    }
    for name in ["align_corners", "half_pixel_centers", "resize_if_index_out_of_bounds", "exclusive", "keep_dims"] {
        all.push((name, A::Bool(random.below(2) == 0)));
    }
    all
}

/// Windows of pictures and of volumes.
fn windows(random: &mut Random) -> Vec<Vec<i64>> {
    let sizes = [1, 1, 1, 2, 3, 16, 1 << 10, 1 << 15, (1 << 20) - 1, 1 << 20, 1 << 40, 0, -1];
    let mut all: Vec<Vec<i64>> = (0..4).map(|_| vec![1, random.of(&sizes), random.of(&sizes), 1]).collect();
    all.push(vec![1, random.of(&sizes), random.of(&sizes), random.of(&sizes), 1]);
    all.push(vec![1, 1, 1, 1]);
    all
}

/// What the process with little memory does.
#[test]
fn tries_its_operation() {
    let Ok(wanted) = std::env::var(OPERATION) else { return };
    for op in super::supported().filter(|op| wanted == "all" || wanted == *op) {
        let mut random = Random(op.bytes().fold(7, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte))));
        let lists = op.starts_with("Tensor");
        println!("\noperation: {op}");
        let mut well = 0;
        for _ in 0..TIMES {
            let windows = windows(&mut random);
            let attributes = attributes(&mut random, &windows);
            let inputs: Vec<Data> = (0..random.below(5)).map(|_| random.input(lists)).collect();
            match data(op, &attributes, &inputs) {
                Ok(_) => well += 1,
                Err(error) => {
                    let error = error.to_string();
                    assert!(!error.contains("asked for no room"), "{op} of {inputs:?}: {error}");
                }
            }
        }
        println!("\nwell: {well} of {TIMES}");
    }
}

/// Output and success of a process with little memory.
#[cfg(target_os = "linux")]
fn tried(op: &str) -> (String, bool) {
    let own = std::env::current_exe().unwrap();
    let test = "ops::hostile::tries_its_operation";
    let run = format!("ulimit -v {MEMORY}; exec \"$0\" --exact {test} --nocapture --test-threads=1");
    let mut command = Command::new("sh");
    // Every thread takes address space of its own.
    command.env("RAYON_NUM_THREADS", "2").env("MALLOC_ARENA_MAX", "1").env("RUST_BACKTRACE", "0");
    let output = command.args(["-c", &run]).arg(own).env(OPERATION, op).output();
    let output = output.unwrap();
    let text = [String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)].concat();
    (text, output.status.success())
}

#[cfg(target_os = "linux")]
#[test]
fn no_operation_makes_what_there_is_no_room_for() {
    let (text, success) = tried("all");
    let last = text.lines().rev().find_map(|line| line.strip_prefix("operation: "));
    let end: String = text.lines().rev().take(30).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n");
    assert!(success, "{last:?} ended the process: {end}");
    assert_eq!(text.matches("operation: ").count(), super::supported().count(), "{end}");
}

/// The test would see one that does not ask.
#[cfg(target_os = "linux")]
#[test]
fn who_does_not_ask_ends_the_process() {
    let (text, success) = tried("none of them: 4 GiB");
    assert!(success, "{text}");
    let own = std::env::current_exe().unwrap();
    let run =
        format!("ulimit -v {MEMORY}; exec \"$0\" --exact ops::hostile::makes_what_there_is_no_room_for --nocapture");
    let output = Command::new("sh").args(["-c", &run]).arg(own).env(OPERATION, "too much").output().unwrap();
    assert!(!output.status.success());
}

#[test]
fn makes_what_there_is_no_room_for() {
    if std::env::var(OPERATION).is_ok_and(|wanted| wanted == "too much") {
        drop(Tensor::ones(1 << 30, DType::F32, &Device::Cpu));
    }
}

/// An operation, its attributes and what goes in.
type Case<'c> = (&'c str, Vec<(&'c str, A<'c>)>, Vec<Tensor>);

/// What operations would make of a few numbers, each known to be refused for its size.
#[test]
fn what_is_asked_for_is_refused_by_name() {
    let list = |numbers: &[i64]| i(&[numbers.len()], numbers);
    let number = |number: i64| i(&[], &[number]);
    let x = || rising(&[2, 2]);
    let picture = || rising(&[1, 2, 2, 1]);
    let far = 1i64 << 33;
    let near = [("strides", A::Ints(&[1, 1, 1, 1])), ("padding", A::Str("SAME"))];
    let wide = [
        ("strides", A::Ints(&[1, 1, 1, 1])),
        ("padding", A::Str("EXPLICIT")),
        ("explicit_paddings", A::Ints(&[0, 0, 1 << 40, 0, 0, 0, 0, 0])),
    ];
    let explicit = |far| [("strides", A::Ints(&[1, 1, 1, 1])), ("padding", A::Str("SAME")), ("ksize", A::Ints(far))];
    let cases: Vec<Case<'_>> = vec![
        ("Reshape", vec![], vec![rising(&[0]), list(&[0, far])]),
        ("Tile", vec![], vec![x(), list(&[far, 1])]),
        ("Tile", vec![], vec![rising(&[1, 0]), list(&[far, 1])]),
        ("Fill", vec![], vec![list(&[far]), rising(&[])]),
        ("BroadcastTo", vec![], vec![rising(&[1]), list(&[far])]),
        ("Range", vec![], vec![number(0), number(far), number(1)]),
        ("Range", vec![], vec![rising(&[]), (rising(&[]) * 1e30).unwrap(), rising(&[])]),
        ("Pad", vec![], vec![x(), i(&[2, 2], &[far, 0, 0, 0])]),
        ("PadV2", vec![], vec![x(), i(&[2, 2], &[0, 0, 0, far]), rising(&[])]),
        ("MirrorPad", vec![("mode", A::Str("REFLECT"))], vec![x(), i(&[2, 2], &[far, 0, 0, 0])]),
        ("OneHot", vec![], vec![list(&[1, 2]), number(far), rising(&[]), rising(&[])]),
        ("ScatterNd", vec![], vec![i(&[1, 1], &[0]), rising(&[1]), list(&[far])]),
        ("SparseToDense", vec![], vec![number(0), list(&[far]), rising(&[]), rising(&[])]),
        ("ResizeBilinear", vec![], vec![picture(), list(&[far, 2])]),
        ("ResizeNearestNeighbor", vec![], vec![picture(), list(&[1 << 16, 1 << 16])]),
        ("ResizeArea", vec![], vec![picture(), list(&[far, 2])]),
        ("ResizeBicubic", vec![], vec![picture(), list(&[far, 2])]),
        ("Conv2D", wide.into(), vec![picture(), rising(&[1, 1, 1, 1])]),
        (
            "DepthwiseConv2dNative",
            near.into(),
            vec![rising(&[1 << 8, 1, 1, 1]), rising(&[1, 1, 1, 1]).broadcast_as((1, 1, 1, 1 << 24)).unwrap()],
        ),
        ("MaxPool", explicit(&[1, 1 << 19, 1 << 19, 1]).into(), vec![picture()]),
        ("AvgPool", explicit(&[1, 1 << 19, 1 << 19, 1]).into(), vec![picture()]),
        ("SpaceToBatchND", vec![], vec![picture(), list(&[1, 1]), i(&[2, 2], &[far, 0, 0, 0])]),
        ("UnsortedSegmentSum", vec![], vec![x(), list(&[0, 1]), number(far)]),
        ("Bincount", vec![], vec![list(&[1]), number(far), rising(&[0])]),
        ("MatrixDiagV3", vec![], vec![rising(&[1]), number(0), number(1 << 17), number(1 << 17), rising(&[])]),
        ("Split", vec![("num_split", A::Int(1 << 30))], vec![number(0), rising(&[1]).broadcast_as(1 << 30).unwrap()]),
        ("Unpack", vec![], vec![rising(&[1]).broadcast_as(1 << 22).unwrap()]),
    ];
    for (op, attrs, inputs) in cases {
        if super::supported().all(|name| name != op) {
            panic!("{op} is not in the table");
        }
        let inputs: Vec<Data> = inputs.into_iter().map(Data::Tensor).collect();
        let error = data(op, &attrs, &inputs).map(|_| ()).expect_err(op).to_string();
        let known = ["elements", "no memory", "too large", "too short", "tensors would be made", "windows"];
        assert!(known.iter().any(|known| error.contains(known)), "{op}: {error}");
    }
}
