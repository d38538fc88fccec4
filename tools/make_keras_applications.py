"""Exports Keras's own image classifiers with random weights as SavedModels, with an input and TensorFlow's outputs, and times TensorFlow on them.

usage: python make_keras_applications.py OUT_DIR [NAME...]              (no NAME: all)
       python make_keras_applications.py OUT_DIR [NAME...] --time       (times what is already in OUT_DIR)
       python make_keras_applications.py OUT_DIR --operators FILE.md    (which operator which model uses; OUT_DIR and FILE.md's own folder are read)

OUT_DIR/NAME/ gets saved_model/ (Keras 3's `model.export`), inputs.npz and outputs.npz, named as the signature names them. Needs tools/requirements-tensorflow.txt.
The timing is printed as JSON: 2 threads, batch 1, milliseconds, median and best of the rounds, with oneDNN (what TensorFlow does on its own) and without.
"""
import argparse, glob, json, os, statistics, subprocess, sys, time

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
# Function of keras.applications, and the range that its input is in.
MODELS = {
    "resnet50": ("ResNet50", (-120, 130)),
    "mobilenetv2": ("MobileNetV2", (-1, 1)),
    "mobilenetv3": ("MobileNetV3Small", (0, 255)),
    "efficientnetb0": ("EfficientNetB0", (0, 255)),
    "densenet121": ("DenseNet121", (-2, 2)),
    "convnexttiny": ("ConvNeXtTiny", (0, 255)),
}


def make(name, out):
    import numpy as np, keras
    builder, (low, high) = MODELS[name]
    keras.utils.clear_session()
    keras.utils.set_random_seed(0)
    model = getattr(keras.applications, builder)(weights=None)
    rng = np.random.default_rng(1)
    # Freshly made norms are the identity and biases are zero: a model that drops them would pass.
    for v in model.weights:
        leaf = v.path.split("/")[-1]
        if leaf in ("beta", "bias", "moving_mean"):
            v.assign(v.numpy() + rng.normal(0, 0.1, v.shape))
        elif leaf in ("gamma", "moving_variance"):
            v.assign(v.numpy() * rng.uniform(0.8, 1.25, v.shape))
    x = rng.uniform(low, high, (1, 224, 224, 3)).astype("float32")
    # Deep random networks saturate the softmax, and a one-hot output hides what went wrong before it.
    head = [l for l in model.layers if hasattr(l, "kernel")][-1]
    seen = keras.Model(model.inputs, head.input)(x).numpy()
    head.kernel.assign(head.kernel.numpy() / (seen @ head.kernel.numpy()).std())
    folder = os.path.join(out, name)
    saved = os.path.join(folder, "saved_model")
    model.export(saved, verbose=False)
    key, outputs, run = opened(saved)
    y = {k: t.numpy() for k, t in run(x).items()}
    assert all(np.isfinite(t).all() and t.std() > 0 for t in y.values()), f"{name}: an output that says nothing"
    np.savez(os.path.join(folder, "inputs.npz"), **{key: x})
    np.savez(os.path.join(folder, "outputs.npz"), **y)
    print(f"{name}: {model.count_params():,} parameters, output {outputs}, largest probability {max(t.max() for t in y.values()):.3f}", flush=True)


def opened(saved):
    """The default signature of a SavedModel: its only input's name, its outputs' names, and a function of the input."""
    import tensorflow as tf
    loaded = tf.saved_model.load(saved)
    f = loaded.signatures["serving_default"]
    key, = f.structured_input_signature[1]

    def run(x, owner=loaded):
        return f(**{key: tf.constant(x)})
    return key, sorted(f.structured_outputs), run


def timed(folder, rounds):
    """One model in a process of its own: one JSON line."""
    import numpy as np, tensorflow as tf
    tf.config.threading.set_intra_op_parallelism_threads(2)
    tf.config.threading.set_inter_op_parallelism_threads(2)
    start = time.perf_counter()
    key, _, run = opened(os.path.join(folder, "saved_model"))
    load = time.perf_counter() - start
    x = tf.constant(np.load(os.path.join(folder, "inputs.npz"))[key])
    for _ in range(3):
        run(x)
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        for y in run(x).values():
            y.numpy()
        times.append(1e3 * (time.perf_counter() - start))
    print(json.dumps({"median": round(statistics.median(times), 2), "best": round(min(times), 2), "load": round(1e3 * load, 1)}))


def timings(out, names, rounds):
    table = {}
    for name in names:
        for onednn in (1, 0):
            env = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": str(onednn)}
            said = subprocess.run([sys.executable, __file__, os.path.join(out, name), "--one", "--rounds", str(rounds)], env=env, check=True, capture_output=True, text=True)
            table.setdefault(name, {})["onednn" if onednn else "plain"] = json.loads(said.stdout.splitlines()[-1])
    return {"threads": 2, "batch": 1, "unit": "ms", "rounds": rounds, "cores": os.cpu_count(), "load_average": os.getloadavg()[0], "models": table}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    p.add_argument("names", nargs="*")
    p.add_argument("--time", action="store_true", help="time only; make nothing")
    p.add_argument("--rounds", type=int, default=30)
    p.add_argument("--operators", metavar="FILE.md")
    p.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.one:
        return timed(a.out, a.rounds)
    if unknown := set(a.names) - set(MODELS):
        raise SystemExit(f"unknown {' '.join(sorted(unknown))}; known: {' '.join(MODELS)}")
    if a.operators:
        from saved.operators import write
        return write(a.operators, a.out)
    names = a.names or list(MODELS)
    if not a.time:
        for name in names:
            make(name, a.out)
    print(json.dumps(timings(a.out, names, a.rounds), indent=1))


if __name__ == "__main__":
    main()
