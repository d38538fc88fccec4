"""Models written with tf.Module and tf.function: control flow, calls, signatures, constants, kinds of numbers, shards, operations that few programs have."""
import numpy as np, tensorflow as tf


def rng(seed=0):
    return np.random.default_rng(seed)


def normal(*shape, seed=0):
    return rng(seed).normal(0, 1, shape).astype("float32")


def spec(*shape, name, dtype=tf.float32):
    return tf.TensorSpec(shape, dtype, name=name)


def save(folder, module, data, signatures, options=None):
    """`data`: signature → its inputs."""
    tf.saved_model.save(module, folder.at("tfsave"), signatures=signatures, options=options)
    for signature, arrays in data.items():
        folder.expect("tfsave", arrays, signature)


class Conditions(tf.Module):
    def __init__(self):
        super().__init__("conditions")
        self.w = tf.Variable(normal(4, 4, seed=1), name="w")
        self.b = tf.Variable(normal(4, seed=2), name="b")

    @tf.function(input_signature=[spec(None, 4, name="x"), spec(name="flag", dtype=tf.bool)])
    def serve(self, x, flag):
        h = x @ self.w + self.b
        y = tf.cond(flag, lambda: tf.tanh(h @ self.w), lambda: self.unless(h))
        # Of `x` alone: which way it goes is not known before the run.
        z = tf.cond(tf.reduce_sum(x) > 0.0, lambda: (y + 1.0, tf.constant(1)), lambda: (y - self.b, tf.constant(2)))
        case = tf.switch_case(z[1], [lambda: y, lambda: 2.0 * y, lambda: y * y])
        return {"y": y, "z": z[0], "which": z[1], "case": case}

    def unless(self, h):
        return tf.cond(tf.reduce_max(h) > 100.0, lambda: h, lambda: tf.nn.relu(h) - tf.cond(tf.shape(h)[0] > 1, lambda: self.b, lambda: 2.0 * self.b))


def conditions(folder):
    m = Conditions()
    save(folder, m, {"serving_default": {"x": normal(3, 4), "flag": np.array(False)}, "again": {"x": -normal(2, 4), "flag": np.array(True)}},
         {"serving_default": m.serve, "again": m.serve})


class Loops(tf.Module):
    def __init__(self):
        super().__init__("loops")
        self.w = tf.Variable(0.4 * normal(4, 4, seed=1), name="w")

    @tf.function(input_signature=[spec(2, 4, name="x"), spec(name="steps", dtype=tf.int32)])
    def serve(self, x, steps):
        def step(i, h):
            h = tf.cond(tf.equal(i % 2, 0), lambda: tf.tanh(h @ self.w), lambda: h + 0.1)
            return i + 1, h

        count, h = tf.while_loop(lambda i, h: tf.logical_and(i < steps, tf.reduce_max(tf.abs(h)) < 50.0), step, [tf.constant(0), x])
        # Two loops, one in the other; the inner one's length grows with the outer one's step.
        _, sums = tf.while_loop(lambda i, s: i < 3, lambda i, s: (i + 1, s + tf.while_loop(lambda j, t: j < i, lambda j, t: (j + 1, t * 0.5 + x), [tf.constant(0), tf.zeros_like(x)])[1]),
                                [tf.constant(0), tf.zeros_like(x)])
        rows = tf.TensorArray(tf.float32, 4, element_shape=[2])
        _, rows = tf.while_loop(lambda i, r: i < 4, lambda i, r: (i + 1, r.write(i, h[:, i] * tf.cast(i, tf.float32))), [tf.constant(0), rows])
        empty = tf.while_loop(lambda h: tf.constant(False), lambda h: [h + 1.0], [x])
        return {"h": h, "count": count, "sums": sums, "rows": rows.stack(), "never": empty[0]}


def loops(folder):
    m = Loops()
    save(folder, m, {"serving_default": {"x": normal(2, 4), "steps": np.array(3, "int32")}}, m.serve)


class Nested(tf.Module):
    def __init__(self):
        super().__init__("nested")
        self.w = tf.Variable(0.4 * normal(3, 3, seed=4), name="w")

    @tf.function(input_signature=[spec(2, 3, name="x"), spec(name="steps", dtype=tf.int32)])
    def serve(self, x, steps):
        def deep(i, h):
            """A loop whose length and branch are known step by step."""
            def inner(j, t):
                return j + 1, tf.cond(tf.reduce_sum(t) > 0.0, lambda: tf.tanh(t @ self.w), lambda: t * 0.5 + tf.cast(i, tf.float32) * x)

            return tf.while_loop(lambda j, t: j <= i, inner, [tf.constant(0), h])[1]

        def step(i, h, unused):
            h = tf.switch_case(i % 3, [lambda: deep(i, h), lambda: h - 0.25, lambda: deep(i, -h)])
            return i + 1, h, unused * 2.0

        _, h, unused = tf.while_loop(lambda i, h, u: i < steps, step, [tf.constant(0), x, x])
        return {"h": h, "scaled": 3.0 * h, "unused": unused}


def nested(folder):
    m = Nested()
    save(folder, m, {"serving_default": {"x": normal(2, 3, seed=5), "steps": np.array(4, "int32")}}, m.serve)


class Eager(tf.Module):
    """Python's own `for` and `if` over tensors, as AutoGraph rewrites them."""

    def __init__(self):
        super().__init__("eager")
        self.w = tf.Variable(0.5 * normal(3, 3, seed=3), name="w")

    @tf.function(input_signature=[spec(None, 3, name="x")])
    def serve(self, x):
        total = tf.zeros([3])
        for row in x:
            if tf.reduce_sum(row) > 0.0:
                total += tf.linalg.matvec(self.w, row)
            else:
                total -= row
        kept = tf.map_fn(lambda row: tf.nn.softmax(row), x)
        return {"total": total, "kept": kept, "scan": tf.scan(lambda a, row: 0.5 * a + row, x)}


def autograph(folder):
    m = Eager()
    save(folder, m, {"serving_default": {"x": normal(4, 3)}}, m.serve)


class Calls(tf.Module):
    def __init__(self):
        super().__init__("calls")
        self.w = tf.Variable(normal(4, 4, seed=1), name="w")
        self.scale = tf.Variable(1.5, name="scale")

    @tf.function
    def inner(self, x):
        return tf.tanh(x @ self.w) * self.scale

    @tf.function
    def middle(self, x, y):
        a = self.inner(x)
        with tf.name_scope("twice"):
            return self.inner(a) - y, a

    @tf.function(input_signature=[spec(2, 4, name="x")])
    def serve(self, x):
        y, a = self.middle(x, tf.constant(0.25))
        with tf.name_scope("second"):
            z, _ = self.middle(y, tf.reduce_mean(a))
        return {"y": y, "z": z, "direct": self.inner(z + a)}


def calls(folder):
    m = Calls()
    save(folder, m, {"serving_default": {"x": normal(2, 4)}}, m.serve)


class Signatures(tf.Module):
    def __init__(self):
        super().__init__("signatures")
        self.table = tf.Variable(normal(11, 6, seed=1), name="table")
        self.heads = {"a": tf.Variable(normal(6, 3, seed=2), name="kernel"), "b": [tf.Variable(normal(6, 2, seed=3), name="kernel")]}
        # Neither is a variable: the object graph holds them as constants.
        self.shift = tf.constant(normal(6, seed=4))
        self.codes = tf.constant(rng(5).integers(0, 11, (5,)).astype("int64"))

    @tf.function(input_signature=[spec(None, None, name="ids", dtype=tf.int64)])
    def embed(self, ids):
        return {"embedding": tf.reduce_mean(tf.gather(self.table, ids), axis=1) + self.shift}

    @tf.function(input_signature=[spec(None, 6, name="embedding"), spec(name="temperature")])
    def classify(self, embedding, temperature):
        logits = embedding @ self.heads["a"] / temperature
        return {"probabilities": tf.nn.softmax(logits), "best": tf.argmax(logits, -1)}

    @tf.function(input_signature=[spec(None, 6, name="left"), spec(None, 6, name="right")])
    def compare(self, left, right):
        return {"score": tf.reduce_sum((left @ self.heads["b"][0]) * (right @ self.heads["b"][0]), -1)}

    @tf.function(input_signature=[])
    def codebook(self):
        return {"rows": tf.gather(self.table, self.codes) * 2.0}


def signatures(folder):
    m = Signatures()
    save(folder, m, {"serving_default": {"ids": rng().integers(0, 11, (2, 3))}, "classify": {"embedding": normal(2, 6), "temperature": np.float32(0.7)},
                     "compare": {"left": normal(2, 6, seed=8), "right": normal(2, 6, seed=9)}, "codebook": {}},
         {"serving_default": m.embed, "classify": m.classify, "compare": m.compare, "codebook": m.codebook})


class Numbers(tf.Module):
    def __init__(self):
        super().__init__("numbers")
        self.counts = tf.Variable([3, 1, 2], dtype=tf.int32, name="counts")
        self.large = tf.Variable([2**40 + 1, -7], dtype=tf.int64, name="large")
        self.on = tf.Variable([True, False, True], name="on")
        self.half = tf.Variable(normal(3, seed=1).astype("float16"), dtype=tf.float16, name="half")
        self.double = tf.Variable(normal(3, seed=2).astype("float64"), dtype=tf.float64, name="double")
        self.brain = tf.Variable(tf.cast([1.0, -2.5, 3.140625], tf.bfloat16), name="brain")
        self.bytes = tf.Variable(tf.constant([200, 7, 0], tf.uint8), name="bytes")

    @tf.function(input_signature=[spec(None, 3, name="ids", dtype=tf.int32), spec(2, name="wide", dtype=tf.int64), spec(3, name="mask", dtype=tf.bool), spec(None, 3, name="pixels", dtype=tf.uint8), spec(3, name="precise", dtype=tf.float64)])
    def serve(self, ids, wide, mask, pixels, precise):
        f = tf.cast(ids, tf.float32)
        return {
            "quotient": ids // self.counts, "remainder": tf.math.floormod(ids, self.counts), "truncated": tf.truncatediv(ids, self.counts), "power": ids * ids - self.counts,
            "wide": wide + self.large, "wide_less": wide < self.large, "bits": tf.bitwise.bitwise_and(ids, 6), "minimum": tf.minimum(ids, self.counts),
            "and": tf.logical_and(mask, self.on), "or": tf.logical_or(mask, tf.logical_not(self.on)), "any": tf.reduce_any(mask), "all": tf.reduce_all(mask),
            "where": tf.where(mask, f, -1e9), "pixels": tf.cast(pixels, tf.float32) / 255.0 - tf.cast(self.bytes, tf.float32),
            "half": tf.cast(self.half * 2, tf.float32), "double": precise * self.double, "brain": tf.cast(self.brain, tf.float32) * 0.5,
            "hot": tf.one_hot(ids, 4, on_value=2.0, off_value=-1.0), "range": tf.range(tf.shape(ids)[0]), "cumulative": tf.cumsum(f, axis=-1, exclusive=True), "reverse": tf.cumsum(f, axis=0, reverse=True),
            "round": tf.round(f * 0.5), "to_int": tf.cast(-1.7 * f, tf.int32), "equal": tf.equal(ids, tf.transpose(ids)[:1, :1]), "sum": tf.reduce_sum(ids, 1), "product": tf.reduce_prod(ids, 0), "largest": tf.argmax(ids, 1), "smallest": tf.argmin(f, 0, output_type=tf.int32),
        }


def numbers(folder):
    m = Numbers()
    data = {"ids": np.array([[3, -4, 5], [-1, 2, 7]], "int32"), "wide": np.array([2**41, -7]), "mask": np.array([True, True, False]), "pixels": rng().integers(0, 256, (2, 3)).astype("uint8"), "precise": rng().normal(size=3)}
    save(folder, m, {"serving_default": data}, m.serve)


class Shapes(tf.Module):
    """What moves numbers about without changing them, and reductions."""

    @tf.function(input_signature=[spec(None, None, 6, name="x")])
    def serve(self, x):
        n, t = tf.shape(x)[0], tf.shape(x)[1]
        a, b = tf.split(x, [2, 4], axis=-1)
        values, indices = tf.math.top_k(x, 3)
        return {
            "reshape": tf.reshape(x, [n, t * 3, -1]), "strided": x[:, ::-1, 1:5:2], "new_axis": x[..., tf.newaxis, -1], "ellipsis": x[0, ..., -3:], "negative": x[-1, 1:, ::-2],
            "split": a, "rest": b, "thirds": tf.split(x, 3, axis=2)[1], "unstack": tf.unstack(x, 6, axis=-1)[4], "stack": tf.stack([x, 2.0 * x], axis=1), "concat": tf.concat([a, b, x], -1),
            "tile": tf.tile(x, [1, 2, 1]), "pad": tf.pad(x, [[0, 0], [1, 2], [0, 1]], constant_values=-1.5), "mirror": tf.pad(x, [[0, 0], [1, 1], [2, 0]], "REFLECT"), "symmetric": tf.pad(x, [[0, 0], [1, 1], [0, 2]], "SYMMETRIC"),
            "gather": tf.gather(x, [5, 0, 0], axis=2), "gather_batch": tf.gather(x, tf.zeros([n, 2], tf.int32) + 1, axis=1, batch_dims=1), "gather_nd": tf.gather_nd(x, [[0, 1], [1, 0]]), "slice": tf.slice(x, [0, 1, 2], [-1, 1, 3]),
            "top": values, "top_at": indices, "reversed": tf.reverse(x, [1]), "broadcast": tf.broadcast_to(x[:1], [2, t, 6]), "squeeze": tf.squeeze(x[:, :1], 1), "fill": tf.fill([n, 2], 0.5), "ones": tf.ones_like(x), "transpose": tf.transpose(x, [2, 0, 1]),
            "space": tf.nn.space_to_depth(tf.reshape(x, [n, 2, 2, -1])[:, :, :, :3], 2), "scatter": tf.tensor_scatter_nd_update(x, [[0, 0]], [tf.zeros([6])]), "scattered": tf.scatter_nd([[1], [3]], x[0, :2], [5, 6]), "band": tf.linalg.band_part(x, 0, -1), "diagonal": tf.linalg.diag_part(tf.matmul(x, x, transpose_a=True)),
            "einsum": tf.einsum("bik,bjk->bij", x, x), "einsum_dots": tf.einsum("...i,i->...", x, tf.range(6.0)), "matmul": tf.matmul(x, x, transpose_b=True), "norm": tf.linalg.l2_normalize(x, -1), "mean": tf.reduce_mean(x, [0, 2]), "keep": tf.reduce_max(x, [1], keepdims=True), "log_sum_exp": tf.reduce_logsumexp(x, -1), "minimum": tf.reduce_min(x), "sizes": tf.stack([n, t, tf.size(x), tf.rank(x)]),
            "clip": tf.clip_by_value(x, -0.5, 0.75), "rsqrt": tf.math.rsqrt(tf.abs(x) + 0.1), "log1p": tf.math.log1p(tf.square(x)), "expm1": tf.math.expm1(x), "erf": tf.math.erf(x), "sin": tf.sin(x) + tf.cos(x), "pow": tf.pow(tf.abs(x), 1.7), "floor": tf.floor(x), "ceil": tf.math.ceil(x), "sign": tf.sign(x), "atan": tf.atan2(x, 1.0 + tf.square(x)), "no_nan": tf.math.divide_no_nan(x, tf.nn.relu(x)), "x_log_y": tf.math.xlogy(tf.nn.relu(x), tf.abs(x) + 1.0), "log_softmax": tf.nn.log_softmax(x), "add_n": tf.add_n([x, x, a[..., :1]* tf.ones_like(x)]),
        }


def shapes(folder):
    m = Shapes()
    save(folder, m, {"serving_default": {"x": normal(2, 2, 6)}}, m.serve)


class Sharded(tf.Module):
    def __init__(self):
        super().__init__("sharded")
        self.layers = [tf.Variable(0.3 * normal(12, 12, seed=i), name=f"layer_{i}") for i in range(4)]

    @tf.function(input_signature=[spec(None, 12, name="x")])
    def serve(self, x):
        for w in self.layers:
            x = tf.tanh(x @ w) + x
        return {"y": x}


def sharded(folder):
    m = Sharded()
    options = tf.saved_model.SaveOptions(experimental_sharding_callback=tf.train.experimental.MaxShardSizePolicy(max_shard_size=700))
    save(folder, m, {"serving_default": {"x": normal(2, 12)}}, m.serve, options)


class Rare(tf.Module):
    """`plain` needs nothing rare; the other outputs do."""

    def __init__(self):
        super().__init__("rare")
        self.w = tf.Variable(normal(4, 4, seed=1), name="w")

    @tf.function(input_signature=[spec(2, 4, name="x")])
    def serve(self, x):
        h = tf.nn.relu(x @ self.w)
        return {"plain": tf.nn.softmax(h), "spectrum": tf.abs(tf.signal.rfft(h + 1.0)), "determinant": tf.linalg.det(tf.matmul(h, h, transpose_b=True)), "gamma": tf.math.lgamma(h + 1.5)}


def rare(folder):
    m = Rare()
    save(folder, m, {"serving_default": {"x": normal(2, 4)}}, m.serve)


class Integers(tf.Module):
    """Numbers that do not fit in their type, and numbers that are none."""

    @tf.function(input_signature=[spec(None, name="a", dtype=tf.int32), spec(None, name="b", dtype=tf.int32), spec(None, name="short", dtype=tf.int16), spec(None, name="byte", dtype=tf.uint8), spec(None, name="unsigned", dtype=tf.uint32), spec(None, name="x")])
    def serve(self, a, b, short, byte, unsigned, x):
        nan = x / tf.nn.relu(x)
        return {
            "times": a * b, "plus": a + b, "minus": a - 3 * b, "square": tf.square(a), "negative": -a, "size": tf.abs(a), "left": tf.bitwise.left_shift(a, 5 + 0 * b), "invert": tf.bitwise.invert(a), "hash": tf.bitwise.bitwise_xor(a * 31 + b, a * 17),
            "sum": tf.reduce_sum(a), "product": tf.reduce_prod(a), "mean": tf.reduce_mean(b), "running": tf.cumsum(a), "products": tf.math.cumprod(b), "power": tf.pow(a, 3 + 0 * b), "all": tf.add_n([a, a, b]), "matrix": tf.matmul(a[None], b[:, None]), "einsum": tf.einsum("i,j->ij", a, b), "rest": tf.truncatemod(a, b),
            "short": short * short, "bytes": byte * 2 + 7, "byte_sum": tf.reduce_sum(byte), "inverted": tf.bitwise.invert(byte), "under": unsigned - 5, "over": unsigned * unsigned,
            "narrow": tf.cast(a, tf.int16), "to_byte": tf.cast(a, tf.uint8), "from_float": tf.cast(x * 100.0, tf.uint8), "saturated": tf.saturate_cast(x * 1000.0, tf.uint8),
            "relu": tf.cast(tf.math.is_nan(tf.nn.relu(nan)), tf.int32), "relu6": tf.cast(tf.math.is_nan(tf.nn.relu6(nan)), tf.int32), "maximum": tf.cast(tf.math.is_nan(tf.maximum(x, nan)), tf.int32), "minimum": tf.cast(tf.math.is_nan(tf.minimum(nan, x)), tf.int32),
        }


def integers(folder):
    m = Integers()
    data = {"a": np.array([2**31 - 1, -(2**31), 123456789, -7, 46341], "int32"), "b": np.array([2, -3, 987654, 2, 46341], "int32"), "short": np.array([300, -7, 182], "int16"), "byte": np.array([250, 3, 255], "uint8"),
            "unsigned": np.array([2**32 - 1, 3, 70000], "uint32"), "x": np.array([-1.0, 0.5, 0.0, 2.25], "float32")}
    save(folder, m, {"serving_default": data}, m.serve)


class Rows(tf.Module):
    """Rows that are dealt out, put together, counted and looked for; diagonals; lists that grow."""

    @tf.function(input_signature=[spec(None, 4, name="x"), spec(None, name="ids", dtype=tf.int32)])
    def serve(self, x, ids):
        parts = tf.dynamic_partition(x, ids, 3)
        grown = tf.TensorArray(tf.float32, 0, dynamic_size=True)
        for i in tf.range(tf.shape(x)[0]):
            if tf.equal(ids[i], 1):
                continue
            grown = grown.write(grown.size(), x[i])
        cells = tf.TensorArray(tf.float32, 3, element_shape=[4]).unstack(x[:3])
        cut = tf.TensorArray(tf.float32, 2, infer_shape=False).split(x[:, 0], [1, tf.shape(x)[0] - 1])
        unique, which, count = tf.unique_with_counts(ids)
        square = tf.matmul(x, x, transpose_a=True)
        return {
            "part": parts[0], "empty": parts[2], "stitched": tf.dynamic_stitch([[0, 2], [1]], [x[:2], x[2:3]]), "grown": grown.stack(), "gathered": cells.gather([2, 0]), "concat": cells.concat(), "scattered": tf.TensorArray(tf.float32, 2).scatter([1, 0], x[:2]).stack(), "cut": cut.read(1), "joined": cut.concat(),
            "unique": unique, "which": which, "count": count, "where": tf.where(x > 0.0), "masked": tf.boolean_mask(x, ids > 0), "nonzero": tf.math.count_nonzero(x > 0.0, axis=1), "bins": tf.math.bincount(ids, minlength=4), "histogram": tf.histogram_fixed_width(x, [-2.0, 2.0], 5), "searched": tf.searchsorted([-1.0, 0.0, 1.0], x[0]), "inverse": tf.math.invert_permutation([2, 0, 1]),
            "segments": tf.math.unsorted_segment_sum(x, ids, 3), "largest": tf.math.unsorted_segment_max(x, ids, 2), "sorted": tf.math.segment_mean(x, tf.sort(ids)), "product": tf.math.segment_prod(x, tf.sort(ids)),
            "diagonal": tf.linalg.diag(x[0]), "above": tf.linalg.diag(x[0], k=1), "band": tf.linalg.diag_part(square, k=(-1, 2)), "left": tf.linalg.diag_part(square, k=(-1, 2), align="LEFT_RIGHT"), "set": tf.linalg.set_diag(square, x[0]), "eye": tf.eye(2, 3), "trace": tf.linalg.trace(square), "repeated": tf.einsum("ii->i", square),
            "rolled": tf.roll(x, [1, -1], [0, 1]), "backwards": tf.reverse_sequence(x, [1, 4, 2, 3], 1), "sparse": tf.sparse.to_dense(tf.sparse.from_dense(tf.nn.relu(x))), "atan": tf.atan(x), "asinh": tf.asinh(x), "lgamma": tf.math.lgamma(tf.abs(x) + 0.5), "erfinv": tf.math.erfinv(tf.tanh(x)), "clipped": tf.clip_by_norm(x, 1.5), "running": tf.math.cumulative_logsumexp(x, 1),
            "loss": tf.nn.sparse_softmax_cross_entropy_with_logits(ids, x), "soft": tf.nn.softmax_cross_entropy_with_logits(tf.nn.softmax(x), 2.0 * x), "slope": slope(x),
        }


def slope(x):
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.reduce_sum(tf.tanh(x) * tf.sigmoid(tf.reduce_sum(x, 0, keepdims=True)) + tf.nn.relu(x) * tf.sqrt(tf.abs(x) + 1.0))
    return tape.gradient(y, x)


def rows(folder):
    m = Rows()
    save(folder, m, {"serving_default": {"x": normal(4, 4), "ids": np.array([1, 0, 1, 0], "int32")}}, m.serve)


MAKERS = {
    "integers": (integers, "Integers that do not fit in their type and wrap (int32, int16, uint8, uint32), casts that cut off, and values that are not a number."),
    "rows": (rows, "Rows dealt out, stitched, counted, looked for and put in segments; diagonals; TensorArrays that grow, are gathered, split and joined; losses and a gradient in the graph."),
    "conditions": (conditions, "tf.cond and tf.switch_case: on an input, on a value, nested; If, StatelessIf, StatelessCase. The same function under two signatures, with two sets of inputs."),
    "loops": (loops, "tf.while_loop: as long as an input says, one loop in another, a cond inside, a TensorArray, a loop that never runs."),
    "nested": (nested, "A cond in a loop in a branch of a switch_case in a loop; one carried value that the others do without."),
    "autograph": (autograph, "Python's `for` and `if` over tensors, tf.map_fn and tf.scan."),
    "calls": (calls, "tf.functions that call each other, the same one several times: nested and repeated PartitionedCalls."),
    "signatures": (signatures, "Four signatures with different inputs (one without any), variables in a dict and a list, two of the same name, captured constants."),
    "numbers": (numbers, "int32, int64, bool, uint8, float16, float64 and bfloat16: inputs, variables and arithmetic, rounding and division of negatives."),
    "shapes": (shapes, "Strided slices, splits, pads, gathers, scatters, reductions, einsum and elementwise functions over a tensor whose first two sizes are not known."),
    "sharded": (sharded, "A checkpoint in several shards, with variables cut in slices."),
    "rare": (rare, "An output that needs nothing unusual beside outputs that need an FFT, a determinant and lgamma."),
}
