"""Which operator which SavedModel uses, as a page: what the signatures reach, not what saves and restores."""
import os
from tensorflow.core.protobuf import saved_model_pb2


def used(path):
    """The operators that the signatures of one saved_model.pb reach, functions included."""
    saved = saved_model_pb2.SavedModel()
    with open(path, "rb") as f:
        saved.ParseFromString(f.read())
    meta = saved.meta_graphs[0]
    library = {f.signature.name: f.node_def for f in meta.graph_def.library.function}
    graph = {n.name: n for n in meta.graph_def.node}
    # The initialiser is a signature too, and no part of the model.
    todo = [t.name.split(":")[0] for name, s in meta.signature_def.items() if not name.startswith("__saved_model") for t in s.outputs.values()]
    seen, nodes = set(), []
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            nodes.append(graph[name])
            todo += [i.removeprefix("^").split(":")[0] for i in graph[name].input]
    ops, called = set(), set()
    while nodes:
        node = nodes.pop()
        ops.add(node.op)
        functions = [f.name for a in node.attr.values() for f in (a.func, *a.list.func) if f.name]
        for f in functions:
            if f in library and f not in called:
                called.add(f)
                nodes += library[f]
    return ops


def models(folder):
    """Name → saved_model.pb, for every SavedModel in a folder's subfolders."""
    for name in sorted(os.listdir(folder)):
        for kind in ("saved_model", "export", "tfsave", "keras2", "tf1"):
            path = os.path.join(folder, name, kind, "saved_model.pb")
            if os.path.isfile(path):
                yield name, path


def write(page, applications):
    """Writes `page` from the SavedModels in the folder `applications` and from those beside `page`."""
    large, small = {}, {}
    for table, folder in ((large, applications), (small, os.path.dirname(os.path.abspath(page)))):
        for name, path in models(folder):
            for op in used(path):
                table.setdefault(op, {})[name] = None
    names = sorted({n for users in large.values() for n in users})
    lines = ["# Operators", "",
             "What the signatures of Keras's image classifiers (`tools/make_keras_applications.py`) and of the models in this folder use, functions and bodies of control flow included.",
             "Written by `python tools/make_keras_applications.py OUT_DIR --operators tests/data/saved/operators.md`.", "",
             "| classifier | operators |", "|---|---|",
             *(f"| {n} | {sum(n in users for users in large.values())} |" for n in names), "",
             "| operator | classifiers | models here |", "|---|---|---|"]
    for op in sorted(large.keys() | small.keys()):
        lines.append(f"| {op} | {of(large.get(op, {}), len(names))} | {of(small.get(op, {}), 8)} |")
    with open(page, "w") as f:
        f.write("\n".join(lines) + "\n")
    print(f"{len(large)} operators in {len(names)} classifiers, {len(large.keys() | small.keys())} with the models beside {page}")


def of(users, most):
    if len(users) == most and most != 8:
        return "all"
    return ", ".join(users) if len(users) <= most else f"{len(users)} models"
