"""Makes tiny SavedModels with TensorFlow and Keras, and beside each the value of every tensor in it.

usage: python make_saved_models.py OUT_DIR NAME...          (`all` for all of them; no NAME: lists them)

Each NAME becomes OUT_DIR/NAME/: the SavedModel folders (export/, tfsave/, keras2/, tf1/), inputs.npz, outputs.npz, expected_*.json with expected_*.npz, README.md.
Each is made in a process of its own, so that its names and values are the same whether it is made alone or with the others (bytes of a SavedModel itself differ from run to run: fingerprints, the order of weights). Needs tools/requirements-tensorflow.txt.
"""
import os, subprocess, sys

os.environ |= {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "TF_USE_LEGACY_KERAS": "0", "PYTHONHASHSEED": "0"}


def makers():
    from saved import functions, keras2, keras3, tf1
    return keras3.MAKERS | functions.MAKERS | keras2.MAKERS | tf1.MAKERS


def make(out, name):
    import keras, tensorflow as tf
    from saved.write import Folder
    keras.utils.set_random_seed(0)
    make, note = makers()[name]
    folder = Folder(out, name, note)
    make(folder)
    folder.done(f"tensorflow-cpu {tf.__version__}, keras {keras.__version__}" + (f", tf_keras {sys.modules['tf_keras'].__version__}" if name.startswith("keras2") else ""))


def main():
    if len(sys.argv) < 3:
        raise SystemExit(__doc__ + "\n" + "\n".join(f"{n}: {note}" for n, (_, note) in makers().items()))
    out, *names = sys.argv[1:]
    known = makers()
    if unknown := [n for n in names if n not in known and n != "all"]:
        raise SystemExit(f"unknown {' '.join(unknown)}; known: all {' '.join(known)}")
    if names == ["all"]:
        names = list(known)
    if len(names) == 1:
        return make(out, names[0])
    failed = [n for n in names if subprocess.run([sys.executable, __file__, out, n]).returncode]
    if failed:
        raise SystemExit(f"failed: {' '.join(failed)}")


if __name__ == "__main__":
    main()
