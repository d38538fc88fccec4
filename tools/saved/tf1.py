"""TensorFlow 1 graphs: flat, no functions, no object graph; variables by name, or none."""
import numpy as np, tensorflow as tf
from .keras3 import normal
from .tensors import Seen, shown

v1 = tf.compat.v1
PLAIN = v1.ConfigProto(graph_options=v1.GraphOptions(optimizer_options=v1.OptimizerOptions(opt_level=v1.OptimizerOptions.L0)), intra_op_parallelism_threads=1)
PLAIN.graph_options.rewrite_options.disable_meta_optimizer = True


def dense(x, units, name, activation=None, seed=0):
    with v1.variable_scope(name):
        rng = np.random.default_rng(seed)
        w = v1.get_variable("kernel", initializer=rng.normal(0, 0.5, (int(x.shape[-1]), units)).astype("float32"))
        b = v1.get_variable("bias", initializer=rng.normal(0, 0.2, (units,)).astype("float32"))
        y = v1.nn.bias_add(tf.matmul(x, w), b)
        return activation(y) if activation else y


def network(image):
    with v1.variable_scope("conv"):
        w = v1.get_variable("weights", initializer=0.4 * normal(3, 3, 2, 4, seed=5))
        h = v1.nn.conv2d(image, w, strides=[1, 2, 2, 1], padding="SAME")
        scale, shift = (v1.get_variable(n, initializer=v) for n, v in (("gamma", 1 + 0.1 * normal(4, seed=6)), ("beta", 0.1 * normal(4, seed=7))))
        mean, variance = (v1.get_variable(n, initializer=v, trainable=False) for n, v in (("moving_mean", 0.1 * normal(4, seed=8)), ("moving_variance", 1 + 0.5 * np.abs(normal(4, seed=9)))))
        h, _, _ = v1.nn.fused_batch_norm(h, scale, shift, mean, variance, epsilon=1e-3, is_training=False)
        h = tf.nn.relu6(h)
    h = v1.nn.max_pool(h, [1, 2, 2, 1], [1, 1, 1, 1], "VALID", name="pool")
    h = tf.reshape(h, [-1, 4 * 4], name="flat")
    h = dense(h, 6, "hidden", tf.nn.elu, seed=1)
    logits = dense(h, 3, "logits", seed=2)
    return logits, tf.nn.softmax(logits, name="probabilities"), tf.argmax(logits, 1, name="best")


def write(folder, session, signatures, data):
    """signatures: name → (inputs, outputs), both name → tensor; data: input name → array, the same for all signatures."""
    builder = v1.saved_model.Builder(folder.at("tf1"))
    info = {n: v1.saved_model.signature_def_utils.predict_signature_def(i, o) for n, (i, o) in signatures.items()}
    builder.add_meta_graph_and_variables(session, [v1.saved_model.tag_constants.SERVING], signature_def_map=info, strip_default_attrs=True)
    builder.save()
    for signature, (inputs, outs) in signatures.items():
        expect(folder, signature, inputs, outs, {n: data[n] for n in inputs})


def expect(folder, signature, inputs, outs, data):
    """Every tensor that the outputs need, from the graph that was written, in TensorFlow 1's own session."""
    with tf.Graph().as_default() as graph, v1.Session(graph=graph, config=PLAIN) as session:
        v1.saved_model.load(session, ["serve"], folder.at("tf1"))
        needed, todo = set(), [graph.get_tensor_by_name(t.name).op for t in outs.values()]
        while todo:
            op = todo.pop()
            if op.name not in needed:
                needed.add(op.name)
                todo += [t.op for t in op.inputs] + list(op.control_inputs)
        prefix = "" if signature == "serving_default" else signature + "/"
        feed = {graph.get_tensor_by_name(t.name): data[n] for n, t in inputs.items()}
        fed = {t.name for t in feed}
        # A tensor inside a loop's frame has a value for every round, and a session gives none of them.
        users, depth = {}, {}
        for op in graph.get_operations():
            for before in [t.op for t in op.inputs] + list(op.control_inputs):
                users.setdefault(before.name, []).append(op)
        todo = [(op, 0) for op in graph.get_operations() if not op.inputs and not op.control_inputs]
        while todo:
            op, inside = todo.pop()
            # What comes around again is in the same frame, and `Exit` is in the frame outside.
            if op.name not in depth:
                depth[op.name] = inside + (op.type == "Enter") - (op.type == "Exit")
                todo += [(user, depth[op.name]) for user in users.get(op.name, [])]
        framed = {name for name, inside in depth.items() if inside > 0}
        seen, rows, dead = Seen(), [], []
        for op in graph.get_operations():
            for t in op.outputs if op.name in needed else []:
                if t.name in fed or not shown(t) or t.dtype == tf.variant or is_flow(t):
                    continue
                if op.name in framed:
                    dead.append(t.name)
                    continue
                try:
                    rows.append(seen.row(t, Value(session.run(t, feed))))
                except tf.errors.InvalidArgumentError as e:
                    if "Retval" not in str(e):
                        raise
                    dead.append(t.name)
        table = {"signature": signature, "inputs": {t.name: prefix + n for n, t in inputs.items()}, "outputs": {n: t.name for n, t in outs.items()}, "tensors": rows}
        if dead:
            table["dead"] = dead
        folder.put("tf1", signature, table, seen.values, {prefix + n: v for n, v in data.items()})


def is_flow(t):
    """Whether a float is what TensorFlow 1's TensorArrays pass on, which means nothing."""
    while t.op.type in ("Identity", "Enter", "Switch", "Merge", "Exit", "NextIteration"):
        t = t.op.inputs[0]
    return t.op.type in ("TensorArrayV3", "TensorArrayWriteV3", "TensorArrayScatterV3", "TensorArraySplitV3")


class Value:
    """A session's array, with the face of an eager tensor."""

    def __init__(self, array):
        self.array = np.asarray(array)

    def numpy(self):
        return self.array


def variables(resource):
    def make(folder):
        with tf.Graph().as_default(), v1.Session(config=PLAIN) as session, v1.variable_scope("net", use_resource=resource):
            image = v1.placeholder(tf.float32, [None, 6, 6, 2], name="image")
            logits, probabilities, best = network(image)
            session.run(v1.global_variables_initializer())
            hidden = session.graph.get_tensor_by_name("net/hidden/Elu:0")
            write(folder, session, {"serving_default": ({"image": image}, {"probabilities": probabilities, "best": best}), "features": ({"image": image}, {"hidden": hidden})}, {"image": normal(2, 6, 6, 2)})
    return make


def frozen(folder):
    with tf.Graph().as_default(), v1.Session(config=PLAIN) as session:
        image = v1.placeholder(tf.float32, [None, 6, 6, 2], name="image")
        _, probabilities, best = network(image)
        session.run(v1.global_variables_initializer())
        graph = v1.graph_util.convert_variables_to_constants(session, session.graph_def, ["probabilities", "best"])
    with tf.Graph().as_default() as g, v1.Session(config=PLAIN) as session:
        v1.import_graph_def(graph, name="")
        get = g.get_tensor_by_name
        write(folder, session, {"serving_default": ({"image": get("image:0")}, {"probabilities": get("probabilities:0"), "best": get("best:0")})}, {"image": normal(2, 6, 6, 2)})


def simple_save(folder):
    with tf.Graph().as_default(), v1.Session(config=PLAIN) as session:
        x = v1.placeholder(tf.float32, [None, 5], name="x")
        ids = v1.placeholder(tf.int32, [None], name="ids")
        table = v1.get_variable("table", [7, 5], initializer=v1.random_normal_initializer(seed=3), partitioner=v1.fixed_size_partitioner(3))
        y = dense(x + v1.nn.embedding_lookup(table, ids, partition_strategy="div"), 4, "dense", tf.tanh)
        session.run(v1.global_variables_initializer())
        v1.saved_model.simple_save(session, folder.at("tf1"), {"x": x, "ids": ids}, {"y": y})
    expect(folder, "serving_default", {"x": x, "ids": ids}, {"y": y}, {"x": normal(3, 5), "ids": np.array([6, 0, 3], "int32")})


def switches(folder):
    """Control flow as TensorFlow 1 had it: Switch, Merge, Enter, Exit, NextIteration in the graph itself."""
    on = v1.control_flow_v2_enabled()
    v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default(), v1.Session(config=PLAIN) as session:
            x = v1.placeholder(tf.float32, [2, 3], name="x")
            flag = v1.placeholder(tf.bool, [], name="flag")
            plain = dense(x, 3, "dense", tf.tanh)
            chosen = v1.cond(flag, lambda: plain * 2.0, lambda: plain - 1.0, name="choose")
            _, looped = v1.while_loop(lambda i, h: i < 3, lambda i, h: (i + 1, h * 0.5 + x), [tf.constant(0), chosen], name="loop")
            session.run(v1.global_variables_initializer())
            write(folder, session, {"serving_default": ({"x": x, "flag": flag}, {"plain": plain, "chosen": chosen, "looped": looped})}, {"x": normal(2, 3), "flag": np.array(True)})
    finally:
        if on:
            v1.enable_control_flow_v2()


def frames(folder):
    """Loops in loops and branches in both, in the graph itself."""
    on = v1.control_flow_v2_enabled()
    v1.disable_control_flow_v2()
    try:
        with tf.Graph().as_default(), v1.Session(config=PLAIN) as session:
            x = v1.placeholder(tf.float32, [None, 4], name="x")
            w = v1.get_variable("w", initializer=normal(4, 4, seed=1))
            positive = tf.reduce_sum(x) > 0.0
            chosen = v1.cond(positive, lambda: tf.matmul(x, w), lambda: v1.cond(tf.reduce_max(x) > 9.0, lambda: x, lambda: x - 1.0, name="inner"), name="outer")
            fixed = v1.cond(positive, lambda: tf.constant(2.0), lambda: tf.constant(3.0), name="fixed")
            steps, h = v1.while_loop(lambda i, h: i < 4, lambda i, h: (i + 1, tf.tanh(tf.matmul(h, w)) + x * fixed), [tf.constant(0), chosen], name="steps")
            rows = tf.TensorArray(tf.float32, 4).unstack(tf.transpose(h))

            def step(i, total, odd, outs):
                inner = v1.while_loop(lambda j, t: j < i, lambda j, t: (j + 1, t * 0.5 + x), [tf.constant(0), tf.zeros_like(x)], name="inner")[1]
                odd = v1.cond(tf.equal(i % 2, 1), lambda: odd + 1.0, lambda: odd * 2.0, name="odd")
                return i + 1, total + inner, odd, outs.write(i, rows.read(i) * odd)

            _, total, odd, outs = v1.while_loop(lambda i, *_: i < 4, step, [tf.constant(0), tf.zeros_like(x), tf.constant(1.0), tf.TensorArray(tf.float32, 4)], name="rows")
            outs = outs.stack()
            session.run(v1.global_variables_initializer())
            write(folder, session, {"serving_default": ({"x": x}, {"chosen": chosen, "steps": steps, "h": h, "total": total, "odd": odd, "rows": outs})}, {"x": -normal(3, 4)})
    finally:
        if on:
            v1.enable_control_flow_v2()


def recurrent(folder):
    """An LSTM as TensorFlow 1's users wrote it, with the loops of TensorFlow 2 inside."""
    on = v1.control_flow_v2_enabled()
    v1.enable_control_flow_v2()
    try:
        with tf.Graph().as_default(), v1.Session(config=PLAIN) as session, v1.variable_scope("rnn", partitioner=v1.fixed_size_partitioner(2)):
            x = v1.placeholder(tf.float32, [None, 5, 4], name="x")
            kernel = tf.convert_to_tensor(v1.get_variable("kernel", [7, 12], initializer=v1.random_normal_initializer(seed=1)))
            bias = tf.convert_to_tensor(v1.get_variable("bias", [12], initializer=v1.random_normal_initializer(seed=2)))
            steps = tf.transpose(x, [1, 0, 2])
            outs = tf.TensorArray(tf.float32, 5)

            def step(t, c, h, outs):
                i, j, f, o = tf.split(tf.matmul(tf.concat([steps[t], h], 1), kernel) + bias, 4, 1)
                c = tf.sigmoid(f + 1.0) * c + tf.sigmoid(i) * tf.tanh(j)
                h = tf.sigmoid(o) * tf.tanh(c)
                return t + 1, c, h, outs.write(t, h)

            zeros = tf.zeros([tf.shape(x)[0], 3])
            _, _, h, outs = v1.while_loop(lambda t, *_: t < 5, step, [tf.constant(0), zeros, zeros, outs], name="while")
            y = tf.transpose(outs.stack(), [1, 0, 2], name="sequence")
            session.run(v1.global_variables_initializer())
            write(folder, session, {"serving_default": ({"x": x}, {"sequence": y, "last": h})}, {"x": normal(2, 5, 4)})
    finally:
        if not on:
            v1.disable_control_flow_v2()


MAKERS = {
    "tf1_frames": (frames, "TensorFlow 1's own control flow, one in the other: loops, branches, TensorArrays; `dead` as in `tf1_switches`."),
    "tf1_recurrent": (recurrent, "TensorFlow 1: an LSTM in a loop of TensorFlow 2's kind, whose operations the file does not describe; partitioned variables."),
    "tf1_resource": (variables(True), "TensorFlow 1, SavedModelBuilder: a small convolutional network with FusedBatchNorm and resource variables; two signatures."),
    "tf1_reference": (variables(False), "The same network with the reference variables (VariableV2) of old files."),
    "tf1_frozen": (frozen, "TensorFlow 1, frozen: no variables, weights as constants, no variables/ folder's files."),
    "tf1_simple_save": (simple_save, "TensorFlow 1, simple_save: two inputs, and an embedding cut into partitioned variables."),
    "tf1_switches": (switches, "TensorFlow 1's own control flow (Switch, Merge, Enter, Exit, NextIteration); `dead` lists the tensors of the branch not taken and of frames, which have no value. The output `plain` needs none of it."),
}
