"""Keras 2 models (tf_keras), saved as `model.save(folder)` saves them: keras_metadata.pb, a function for every layer, fused recurrent kernels."""
import tensorflow as tf, tf_keras
from tf_keras import layers as L
from tf_keras.src.saving.legacy import saving_utils
from .keras_calls import randomise, recorded
from .keras3 import normal


def save(folder, model, data, traces=True):
    """traces: whether every layer's own function is saved too; for recurrent layers these are hundreds, with gradients."""
    feed = {k: tf.constant(v) for k, v in data.items()}
    if len(feed) == 1:
        feed, = feed.values()
    model(feed)
    randomise(model.weights)
    with recorded(tf_keras.layers.Layer, model, tf.nest.flatten) as calls:
        model(feed)
    folder.layers(calls)
    # Without traces Keras writes no signature either, unless it is given.
    signatures = None if traces else saving_utils.trace_model_call(model)
    model.save(folder.at("keras2"), save_format="tf", save_traces=traces, signatures=signatures)
    names = sorted(tf.saved_model.load(folder.at("keras2")).signatures["serving_default"].structured_input_signature[1])
    folder.expect("keras2", data, order=names if set(names) == set(data) else list(data))


def functional(folder):
    x = tf_keras.Input((6, 6, 3), name="image")
    h = L.Conv2D(4, 3, padding="same", name="conv")(x)
    h = L.BatchNormalization(name="bn")(h)
    h = L.Activation("swish", name="swish")(h)
    h = tf.nn.relu(h) * 0.5
    h = L.Flatten(name="flatten")(h)
    shared = L.Dense(4, name="shared", activation="tanh")
    a = shared(h)
    b = shared(tf.reverse(h, [-1]))
    y = L.Dense(3, name="predictions", activation="softmax")(L.Concatenate(name="concat")([a, b]))
    save(folder, tf_keras.Model(x, {"predictions": y, "features": a}, name="net"), {"image": normal(1, 6, 6, 3)})


class Two(L.Layer):
    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.d1, self.d2 = L.Dense(units, activation="relu", name="d1"), L.Dense(units, name="d2")

    def call(self, x, training=False):
        h = self.d1(x)
        return self.d2(tf.tanh(2.0 * h)) + x


class Net(tf_keras.Model):
    def __init__(self):
        super().__init__(name="net")
        self.blocks = [Two(5, name="first"), Two(5, name="second")]
        self.head = L.Dense(2, name="head")

    def call(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(self.blocks[0](x))


def subclassed(folder):
    save(folder, Net(), {"x": normal(3, 5)})


def recurrent(cell, traces):
    def make(folder):
        x = tf_keras.Input((3, 5), name="x")
        save(folder, tf_keras.Model(x, cell(x), name="net"), {"x": normal(2, 3, 5)}, traces)
    return make


MAKERS = {
    "keras2_functional": (functional, "Keras 2: a functional model with plain TensorFlow operations between layers (TFOpLambda) and a layer called twice."),
    "keras2_subclassed": (subclassed, "Keras 2: a subclassed model with custom layers in a list, one of them called again."),
    "keras2_lstm": (recurrent(lambda x: L.Dense(2, name="head")(L.LSTM(4, return_sequences=True, name="lstm")(x)), traces=False), "Keras 2: LSTM (saved without the layers' own functions), whose fused kernel is a function called from the graph, with a While inside."),
    "keras2_bidirectional": (recurrent(lambda x: L.Bidirectional(L.GRU(3), name="both")(x), traces=False), "Keras 2: bidirectional GRU, concatenated (saved without the layers' own functions)."),
}
