"""What Keras's layers put out, seen from the inside: every call of every layer, at any depth."""
import contextlib
import numpy as np


@contextlib.contextmanager
def recorded(layer_class, root, flatten):
    """The calls made inside `root`, while this is open: layer/inner/node<i>/out<j> → array, where i counts a layer's calls."""
    calls, stack, counts = {}, [], {}
    original = layer_class.__call__

    def call(self, *args, **kwargs):
        if self is root:
            return original(self, *args, **kwargs)
        stack.append(self.name)
        path = "/".join(stack)
        try:
            out = original(self, *args, **kwargs)
        finally:
            stack.pop()
        node = counts[path] = counts.get(path, -1) + 1
        for j, t in enumerate(flatten(out)):
            if hasattr(t, "numpy"):
                calls[f"{path}/node{node}/out{j}"] = np.asarray(t.numpy())
        return out

    layer_class.__call__ = call
    try:
        yield calls
    finally:
        layer_class.__call__ = original


def randomise(weights, seed=1):
    """Draws every weight anew: freshly made norms are the identity and biases are zero, and a reader that drops them would pass."""
    rng = np.random.default_rng(seed)
    for v in weights:
        leaf = getattr(v, "path", v.name).split("/")[-1].split(":")[0]
        shape = tuple(v.shape)
        if not str(v.dtype if isinstance(v.dtype, str) else v.dtype.name).startswith("float"):
            continue
        if leaf in ("moving_variance", "variance"):
            new = rng.uniform(0.5, 1.5, shape)
        elif leaf in ("gamma", "scale"):
            new = 1 + rng.normal(0, 0.2, shape)
        elif leaf == "embeddings":
            new = rng.normal(0, 0.7, shape)
        elif len(shape) >= 2:
            new = rng.normal(0, 1.2 / np.sqrt(np.prod(shape[:-1])), shape)
        else:
            new = rng.normal(0, 0.2, shape)
        v.assign(new.astype("float32"))
