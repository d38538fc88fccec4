"""Writes one model's folder: the SavedModels, inputs, outputs, and the tables of expected values."""
import json, os, shutil
import numpy as np, tensorflow as tf
from .tensors import expected

LAYOUT = {
    "export": "what Keras 3's `model.export()` writes",
    "tfsave": "what `tf.saved_model.save()` writes",
    "keras2": "what Keras 2's `model.save(folder)` writes",
    "tf1": "what TensorFlow 1's SavedModelBuilder writes",
}


class Folder:
    """OUT/NAME while it is being made."""

    def __init__(self, out, name, note):
        self.name, self.path, self.note, self.lines = name, os.path.join(out, name), note, []
        shutil.rmtree(self.path, ignore_errors=True)
        os.makedirs(self.path)
        self.inputs, self.outputs = {}, {}

    def at(self, kind):
        return os.path.join(self.path, kind)

    def expect(self, kind, data, signature="serving_default", order=None):
        """The table of `kind`'s signature on `data` (names → arrays), which become this folder's inputs.

        order: the keys of `data` in the order of the signature's inputs, where the signature's names are others.
        The inputs of another signature than the default one get its name in front, as its outputs do.
        """
        loaded = tf.saved_model.load(self.at(kind))
        names = sorted(loaded.signatures[signature].structured_input_signature[1])
        inputs = {n: n for n in names} if order is None else dict(zip(names, order))
        if signature != "serving_default":
            inputs = {n: f"{signature}/{k}" for n, k in inputs.items()}
            data = {f"{signature}/{k}": v for k, v in data.items()}
        table, values = expected(self.at(kind), signature, inputs, data)
        self.put(kind, signature, table, values, data)

    def put(self, kind, signature, table, values, data):
        self.inputs |= data
        prefix = "" if signature == "serving_default" else signature + "/"
        by_name = {t["name"]: t for t in table["tensors"]}
        for name, tensor in table["outputs"].items():
            value = values[by_name[tensor]["key"]] if tensor in by_name else data[table["inputs"][tensor]]
            self.outputs.setdefault(prefix + name, value)
            assert np.isfinite(value.astype("float64")).all(), f"{self.name}: {name} is not finite"
        base = self.at(f"expected_{kind}" + ("" if signature == "serving_default" else "." + signature))
        with open(base + ".json", "w") as f:
            json.dump(table, f, separators=(",", ":"))
        np.savez_compressed(base + ".npz", **values)
        inner = sum(len(b["tensors"]) for b in table.get("bodies", []))
        self.lines.append(f"- `{os.path.basename(base)}`: signature `{signature}`, {len(table['tensors'])} tensors" + (f", {inner} more inside {len(table['bodies'])} bodies" if inner else "") + ".")

    def layers(self, calls):
        """calls: layer/node<i>/out<j> → value, in the order of the calls."""
        if calls:
            json.dump(list(calls), open(self.at("expected_keras_layers.json"), "w"), indent=0)
            np.savez_compressed(self.at("expected_keras_layers.npz"), **calls)
            self.lines.append(f"- `expected_keras_layers`: {len(calls)} outputs of layers, by Keras itself.")

    def done(self, versions):
        np.savez(self.at("inputs.npz"), **self.inputs)
        np.savez(self.at("outputs.npz"), **self.outputs)
        kinds = [f"- `{k}/`: {what}." for k, what in LAYOUT.items() if os.path.isdir(self.at(k))]
        with open(self.at("README.md"), "w") as f:
            f.write("\n".join([f"# {self.name}", self.note, f"Made with {versions}; weights are random.", "", *kinds, *self.lines]) + "\n")
        size = sum(os.path.getsize(os.path.join(d, x)) for d, _, fs in os.walk(self.path) for x in fs)
        print(f"{self.name}: {size // 1024} KiB, {len(self.lines)} tables", flush=True)
