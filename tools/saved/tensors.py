"""The value of every tensor in a SavedModel's signature: frozen, inlined, and inside the bodies of control flow too."""
import re
import numpy as np, tensorflow as tf
from tensorflow.python.framework import convert_to_constants, function_def_to_graph

# Grappler would fold and fuse what is to be seen.
tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
CALLS = {"PartitionedCall", "StatefulPartitionedCall"}
LOOPS = {"While", "StatelessWhile"}
BRANCHES = {"If", "StatelessIf"}
MANY = {"Case", "StatelessCase"}


def keep_control_flow(graph):
    """TensorFlow's own leaves out `Case`, which it then takes apart into switches and merges."""
    for node in [*graph.node, *(n for f in graph.library.function for n in f.node_def)]:
        if node.op in LOOPS | BRANCHES | MANY:
            node.attr["_lower_using_switch_merge"].b = False
    return graph


convert_to_constants.disable_lower_using_switch_merge = keep_control_flow


class Seen:
    """Values under keys t0, t1, …, the same value (of an Identity, a weight that is read twice) under one key; the table beside them."""

    def __init__(self):
        self.values, self.keys = {}, {}

    def key(self, value):
        same = (value.dtype.str, value.shape, value.tobytes())
        if same not in self.keys:
            self.keys[same] = f"t{len(self.values)}"
            self.values[self.keys[same]] = value
        return self.keys[same]

    def row(self, t, value):
        row = {"name": t.name, "op": t.op.type, "dtype": t.dtype.base_dtype.name, "shape": None, "inputs": [source(i).name for i in t.op.inputs], "key": None}
        if t.dtype == tf.variant:
            stacked = stack(value)
            if stacked is not None:
                row["list"] = self.key(stacked)
        else:
            value = value.numpy()
            if t.dtype.base_dtype == tf.bfloat16:
                value = value.astype("float32")  # numpy's files know no bfloat16
            row |= {"shape": list(value.shape), "key": self.key(value)}
        return row


def stack(handle):
    """A TensorList's elements as one tensor; None where an element is missing and nobody says how large it is."""
    for dtype in (tf.float32, tf.int32, tf.int64, tf.bool):
        try:
            return tf.raw_ops.TensorListStack(input_handle=handle, element_shape=-1, element_dtype=dtype).numpy()
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError):
            pass
    return None


def shown(t):
    """Resources have no value; strings (of the Assert nodes) none that a program without strings could compare; what a batch norm reserves for its gradient means nothing."""
    return t.dtype.base_dtype not in (tf.resource, tf.string) and not (t.op.type == "FusedBatchNormV3" and t.value_index >= 3)


def added(t):
    """Whether freezing or inlining put this in: a constant for a captured variable, an identity at a call's border."""
    return t.name.startswith("Func/") or t.op.type == "Const" and re.fullmatch(r"unknown(_\d+)?:0", t.name)


def source(t):
    """The tensor itself, or the one that identities of the inliner hand on."""
    while t.name.startswith("Func/") and t.op.inputs:
        t = t.op.inputs[0]
    return t


def evaluate(function, feeds, args):
    """Every tensor of a wrapped graph, given its inputs: [(tensor, value)]; in the graph's own order, which is topological."""
    fed = {id(t) for t in feeds}
    tensors = [t for op in function.graph.get_operations() for t in op.outputs if id(t) not in fed and shown(t)]
    values = function.prune(feeds, tensors)(*args)
    return list(zip(tensors, values))


def expected(saved, signature, inputs, data):
    """What `signature` of the SavedModel at `saved` computes from `data`: the table for expected_*.json and its values for the .npz.

    inputs: signature's input name → key in `data`.
    """
    loaded = tf.saved_model.load(saved)
    f = loaded.signatures[signature]
    frozen = convert_to_constants.convert_variables_to_constants_v2(f, lower_control_flow=False, aggressive_inlining=True)
    placeholders = {t.name.rsplit(":", 1)[0]: t for t in frozen.inputs}
    specs = f.structured_input_signature[1]
    of_input = {name: placeholders[spec.name] for name, spec in specs.items()}
    if set(of_input) != set(inputs):
        raise SystemExit(f"{saved}: signature {signature} takes {sorted(of_input)}, and data was given for {sorted(inputs)}")
    feeds = [of_input[name] for name in inputs]
    args = [tf.constant(data[key], specs[name].dtype) for name, key in inputs.items()]
    graph = frozen.graph.as_graph_def()
    seen = Seen()
    run = imported(graph)
    at = {name: run.graph.get_tensor_by_name(t.name) for name, t in of_input.items()}
    pairs = evaluate(run, [at[name] for name in inputs], args)
    known = {t.name: v for t, v in pairs} | {t.name: v for t, v in zip(feeds, args)}
    table = {"signature": signature, "inputs": {t.name: inputs[name] for name, t in of_input.items()}, "outputs": outputs(f, frozen, known), "tensors": [seen.row(t, v) for t, v in pairs if not added(t)]}
    bodies = list(inside(graph.library, graph.node, known, run.graph, [], seen))
    if bodies:
        table["bodies"] = bodies
    check(f, inputs, args, table, known)
    return table, seen.values


def outputs(f, frozen, known):
    """Signature's output name → the tensor that holds it."""
    return dict(zip(sorted(f.structured_outputs), (t.name for t in frozen.outputs)))


def check(f, inputs, args, table, known):
    """The frozen graph must say what the SavedModel says."""
    direct = f(**dict(zip(inputs, args)))
    for name, tensor in table["outputs"].items():
        np.testing.assert_allclose(known[tensor].numpy().astype("float64"), direct[name].numpy().astype("float64"), rtol=1e-5, atol=1e-6, err_msg=name)


def imported(graph):
    return tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name="") and None, [])


def inside(library, nodes, known, graph, path, seen):
    """The tables of the functions that the nodes call, those they call in turn included.

    An `If` shows the branch that was taken, a `While` its condition and its body for every round, a call what it called.
    """
    functions = {f.signature.name: f for f in library.function}
    for node in nodes:
        kind = node.op
        if kind not in CALLS | LOOPS | BRANCHES | MANY:
            continue
        op = graph.get_operation_by_name(node.name)
        args = [known[t.name] for t in op.inputs]

        def body(part, attr, args, more={}, listed=None):
            name = node.attr[attr].list.func[listed].name if listed is not None else node.attr[attr].func.name
            here = [*path, {"node": node.name, "part": part, **more}]
            return run_body(library, functions[name], args, here, seen)

        if kind in CALLS:
            tables, results = body("call", "f", args)
            yield from tables
        elif kind in BRANCHES:
            taken = "then_branch" if bool(args[0].numpy().any()) else "else_branch"
            tables, results = body(taken, taken, args[1:])
            yield from tables
        elif kind in MANY:
            n = len(node.attr["branches"].list.func)
            which = int(args[0].numpy())
            which = which if 0 <= which < n else n - 1
            tables, results = body(f"branch {which}", "branches", args[1:], listed=which)
            yield from tables
        else:
            state, step = args, 0
            while True:
                tables, (go,) = body("cond", "cond", state, {"step": step})
                yield from tables
                if not bool(go.numpy().any()):
                    break
                tables, state = body("body", "body", state, {"step": step})
                yield from tables
                step += 1
            results = state
        for t, result in zip(op.outputs, results, strict=True):
            if shown(t) and t.dtype != tf.variant:
                np.testing.assert_allclose(result.numpy(), known[t.name].numpy(), rtol=1e-6, atol=1e-7, err_msg=f"what is inside {t.name} does not make it")


def run_body(library, fdef, args, path, seen):
    """One call of a function: the tables (its own first, then those inside it), and its results."""
    graph, flat = function_def_to_graph.function_def_to_graph_def(fdef)
    graph.library.CopyFrom(library)
    run = imported(graph)
    feeds = [run.graph.get_tensor_by_name(a.name + ":0") for a in fdef.signature.input_arg]
    pairs = evaluate(run, feeds, args)
    known = {t.name: v for t, v in pairs} | {t.name: v for t, v in zip(feeds, args)}
    table = {"path": path, "function": fdef.signature.name, "tensors": [seen.row(t, v) for t, v in [*zip(feeds, args), *pairs]]}
    results = [known[flat[fdef.ret[o.name]]] for o in fdef.signature.output_arg]
    return [table, *inside(library, graph.node, known, run.graph, path, seen)], results
