"""Makes models that are saved a second time in one Python process, and models that nearly are them.

usage: python make_saved_twice.py OUT_DIR                   (tests/data/saved_twice)

OUT_DIR/MODEL/first is what code is compiled from; MODEL/again is the same architecture built anew, with other weights and the numbers that Keras and TensorFlow go on with; MODEL/trained has been trained. What else is in MODEL differs from it in one thing, which the folder is called after.
values.npz has, for `first`, `again` and `trained`, the inputs (`again/x`) and what Keras computes of them, layer by layer (`again/left`). Needs tools/requirements-tensorflow.txt.
"""
import os, sys

os.environ |= {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TF_USE_LEGACY_KERAS": "0", "PYTHONHASHSEED": "0"}
import keras, numpy as np, tensorflow as tf
from keras import layers as L

out = sys.argv[1]
values = {}
RNG = np.random.default_rng(0)


def randomise(model):
    for v in model.weights:
        v.assign(RNG.normal(0, 0.5, v.shape).astype("float32"))


def put(model, name, net, data, taps, kind="export", train=False):
    """Saves a model, and what it computes if it is one whose values are asked for. `net` builds it."""
    if name == "first":
        keras.backend.clear_session()
    net = net()
    randomise(net)
    feed = data[0] if len(data) == 1 else data
    if train:
        net.layers[1].trainable = False
        net.compile("adam", "mse")
        net.fit(feed, np.zeros(np.shape(net(feed)), "float32"), verbose=0)
    path = os.path.join(out, model, name)
    net.export(path, verbose=False) if kind == "export" else tf.saved_model.save(net, path)
    if name in ("first", "again", "trained"):
        for i, d in enumerate(data):
            values.setdefault(model, {})[f"{name}/{'xyz'[i]}"] = d
        for key, value in taps(net, feed).items():
            values[model][f"{name}/{key}"] = np.asarray(value)


def normal(*shape):
    return RNG.normal(0, 1, shape).astype("float32")


def branches(activation="relu", units=5, swapped=False, factor=0.5, dilation=1, slope=0.2, early=False, adds=False, bias=True):
    """A convolution, two branches of equal shape of which one is subtracted from the other, and two layers of equal shape behind them."""
    x = L.Input((4, 4, 2))
    h = L.Conv2D(3, 2, padding="same", dilation_rate=dilation)(x)
    h = L.Flatten()(h)
    left, right = L.Dense(units, activation=activation), L.Dense(units, activation=activation)
    a, b = left(h), right(h)
    y = (L.Add if adds else L.Subtract)()([b, a] if swapped else [a, b])
    if early:
        y = L.LeakyReLU(negative_slope=slope)(y) * factor
    else:
        y = L.LeakyReLU(negative_slope=slope)(y * factor)
    y = L.Dense(5, use_bias=bias)(L.Dense(5)(y))
    return keras.Model(x, y)


def layers_of(net, feed):
    dense = [layer.output for layer in net.layers if isinstance(layer, L.Dense)]
    got = keras.Model(net.input, dense + [net.output])(feed)
    return dict(zip(["left", "right", "third", "fourth", "output"], got))


class Pair(keras.Model):
    """Two layers whose weights Keras gives one name, held by name."""

    def __init__(self, swapped=False):
        super().__init__()
        self.left, self.right = L.Dense(3), L.Dense(3)
        self.swapped = swapped

    def call(self, x):
        a, b = (self.right, self.left) if self.swapped else (self.left, self.right)
        return tf.multiply(a(x), b(x))


def pair_of(swapped=False):
    net = Pair(swapped)
    net(np.ones((2, 3), "float32"))
    return net


def pair_values(net, feed):
    return {"left": net.left(feed), "right": net.right(feed), "output": net(feed)}


def recurrent(activation="tanh", backwards=False):
    x = L.Input((3, 2))
    return keras.Model(x, L.SimpleRNN(4, activation=activation, go_backwards=backwards)(x))


def two_inputs(swapped=False):
    x, y = L.Input((3,)), L.Input((3,))
    a, b = L.Dense(4)(x), L.Dense(4)(y)
    return keras.Model([x, y], L.Subtract()([b, a] if swapped else [a, b]))


def output_of(net, feed):
    return {"output": net(feed)}


def tf1(path, name, data, units=3, root=""):
    """TensorFlow 1, without objects: variables are known by their names alone."""
    tf1 = tf.compat.v1
    x = tf1.placeholder(tf.float32, [None, 3], name="x")
    h = x
    for _ in range(2):
        with tf1.variable_scope(None, default_name="dense"):
            h = tf.nn.relu(tf.matmul(h, tf1.get_variable("kernel", [3, units if h is x else 3] if units == 3 or h is x else [units, 3], initializer=tf1.random_normal_initializer(seed=1))))
    with tf1.Session() as session:
        mine = [v for v in tf1.global_variables() if v not in tf1_seen]
        tf1_seen.extend(mine)
        session.run([v.assign(normal(*v.shape)) for v in mine])
        builder = tf1.saved_model.Builder(os.path.join(out, path, name))
        info = tf1.saved_model.build_tensor_info
        signature = tf1.saved_model.build_signature_def({"x": info(x)}, {"y": info(h)}, "predict")
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature}, saver=tf1.train.Saver(mine))
        builder.save()
        if name in ("first", "again"):
            values.setdefault(path, {})[f"{name}/x"] = data
            values[path][f"{name}/output"] = session.run(h, {x: data})


tf1_seen = []


def main():
    x = normal(3, 4, 4, 2)
    near = {"activation": dict(activation="tanh"), "size": dict(units=6), "operands": dict(swapped=True), "operation": dict(adds=True), "constant": dict(factor=0.25),
            "dilation": dict(dilation=2), "slope": dict(slope=0.3), "order": dict(early=True), "bias": dict(bias=False)}
    put("branches", "first", lambda: branches(), [x], layers_of)
    put("branches", "again", lambda: branches(), [normal(2, 4, 4, 2)], layers_of)
    put("branches", "trained", lambda: branches(), [normal(2, 4, 4, 2)], layers_of, train=True)
    for name, differs in near.items():
        put("branches", name, lambda differs=differs: branches(**differs), [x], layers_of)
    for kind in ("export", "tfsave"):
        model = f"pair_{kind}"
        put(model, "first", lambda: pair_of(), [normal(2, 3)], pair_values, kind)
        put(model, "again", lambda: pair_of(), [normal(2, 3)], pair_values, kind)
        put(model, "swapped", lambda: pair_of(swapped=True), [normal(2, 3)], pair_values, kind)
    # What trains a model stands beside it in the file.
    put("pair_tfsave", "trained", lambda: pair_of(), [normal(2, 3)], pair_values, "tfsave", train=True)
    put("recurrent", "first", lambda: recurrent(), [normal(2, 3, 2)], output_of)
    put("recurrent", "again", lambda: recurrent(), [normal(2, 3, 2)], output_of)
    put("recurrent", "activation", lambda: recurrent(activation="relu"), [normal(2, 3, 2)], output_of)
    put("recurrent", "direction", lambda: recurrent(backwards=True), [normal(2, 3, 2)], output_of)
    put("two_inputs", "first", lambda: two_inputs(), [normal(2, 3), normal(2, 3)], output_of)
    # Up to inputs 999 and 1000, whose names come in the other order.
    while int(L.Input((1,)).name.rsplit("_", 1)[-1]) < 998:
        pass
    put("two_inputs", "again", lambda: two_inputs(), [normal(2, 3), normal(2, 3)], output_of)
    put("two_inputs", "operands", lambda: two_inputs(swapped=True), [normal(2, 3), normal(2, 3)], output_of)
    with tf.Graph().as_default():
        tf1("graph", "first", normal(2, 3))
        tf1("graph", "again", normal(2, 3))
        tf1("graph", "size", normal(2, 3), units=4)
    for folder, _, _ in os.walk(out):
        if folder.endswith("assets"):
            os.rmdir(folder)
    for model, all in values.items():
        np.savez(os.path.join(out, model, "values.npz"), **all)


if __name__ == "__main__":
    main()
