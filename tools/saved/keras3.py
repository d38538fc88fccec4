"""Keras 3 models: subclassed, recurrent, a transformer encoder, pooling, and the blocks of Keras's image classifiers."""
import keras, numpy as np, tensorflow as tf
from keras import layers as L
from .keras_calls import randomise, recorded


def save(folder, model, data, kinds=("export",)):
    """`data`: input name → array, in the order of the model's inputs; `kinds`: the ways in which the model is saved."""
    feed = dict(data) if len(data) > 1 else next(iter(data.values()))
    model(feed if isinstance(feed, dict) else tf.constant(feed))
    randomise(model.weights)
    with recorded(keras.Layer, model, tf.nest.flatten) as calls:
        model({k: tf.constant(v) for k, v in data.items()} if len(data) > 1 else tf.constant(feed))
    folder.layers(calls)
    for kind in kinds:
        if kind == "export":
            model.export(folder.at(kind), verbose=False)
        else:
            tf.saved_model.save(model, folder.at(kind))
        folder.expect(kind, data, order=keys_of(folder.at(kind), list(data)))


def keys_of(saved, data):
    """The keys in `data` in the order of the signature's sorted input names; where the names are lost they are numbered in the model's order."""
    names = sorted(tf.saved_model.load(saved).signatures["serving_default"].structured_input_signature[1])
    return names if set(names) == set(data) else data


def rng(seed=0):
    return np.random.default_rng(seed)


def normal(*shape, seed=0):
    return rng(seed).normal(0, 1, shape).astype("float32")


class Gate(L.Layer):
    """sigmoid(a(x)) · b(x), with an inner layer in a list and plain operations between."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.parts = [L.Dense(units, name="a"), L.Dense(units, name="b")]
        self.temperature = self.add_weight(shape=(), name="temperature")

    def call(self, x):
        return keras.ops.sigmoid(self.parts[0](x) / (1.5 + keras.ops.abs(self.temperature))) * self.parts[1](x)


class Block(L.Layer):
    """Custom layers inside a custom layer, one of them called twice."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.norm, self.gate, self.again = L.LayerNormalization(), Gate(units), L.Dense(units, activation="tanh")

    def call(self, x):
        h = self.gate(self.norm(x))
        h = self.again(h)
        h = 0.5 * h + keras.ops.exp(-keras.ops.square(h))
        return x + self.again(h)


class Subclassed(keras.Model):
    def __init__(self):
        super().__init__(name="net")
        self.embed = L.Dense(12, name="dense_7")
        self.blocks = [Block(12, name="block_a"), Block(12, name="block_b")]
        self.head = L.Dense(3)
        self.drop = L.Dropout(0.3)

    def call(self, x):
        h = keras.activations.leaky_relu(self.embed(x))
        for block in self.blocks:
            h = self.drop(block(h))
        h = self.blocks[0](h)
        mean, largest = keras.ops.mean(h, axis=-1, keepdims=True), keras.ops.max(h, axis=-1, keepdims=True)
        return {"logits": self.head(keras.ops.concatenate([h, mean, largest], axis=-1)), "hidden": h}


def subclassed(*kinds):
    return lambda folder: save(folder, Subclassed(), {"x": normal(3, 7)}, kinds)


def recurrent(cell):
    def make(folder):
        x = keras.Input((3, 5), name="x")
        model = keras.Model(x, cell(x), name="net")
        save(folder, model, {"x": normal(2, 3, 5)})
    return make


def masked(x):
    h = L.Masking(mask_value=0.0, name="masking")(x)
    return L.Dense(2, name="head")(L.LSTM(4, name="lstm")(h))


def masked_lstm(folder):
    x = keras.Input((4, 5), name="x")
    data = normal(2, 4, 5)
    data[1, 2:] = 0
    save(folder, keras.Model(x, masked(x), name="net"), {"x": data})


class Within(L.Layer):
    """One inner layer, which is built when this one is first called, between operations of the same names."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def call(self, x):
        h = keras.ops.gelu(x)[:, 1:]
        return keras.ops.tanh(2 * self.inner(h)) + keras.ops.gelu(x + 1)[:, :1]


def within(folder):
    x = keras.Input((6,), name="x")
    h = Within(L.Dense(5, name="dense"), name="wrap")(x)
    h = Within(L.BatchNormalization(name="scaled"), name="wrap_1")(L.Dense(6, name="wider")(h))
    h = Within(Within(L.Dense(3, name="dense"), name="inner"), name="outer")(L.Dense(6, name="wide")(h))
    save(folder, keras.Model(x, h, name="net"), {"x": normal(3, 6)})


class Positions(L.Layer):
    def __init__(self, length, width, **kwargs):
        super().__init__(**kwargs)
        self.table = self.add_weight(shape=(length, width), name="positions")

    def call(self, x):
        return x + self.table[: keras.ops.shape(x)[1]]


def transformer(folder):
    tokens, mask = keras.Input((None,), dtype="int32", name="tokens"), keras.Input((None,), dtype="bool", name="mask")
    h = L.Embedding(31, 8, name="token_embedding")(tokens)
    h = Positions(12, 8, name="position_embedding")(h)
    h = L.LayerNormalization(epsilon=1e-5, name="embedding_norm")(h)
    for i in range(1):
        a = L.MultiHeadAttention(2, 4, name=f"attention_{i}")(h, h, attention_mask=keras.ops.expand_dims(mask, 1))
        h = L.LayerNormalization(epsilon=1e-5, name=f"attention_norm_{i}")(h + a)
        f = L.Dense(16, activation="gelu", name=f"inner_{i}")(h)
        h = L.LayerNormalization(epsilon=1e-5, name=f"output_norm_{i}")(L.Add(name=f"residual_{i}")([h, L.Dense(8, name=f"outer_{i}")(f)]))
    pooled = L.Dense(8, activation="tanh", name="pooler")(h[:, 0])
    ids = rng().integers(0, 31, (2, 6)).astype("int32")
    keep = np.ones((2, 6), bool); keep[1, 4:] = False
    save(folder, keras.Model({"tokens": tokens, "mask": mask}, {"hidden": h, "pooled": pooled}, name="encoder"), {"tokens": ids, "mask": keep})


def pooling(folder):
    x = keras.Input((9, 8, 3), name="image")
    outs = {}
    for kind, layer in (("max", L.MaxPooling2D), ("average", L.AveragePooling2D)):
        for padding in ("same", "valid"):
            outs[f"{kind}_{padding}"] = layer((3, 2), strides=(2, 3), padding=padding, name=f"{kind}_{padding}")(x)
    outs["global_average"] = L.GlobalAveragePooling2D(name="global_average")(x)
    outs["global_max"] = L.GlobalMaxPooling2D(keepdims=True, name="global_max")(x)
    sequence = L.Reshape((9, 24), name="rows")(x)
    outs["rows_max"] = L.MaxPooling1D(2, padding="same", name="rows_max")(sequence)
    outs["rows_average"] = L.AveragePooling1D(4, strides=3, name="rows_average")(sequence)
    outs["rows_global"] = L.GlobalAveragePooling1D(name="rows_global")(sequence)
    save(folder, keras.Model(x, outs, name="net"), {"image": normal(2, 9, 8, 3)})


def resizing(folder):
    x = keras.Input((6, 5, 2), name="image")
    outs = {
        "zero_padding": L.ZeroPadding2D(((1, 2), (0, 3)), name="zero_padding")(x),
        "cropping": L.Cropping2D(((1, 0), (2, 1)), name="cropping")(x),
        "nearest": L.UpSampling2D((2, 3), interpolation="nearest", name="nearest")(x),
        "bilinear": L.UpSampling2D((2, 2), interpolation="bilinear", name="bilinear")(x),
        "smaller": L.Resizing(4, 3, interpolation="bilinear", name="smaller")(x),
        "larger": L.Resizing(8, 11, interpolation="nearest", name="larger")(x),
        "transposed": L.Conv2DTranspose(3, 3, strides=2, padding="same", name="transposed")(x),
        "transposed_valid": L.Conv2DTranspose(2, (2, 3), strides=(1, 2), padding="valid", name="transposed_valid")(x),
        "permuted": L.Permute((3, 1, 2), name="permuted")(x),
        "repeated": L.RepeatVector(3, name="repeated")(L.Flatten(name="flat")(x)),
    }
    save(folder, keras.Model(x, outs, name="net"), {"image": normal(2, 6, 5, 2)})


def convolutions(folder):
    x = keras.Input((6, 7, 4), name="image")
    outs = {
        "dilated": L.Conv2D(5, 3, dilation_rate=2, padding="same", name="dilated")(x),
        "grouped": L.Conv2D(6, 3, groups=2, strides=2, padding="same", name="grouped")(x),
        "depthwise_wide": L.DepthwiseConv2D((3, 5), depth_multiplier=2, strides=2, padding="same", name="depthwise_wide")(x),
        "depthwise_dilated": L.DepthwiseConv2D(3, dilation_rate=2, padding="valid", name="depthwise_dilated")(x),
        "separable": L.SeparableConv2D(5, 3, padding="same", name="separable")(x),
        "stride_over_kernel": L.Conv2D(3, 1, strides=2, padding="same", use_bias=False, name="stride_over_kernel")(x),
    }
    rows = L.Reshape((6, 28), name="rows")(x)
    outs["one"] = L.Conv1D(4, 3, padding="causal", name="one")(rows)
    outs["one_strided"] = L.Conv1D(4, 4, strides=3, padding="same", name="one_strided")(rows)
    cube = L.Reshape((3, 2, 7, 4), name="cube")(x)
    outs["three"] = L.Conv3D(3, (2, 1, 3), padding="same", name="three")(cube)
    save(folder, keras.Model(x, outs, name="net"), {"image": normal(1, 6, 7, 4)})


def image(side, channels):
    return keras.Input((side, side, channels), name="image")


def squeeze_excite(h, squeezed, activation, gate, name):
    channels = h.shape[-1]
    s = L.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(h)
    s = L.Conv2D(squeezed, 1, activation=activation, name=f"{name}_reduce")(s)
    s = L.Conv2D(channels, 1, activation=gate, name=f"{name}_expand")(s)
    return L.Multiply(name=f"{name}_excite")([h, s])


def mobile_v2(folder):
    x = image(8, 4)
    h = L.Conv2D(12, 1, use_bias=False, name="expand")(x)
    h = L.BatchNormalization(epsilon=1e-3, name="expand_bn")(h)
    h = L.ReLU(6.0, name="expand_relu")(h)
    h = L.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(h)
    h = L.BatchNormalization(epsilon=1e-3, name="depthwise_bn")(h)
    h = L.ReLU(6.0, name="depthwise_relu")(h)
    h = L.Conv2D(4, 1, use_bias=False, name="project")(h)
    h = L.BatchNormalization(epsilon=1e-3, name="project_bn")(h)
    h = L.Add(name="add")([x, h])
    save(folder, keras.Model(x, h, name="mobilenet_v2"), {"image": normal(1, 8, 8, 4)})


def mobile_v3(folder):
    x = image(9, 4)
    h = L.Conv2D(16, 1, use_bias=False, name="expand")(x)
    h = L.BatchNormalization(epsilon=1e-3, name="expand_bn")(h)
    h = L.Activation("hard_silu", name="hard_swish")(h)
    h = L.ZeroPadding2D(((1, 2), (1, 2)), name="pad")(h)
    h = L.DepthwiseConv2D(5, strides=2, padding="valid", use_bias=False, name="depthwise")(h)
    h = L.BatchNormalization(epsilon=1e-3, name="depthwise_bn")(h)
    h = squeeze_excite(h, 4, "relu", "hard_sigmoid", "se")
    h = L.Conv2D(6, 1, name="project")(h)
    save(folder, keras.Model(x, h, name="mobilenet_v3"), {"image": normal(1, 9, 9, 4)})


def efficient(folder):
    x = keras.Input((9, 9, 3), name="image")
    h = L.Rescaling(1 / 255, name="rescaling")(x)
    h = L.Normalization(mean=[0.485, 0.456, 0.406], variance=[0.0524, 0.0502, 0.0506], name="normalization")(h)
    h = L.ZeroPadding2D(((1, 1), (1, 1)), name="stem_pad")(h)
    h = L.Conv2D(8, 3, strides=2, use_bias=False, name="stem")(h)
    h = L.BatchNormalization(name="stem_bn")(h)
    h = L.Activation("swish", name="stem_swish")(h)
    skip = h
    h = L.DepthwiseConv2D(3, padding="same", use_bias=False, name="depthwise")(h)
    h = L.BatchNormalization(name="depthwise_bn")(h)
    h = L.Activation("swish", name="depthwise_swish")(h)
    s = L.GlobalAveragePooling2D(name="se_squeeze")(h)
    s = L.Reshape((1, 1, 8), name="se_reshape")(s)
    s = L.Conv2D(2, 1, activation="swish", name="se_reduce")(s)
    s = L.Conv2D(8, 1, activation="sigmoid", name="se_expand")(s)
    h = L.multiply([h, s], name="se_excite")
    h = L.Conv2D(8, 1, use_bias=False, name="project")(h)
    h = L.BatchNormalization(name="project_bn")(h)
    h = L.Dropout(0.2, noise_shape=(None, 1, 1, 1), name="drop")(h)
    h = L.add([h, skip], name="add")
    h = L.GlobalAveragePooling2D(name="pool")(h)
    save(folder, keras.Model(x, L.Dense(5, activation="softmax", name="predictions")(h), name="efficient"), {"image": rng().uniform(0, 255, (1, 9, 9, 3)).astype("float32")})


def dense_block(folder):
    x = image(6, 4)
    h = x
    for i in range(2):
        n = L.BatchNormalization(epsilon=1.001e-5, name=f"block{i}_0_bn")(h)
        n = L.Activation("relu", name=f"block{i}_0_relu")(n)
        n = L.Conv2D(8, 1, use_bias=False, name=f"block{i}_1_conv")(n)
        n = L.BatchNormalization(epsilon=1.001e-5, name=f"block{i}_1_bn")(n)
        n = L.Activation("relu", name=f"block{i}_1_relu")(n)
        n = L.Conv2D(4, 3, padding="same", use_bias=False, name=f"block{i}_2_conv")(n)
        h = L.Concatenate(name=f"block{i}_concat")([h, n])
    h = L.AveragePooling2D(2, strides=2, name="transition_pool")(h)
    save(folder, keras.Model(x, L.GlobalAveragePooling2D(name="avg_pool")(h), name="densenet"), {"image": normal(1, 6, 6, 4)})


class Leaky(L.Layer):
    """A cell of its own for `RNN`: two Dense layers, and plain operations between."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units, self.state_size, self.output_size = units, units, units
        self.mix, self.recall = L.Dense(units, name="mix"), L.Dense(units, use_bias=False, name="recall")

    def call(self, x, states):
        h = 0.5 * states[0] + keras.ops.tanh(self.mix(x) + self.recall(states[0]))
        return h, [h]


def own_cell(folder):
    recurrent(lambda x: L.Dense(2, name="head")(L.RNN(Leaky(4, name="leaky"), name="memory")(x)))(folder)


class LayerScale(L.Layer):
    def __init__(self, width, **kwargs):
        super().__init__(**kwargs)
        self.scale = self.add_weight(shape=(width,), name="layer_scale")

    def call(self, x):
        return x * self.scale


def convnext(folder):
    x = keras.Input((12, 12, 3), name="image")
    h = L.Conv2D(8, 4, strides=4, name="stem")(x)
    h = L.LayerNormalization(epsilon=1e-6, name="stem_norm")(h)
    for i in range(1):
        n = L.Conv2D(8, 7, padding="same", groups=8, name=f"block{i}_depthwise")(h)
        n = L.LayerNormalization(epsilon=1e-6, name=f"block{i}_norm")(n)
        n = L.Dense(32, name=f"block{i}_pointwise_1")(n)
        n = L.Activation("gelu", name=f"block{i}_gelu")(n)
        n = L.Dense(8, name=f"block{i}_pointwise_2")(n)
        n = LayerScale(8, name=f"block{i}_scale")(n)
        h = h + L.Activation("linear", name=f"block{i}_identity")(n)
    save(folder, keras.Model(x, L.LayerNormalization(epsilon=1e-6, name="head_norm")(L.GlobalAveragePooling2D(name="pool")(h)), name="convnext"), {"image": normal(1, 12, 12, 3)})


def bottleneck(folder):
    """ResNet50's first block, with its stem and its projected shortcut, as keras.applications builds it."""
    x = keras.Input((12, 12, 3), name="image")
    h = L.ZeroPadding2D(3, name="conv1_pad")(x)
    h = L.Conv2D(8, 7, strides=2, name="conv1_conv")(h)
    h = L.BatchNormalization(epsilon=1.001e-5, name="conv1_bn")(h)
    h = L.Activation("relu", name="conv1_relu")(h)
    h = L.ZeroPadding2D(1, name="pool1_pad")(h)
    h = L.MaxPooling2D(3, strides=2, name="pool1_pool")(h)
    short = L.BatchNormalization(epsilon=1.001e-5, name="block1_0_bn")(L.Conv2D(16, 1, name="block1_0_conv")(h))
    for i, (width, kernel) in enumerate([(4, 1), (4, 3), (16, 1)], 1):
        h = L.Conv2D(width, kernel, padding="same", name=f"block1_{i}_conv")(h)
        h = L.BatchNormalization(epsilon=1.001e-5, name=f"block1_{i}_bn")(h)
        if i < 3:
            h = L.Activation("relu", name=f"block1_{i}_relu")(h)
    h = L.Activation("relu", name="block1_out")(L.Add(name="block1_add")([short, h]))
    h = L.GlobalAveragePooling2D(name="avg_pool")(h)
    save(folder, keras.Model(x, L.Dense(5, activation="softmax", name="predictions")(h), name="resnet"), {"image": normal(1, 12, 12, 3)})


def activations(folder):
    """Every activation that Keras names, on one Dense's output."""
    x = keras.Input((6,), name="x")
    h = L.Dense(7, name="dense")(x)
    names = "celu elu exponential gelu glu hard_sigmoid hard_silu hard_tanh leaky_relu log_sigmoid log_softmax mish relu relu6 selu sigmoid silu softmax softplus softsign squareplus tanh tanh_shrink".split()
    outs = {n: L.Activation(n, name=n)(h if n != "glu" else L.Concatenate(name="twice")([h, h])) for n in names}
    outs["gelu_tanh"] = L.Activation(tanh_gelu, name="gelu_tanh")(h)
    outs["prelu"] = L.PReLU(name="prelu")(h)
    save(folder, keras.Model(x, outs, name="net"), {"x": 2 * normal(3, 6)})


def tanh_gelu(x):
    return keras.activations.gelu(x, approximate=True)


def norms(folder):
    x = keras.Input((4, 4, 6), name="x")
    outs = {
        "batch": L.BatchNormalization(axis=-1, name="batch")(x),
        "batch_rows": L.BatchNormalization(axis=1, scale=False, name="batch_rows")(x),
        "layer": L.LayerNormalization(name="layer")(x),
        "layer_two": L.LayerNormalization(axis=(2, 3), name="layer_two")(x),
        "group": L.GroupNormalization(3, name="group")(x),
        "rms": L.RMSNormalization(name="rms")(x),
        "unit": L.UnitNormalization(name="unit")(x),
    }
    save(folder, keras.Model(x, outs, name="net"), {"x": 1 + 2 * normal(2, 4, 4, 6)})


def volumes(folder):
    x = keras.Input((3, 5, 4, 1), name="volume")
    outs = {
        "same": L.Conv3D(3, (2, 3, 2), padding="same", name="same")(x),
        "strided": L.Conv3D(2, 2, strides=(2, 1, 2), name="strided")(x),
        "dilated": L.Conv3D(2, 2, dilation_rate=(1, 2, 2), name="dilated")(x),
        "transposed": L.Conv3DTranspose(2, (2, 3, 2), strides=2, padding="same", name="transposed")(x),
        "transposed_valid": L.Conv3DTranspose(2, 2, strides=(1, 2, 3), name="transposed_valid")(x),
        "largest": L.MaxPooling3D((2, 3, 2), strides=2, padding="same", name="largest")(x),
        "mean": L.AveragePooling3D((2, 3, 2), strides=2, padding="same", name="mean")(x),
        "mean_valid": L.AveragePooling3D(2, name="mean_valid")(x),
        "global": L.GlobalMaxPooling3D(name="global")(x),
        "padded": L.ZeroPadding3D(((1, 0), (0, 2), (1, 1)), name="padded")(x),
        "cropped": L.Cropping3D(((1, 0), (2, 1), (1, 1)), name="cropped")(x),
        "repeated": L.UpSampling3D((2, 1, 2), name="repeated")(x),
    }
    save(folder, keras.Model(x, outs, name="net"), {"volume": normal(1, 3, 5, 4, 1)})


def classes(folder):
    x = keras.Input((6,), name="x")
    buckets = L.Discretization([-1.0, 0.0, 1.0], name="buckets")(x)
    outs = {"buckets": buckets, "hot": L.CategoryEncoding(4, "multi_hot", name="hot")(buckets), "counted": L.Discretization([-1.0, 1.0], output_mode="count", name="counted")(x), "one": L.CategoryEncoding(4, "one_hot", name="one")(buckets[:, :1])}
    save(folder, keras.Model(x, outs, name="net"), {"x": 2 * normal(3, 6)})


def models_in_models(folder):
    """A model inside two others, and layers called like those of other models."""
    x = keras.Input((8,), name="x")
    i = keras.Input((8,))
    inner = keras.Model(i, L.Dense(8, activation="tanh", name="dense")(L.Dense(8, name="dense_1")(i)), name="inner")
    j = keras.Input((8,))
    middle = keras.Model(j, L.Dense(4, name="dense")(inner(inner(j))), name="middle")
    outs = [middle(x), inner(x), L.Dense(2, name="dense_1")(L.Dense(3, name="dense")(middle(x)))]
    save(folder, keras.Model(x, outs, name="net"), {"x": normal(2, 8)})


MAKERS = {
    "volumes": (volumes, "3D: convolutions (same, strided, dilated, transposed), pooling, padding, cropping."),
    "classes": (classes, "Discretization and CategoryEncoding: a model without variables."),
    "models_in_models": (models_in_models, "A model inside the model and inside another model in it, called several times; layers of the same names in each."),
    "subclassed_tfsave": (subclassed("tfsave"), "The model of `subclassed`, saved by tf.saved_model.save."),
    "subclassed": (subclassed("export"), "A subclassed model: custom layers inside custom layers (in lists too), a layer called twice inside and a block called again later, plain operations between, two outputs by name."),
    "lstm": (recurrent(lambda x: L.Dense(2, name="head")(L.LSTM(4, return_sequences=True, name="lstm")(x))), "LSTM with its sequence, then Dense at every step: While with TensorLists."),
    "gru": (recurrent(lambda x: L.Dense(2, name="head")(L.GRU(4, name="gru")(x))), "GRU (reset after), the last state."),
    "bidirectional": (recurrent(lambda x: L.Dense(2, name="head")(L.Bidirectional(L.LSTM(3, return_sequences=True), name="both")(x))), "Bidirectional LSTM, concatenated: ReverseV2 around a second While."),
    "own_cell": (own_cell, "RNN over a cell of its own, which holds two Dense layers."),
    "within": (within, "Custom layers that have one inner layer each, built when they are first called: Keras calls its weights by the outer layer's name. Around it operations that TensorFlow numbers, `Gelu` and `Gelu_1`."),
    "masked_lstm": (masked_lstm, "LSTM behind Masking: a While that keeps the old state where the mask says so."),
    "transformer": (transformer, "BERT-like encoder with Keras's MultiHeadAttention: token ids (int32), a mask (bool), embeddings, einsum, layer norms, a custom layer of positions."),
    "pooling": (pooling, "Max and average pooling, SAME and VALID, uneven windows and strides; 1D; global."),
    "resizing": (resizing, "ZeroPadding, Cropping, UpSampling (nearest, bilinear), Resizing, transposed convolutions, Permute, RepeatVector."),
    "convolutions": (convolutions, "Dilated, grouped, depthwise with a multiplier and with dilation, separable, a stride wider than the kernel, causal and strided 1D, 3D."),
    "mobile_v2": (mobile_v2, "MobileNetV2's inverted residual, as keras.applications builds it: relu6, depthwise, a linear bottleneck."),
    "mobile_v3": (mobile_v3, "MobileNetV3's block: hard-swish, a padded depthwise with stride 2, squeeze-and-excite with a hard sigmoid."),
    "efficient": (efficient, "EfficientNet's stem and block: Rescaling, Normalization, swish, squeeze-and-excite."),
    "dense_block": (dense_block, "DenseNet's block of concatenations, and its transition's pooling."),
    "convnext": (convnext, "ConvNeXt: patchify stem, 7×7 depthwise as a grouped convolution, LayerNormalization, exact GELU, layer scale."),
    "bottleneck": (bottleneck, "ResNet50's stem and first bottleneck with batch norms and a projected shortcut."),
    "activations": (activations, "Every activation that Keras has a name for, the tanh GELU and PReLU."),
    "norms": (norms, "Batch norm over two axes, layer norm over one and two axes, group, RMS and unit normalization."),
}
