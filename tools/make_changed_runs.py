"""What TensorFlow gives when tensors inside a SavedModel have other values: beside each model, `changed.json` and `changed.npz`.

usage: python make_changed_runs.py tests/data/saved

The graph is frozen and inlined by TensorFlow, and the changed tensors are fed in place of being computed. `changed.json` has a list of runs: {`zero`: names that `taper run --zero` takes, `replace`: name → key in changed.npz, `outputs`: the signature's output name → key}. Needs tools/requirements-tensorflow.txt.
"""
import json, os, sys

os.environ |= {"TF_ENABLE_ONEDNN_OPTS": "0", "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
import numpy as np, tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})

# Model, kind, and of every run the names that are changed with the tensors that they are: (zeroed, replaced).
RUNS = {
    ("custom", "export"): [
        ({"two/d1": ["custom_1/two_1/d1_1/Relu"]}, {}),
        ({"**/BiasAdd": ["custom_1/two_1/d1_1/BiasAdd", "custom_1/two_1/d2_1/BiasAdd"]}, {}),
        ({}, {"two/Tanh": ["custom_1/two_1/Tanh"]}),
        ({"d1": ["custom_1/two_1/d1_1/Relu"]}, {"d2/BiasAdd": ["custom_1/two_1/d2_1/BiasAdd"]}),
    ],
    # A layer that is called twice.
    ("branchy", "export"): [({"shared": "shared"}, {}), ({"act": "act", "res": "res"}, {})],
    ("transformer", "export"): [({"attention_0": "attention_0"}, {}), ({"position_embedding": "position_embedding", "inner_0": "inner_0"}, {})],
    ("within", "export"): [({"wrap/dense": ["net_1/wrap_1/dense_1/BiasAdd"], "outer/Gelu_1/mul_3": ["net_1/outer_1/Gelu_1/mul_3"]}, {})],
}


def frozen(path):
    loaded = tf.saved_model.load(path)
    function = loaded.signatures["serving_default"]
    graph = convert_variables_to_constants_v2(function, lower_control_flow=False).graph.as_graph_def()
    return function, tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name="") and None, [])


def tensors(graph, meant):
    """Of tensors by name, themselves; of a layer by its own name, what others take of its scopes."""
    if not isinstance(meant, str):
        return [graph.get_tensor_by_name(f"StatefulPartitionedCall/{name}:0") for name in meant]
    inside = lambda op: any(part.rpartition("_")[0] == meant and part.rpartition("_")[2].isdigit() for part in op.name.split("/")[:-1])
    ops = [op for op in graph.get_operations() if inside(op) and op.type not in ("Const", "Identity", "ReadVariableOp")]
    found = [t for op in ops for t in op.outputs if any(not inside(user) for user in t.consumers())]
    assert found, meant
    return found


def main():
    root, = sys.argv[1:]
    rng = np.random.default_rng(0)
    for (model, kind), runs in RUNS.items():
        folder = os.path.join(root, model)
        signature, function = frozen(os.path.join(folder, kind))
        graph, data = function.graph, np.load(os.path.join(folder, "inputs.npz"))
        given = {name: spec for name, spec in signature.structured_input_signature[1].items()}
        inputs = [graph.get_tensor_by_name(f"{spec.name}:0") for spec in given.values()]
        fed = [tf.constant(data[name], spec.dtype) for name, spec in given.items()]
        outputs = {name: graph.get_tensor_by_name(tensor.name) for name, tensor in zip(sorted(signature.structured_outputs), signature.outputs)}
        plain = function.prune(inputs, outputs)(*fed)
        table, values = [], {}

        def key(value):
            values[f"t{len(values)}"] = value
            return f"t{len(values) - 1}"

        for zeroed, replaced in runs:
            row, changed, others = {"zero": list(zeroed), "replace": {}, "outputs": {}}, [], []
            for meant in zeroed.values():
                for tensor in tensors(graph, meant):
                    changed.append(tensor)
                    others.append(tf.zeros_like(function.prune(inputs, tensor)(*fed)))
            for name, meant in replaced.items():
                tensor, = tensors(graph, meant)
                value = rng.normal(0, 1, function.prune(inputs, tensor)(*fed).shape).astype("float32")
                changed.append(tensor)
                others.append(tf.constant(value))
                row["replace"][name] = key(value)
            given_back = function.prune(inputs + changed, outputs)(*fed, *others)
            row["outputs"] = {name: key(value.numpy()) for name, value in given_back.items()}
            assert any(not np.allclose(value, plain[name], atol=1e-3) for name, value in given_back.items()), f"{model}: {row} changes nothing"
            table.append(row)
        with open(os.path.join(folder, "changed.json"), "w") as f:
            json.dump(table, f, separators=(",", ":"))
        np.savez_compressed(os.path.join(folder, "changed.npz"), **values)
        print(f"{model}: {len(table)} runs", flush=True)


if __name__ == "__main__":
    main()
