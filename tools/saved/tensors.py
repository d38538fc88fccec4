"""The value of every tensor that a SavedModel's signature computes: calls inlined, and inside the bodies of control flow too.

The functions are run one by one, as the file has them. TensorFlow's own freezing and inlining, which renames and moves what is in bodies, is what the names and values are checked against.
"""
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

    def row(self, t, value, scope=""):
        """scope: what stands before the names of the function that the tensor is in."""
        row = {"name": scope + t.name, "op": t.op.type, "dtype": t.dtype.base_dtype.name, "shape": None, "inputs": [scope + i.name for i in t.op.inputs], "key": None}
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


def evaluate(function, feeds, args):
    """Every tensor of a wrapped graph, given its inputs: name → value."""
    fed = {t.name for t in feeds}
    tensors = [t for op in function.graph.get_operations() for t in op.outputs if t.name not in fed]
    values = function.prune(feeds, tensors)(*args)
    return dict(zip((t.name for t in [*feeds, *tensors]), [*args, *values]))


def imported(graph):
    return tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name="") and None, [])


def expected(saved, signature, inputs, data):
    """What `signature` of the SavedModel at `saved` computes from `data`: the table for expected_*.json and its values for the .npz.

    inputs: signature's input name → key in `data`.
    """
    loaded = tf.saved_model.load(saved)
    f = loaded.signatures[signature]
    captured = {id(t) for t in f.graph.internal_captures}
    placeholders = {t.name.rsplit(":", 1)[0]: t for t in f.inputs if id(t) not in captured}
    specs = f.structured_input_signature[1]
    of_input = {name: placeholders[spec.name] for name, spec in specs.items()}
    if set(of_input) != set(inputs):
        raise SystemExit(f"{saved}: signature {signature} takes {sorted(of_input)}, and data was given for {sorted(inputs)}")
    given = {of_input[name].name: tf.constant(data[key], specs[name].dtype) for name, key in inputs.items()}
    captures = {inside.name: outside for outside, inside in f.graph.captures}
    walk = Walk(f.graph.as_graph_def())
    alias = {}
    rows, bodies, known = walk.run(walk.graph, given | captures, [], "", alias)
    resolve(rows, alias)
    table = {"signature": signature, "inputs": {of_input[name].name: key for name, key in inputs.items()}, "outputs": dict(zip(sorted(f.structured_outputs), (t.name for t in f.outputs))), "tensors": rows}
    if bodies:
        table["bodies"] = bodies
    direct = f(**{name: given[of_input[name].name] for name in inputs})
    for name, tensor in table["outputs"].items():
        same(known[tensor], direct[name], name)
    against_frozen(f, given, {r["name"]: walk.seen.values[r["key"]] for r in rows if r["key"]})
    return table, walk.seen.values


def resolve(rows, alias):
    """Replaces inputs that are a call's argument or result by the tensor that stands behind it."""
    for row in rows:
        for i, name in enumerate(row["inputs"]):
            while name in alias:
                name = alias[name]
            row["inputs"][i] = name


def same(a, b, what):
    a, b = (np.asarray(t.numpy() if hasattr(t, "numpy") else t) for t in (a, b))
    assert a.shape == b.shape, f"{what}: {a.shape} and {b.shape}"
    if a.dtype.kind in "biu":
        assert (a == b).all(), what
    else:
        np.testing.assert_allclose(a.astype("float64"), b.astype("float64"), rtol=1e-5, atol=1e-6, err_msg=what)


def against_frozen(f, given, rows):
    """TensorFlow's own frozen and inlined graph must have the same names and values, but for what freezing and inlining add."""
    frozen = convert_to_constants.convert_variables_to_constants_v2(f, lower_control_flow=False, aggressive_inlining=True)
    run = imported(frozen.graph.as_graph_def())
    feeds = [run.graph.get_tensor_by_name(t.name) for t in frozen.inputs]
    values = evaluate(run, feeds, [given[t.name] for t in feeds])
    compared = 0
    for name, value in values.items():
        t = run.graph.get_tensor_by_name(name)
        added = name.startswith("Func/") or "_tfg_" in name or re.fullmatch(r"unknown(_\d+)?:0", name) or name in given
        # A variable's gather has its axis built in; a constant's has it as an input.
        added = added or t.op.type == "Const" and all(u.type == "GatherV2" and u.inputs[2] is t for u in t.consumers()) and name not in rows
        if added or not shown(t) or t.dtype == tf.variant or t.op.type in LOOPS | BRANCHES | MANY:
            continue
        assert name in rows, f"{name} is in the frozen graph alone"
        same(rows[name], tf.cast(value, tf.float32) if t.dtype == tf.bfloat16 else value, name)
        compared += 1
    assert compared or not values, "nothing to compare"


class Walk:
    """A run through a graph and the functions it calls, each given the values that its caller had."""

    def __init__(self, graph):
        self.graph, self.seen = graph, Seen()
        self.functions = {f.signature.name: f for f in graph.library.function}

    def run(self, graph, args, path, scope, alias):
        """graph: a GraphDef; args: its inputs' names → values.

        Gives the rows of its tensors (those of what it calls among them, under the caller's name, as inlining names them), the tables of the bodies of its control flow, and name → value.
        Into `alias` go the calls' arguments and results: their name → the name of what they are.
        """
        run = imported(graph)
        at = run.graph.get_tensor_by_name
        known = evaluate(run, [at(n) for n in args], list(args.values()))
        rows, bodies = [], []
        for node in graph.node:
            op = run.graph.get_operation_by_name(node.name)
            if node.op not in CALLS or self.stays(node):
                rows += [self.seen.row(t, known[t.name], scope) for t in op.outputs if t.name not in args and shown(t)]
            given = [known[t.name] for t in op.inputs]
            if node.op in CALLS:
                inside = f"{scope}{node.name}/"
                more, inner, results, takes, gives = self.call(node.attr["f"].func.name, given, path, inside, alias)
                alias |= {inside + a: scope + t.name for a, t in zip(takes, op.inputs)}
                if not self.stays(node):
                    alias |= {scope + t.name: inside + r for r, t in zip(gives, op.outputs)}
                rows += more
                bodies += inner
            elif node.op in LOOPS | BRANCHES | MANY:
                inner, results = self.control(node, given, path, scope)
                bodies += inner
            else:
                continue
            for t, result in zip(op.outputs, results, strict=True):
                if shown(t) and t.dtype != tf.variant:
                    same(result, known[t.name], f"what is inside {t.name}")
        return rows, bodies, known

    def call(self, name, args, path, scope, alias):
        """One call of a function: its rows, its bodies, its results, and the names of its arguments and results."""
        fdef = self.functions[name]
        graph, flat = function_def_to_graph.function_def_to_graph_def(fdef)
        graph.library.CopyFrom(self.graph.library)
        takes = [a.name + ":0" for a in fdef.signature.input_arg]
        gives = [flat[fdef.ret[o.name]] for o in fdef.signature.output_arg]
        rows, bodies, known = self.run(graph, dict(zip(takes, args)), path, scope, alias)
        return rows, bodies, [known[n] for n in gives], takes, gives

    def stays(self, node):
        """Whether TensorFlow leaves a call as it is: what XLA is to compile (Keras 3's grouped convolutions) is not inlined."""
        return any(a["_XlaMustCompile"].b for a in (node.attr, self.functions[node.attr["f"].func.name].attr) if "_XlaMustCompile" in a)

    def control(self, node, args, path, scope):
        """An `If` shows the branch that was taken, a `While` its condition and its body for every step."""
        bodies = []

        def body(part, name, args, **more):
            here = [*path, {"node": scope + node.name, "part": part, **more}]
            fdef = self.functions[name]
            alias = {}
            rows, inner, results, _, _ = self.call(name, args, here, "", alias)
            resolve(rows, alias)
            with tf.Graph().as_default():
                own = [(tf.compat.v1.placeholder(v.dtype, name=a.name), v) for a, v in zip(fdef.signature.input_arg, args)]
            own = [self.seen.row(t, v) for t, v in own if shown(t)]
            bodies.extend([{"path": here, "function": name, "tensors": own + rows}, *inner])
            return results

        if node.op in BRANCHES:
            part = "then_branch" if truth(args[0]) else "else_branch"
            return bodies, body(part, node.attr[part].func.name, args[1:])
        if node.op in MANY:
            branches = node.attr["branches"].list.func
            which = int(args[0].numpy())
            which = which if 0 <= which < len(branches) else len(branches) - 1
            results = body("branch", branches[which].name, args[1:], index=which)
            return bodies, results
        step = 0
        while truth(*body("cond", node.attr["cond"].func.name, args, step=step)):
            args = body("body", node.attr["body"].func.name, args, step=step)
            step += 1
        return bodies, args


def truth(t):
    """As TensorFlow takes a tensor for a condition: a scalar's value, otherwise whether there is any element."""
    t = t.numpy()
    return bool(t) if t.ndim == 0 else t.size > 0
