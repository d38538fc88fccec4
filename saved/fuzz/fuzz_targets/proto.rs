//! The reader of protocol buffers: the graph, attributes and constants in it, and the messages of checkpoints.

#![no_main]

use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};
use taper_saved_fuzz::{memory, mutate};
use taper_saved_structure::proto::{
    Attr, Attrs, BundleEntry, BundleHeader, GraphDef, MetaGraph, NodeDef, SavedModel, TensorProto, checkpoint_objects,
};

/// Bytes in memory for one of a file: an empty message takes two, and one of ours many.
const FACTOR: usize = 48;

const ATTRIBUTES: &[&str] = &[
    "T",
    "N",
    "dtype",
    "value",
    "shape",
    "f",
    "body",
    "cond",
    "branches",
    "Tin",
    "Tout",
    "num_split",
    "strides",
    "axis",
    "_output_shapes",
    "element_shape",
    "shared_name",
];

fn read_attributes(attrs: &Attrs<'_>) {
    for name in ATTRIBUTES {
        if let Ok(Some(Attr::Tensor(message))) = attrs.get(name) {
            let _ = TensorProto::parse(message).map(|tensor| tensor.shape.map(|shape| shape.known()));
        }
    }
    let _ = (attrs.output_shapes(), attrs.function("f"), attrs.functions("branches"), attrs.ints("strides"));
}

fn read_nodes<'a>(nodes: impl IntoIterator<Item = &'a NodeDef<'a>>) {
    nodes.into_iter().for_each(|node| read_attributes(&node.attrs));
}

fn read_graph(graph: &GraphDef<'_>) {
    read_nodes(&graph.nodes);
    for function in &graph.functions {
        read_nodes(&function.nodes);
        for output in &function.signature.outputs {
            let _ = output.types(&function.signature.defaults, 1 << 10);
        }
    }
}

fn read_meta(meta: &MetaGraph<'_>) {
    read_graph(&meta.graph);
    meta.ops.iter().for_each(|op| read_attributes(&op.defaults));
}

fuzz_target!(|bytes: &[u8]| {
    memory::limited(bytes.len(), FACTOR, || {
        if let Ok(model) = SavedModel::parse(bytes) {
            model.graph.iter().for_each(read_meta);
        }
        let _ = GraphDef::parse(bytes).map(|graph| read_graph(&graph));
        let _ = TensorProto::parse(bytes).map(|tensor| tensor.shape.map(|shape| shape.known()));
        let _ = BundleHeader::parse(bytes);
        let _ = BundleEntry::parse(bytes).map(|entry| entry.shape.known());
        let _ = checkpoint_objects(bytes);
    });
});

fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    match seed % 8 {
        0 => fuzzer_mutate(data, size, max_size),
        _ => mutate::message(data, size, max_size, seed).unwrap_or_else(|| fuzzer_mutate(data, size, max_size)),
    }
});
