#!/usr/bin/env python3
"""Writes what a PyTorch module computes, submodule by submodule, as a safetensors file that `taper::parity` reads.

    # A Hugging Face folder (or a name on the hub):
    tools/dump_reference.py --hf gpt2/ --text "The cat sat" -o reference.safetensors
    tools/dump_reference.py --hf gpt2/ --ids 464,3797,3332 --gradients -o reference.safetensors
    # Anything: a Python file that defines `model` and `inputs` (a tensor, a tuple, or a dict by argument), and may
    # define `loss`, a function of the output:
    tools/dump_reference.py net.py -o reference.safetensors --weights model.safetensors

or, from Python:

    from dump_reference import dump
    dump(model, {"input_ids": ids}, "reference.safetensors")

Names in the file, PATH being that of `named_modules()`:

    input.NAME       the arguments; positional ones by the names that `forward` gives them
    output           the first tensor of the model's output
    module.PATH      the first tensor of the submodule's output in its first call; `module.PATH#2` in its second, and so on
    module.PATH[1]   further tensors of that output; so are `output[1]` and `module.PATH#2[1]`
    attention.I      the attention pattern of layer I, where the output has `attentions`
    grad.PATH        with a loss: its gradient with respect to `module.PATH` (`grad.PATH#2`, `grad.PATH[1]`)

Values are those at the moment when the submodule returned: in-place operations that come later do not reach them, nor
does a gradient mean anything else. A module that stands at several paths is there under each of them.
"""

import argparse
import inspect
import runpy
from collections import Counter
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch.utils import _pytree as pytree


def tensors_of(value):
    """The tensors in an output, in order: of tuples, lists, dicts and the outputs of transformers."""
    return [leaf for leaf in pytree.tree_leaves(value) if torch.is_tensor(leaf) and not leaf.is_complex()]


def named_inputs(model, args, kwargs):
    """Arguments by name; the tensors of a structured one by their place in it."""
    try:
        arguments = inspect.signature(model.forward).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        arguments = {**{str(i): arg for i, arg in enumerate(args)}, **kwargs}
    named = {}
    for name, value in arguments.items():
        if isinstance(value, dict):  # **kwargs
            named.update(value)
        elif torch.is_tensor(value):
            named[name] = value
        else:
            named.update({f"{name}.{i}": tensor for i, tensor in enumerate(tensors_of(value))})
    return {name: value for name, value in named.items() if torch.is_tensor(value)}


def squares(output):
    """The loss of `--gradients`: the sum of the squares of the output's first tensor."""
    return tensors_of(output)[0].pow(2).sum()


def record(model, args, kwargs, loss=None):
    """Everything as a dict of tensors by name."""
    paths, calls, seen = {}, Counter(), {}
    for path, module in model.named_modules(remove_duplicate=False):
        paths.setdefault(module, []).append(path)

    def hook(module, _, output):
        calls[module] += 1
        call = f"#{calls[module]}" if calls[module] > 1 else ""
        for i, tensor in enumerate(tensors_of(output)):
            part = f"[{i}]" if i else ""
            seen.update({f"{path}{call}{part}": tensor for path in paths[module]})
        # What flows on is a copy, so that in-place operations do not write into what was seen, and so that the
        # gradient with respect to what was seen is not that with respect to what became of it.
        return pytree.tree_map(lambda leaf: leaf.clone() if torch.is_tensor(leaf) else leaf, output)

    tensors = {f"input.{name}": value.detach().clone() for name, value in named_inputs(model, args, kwargs).items()}
    handles = [module.register_forward_hook(hook) for module in paths if module is not model]
    was_training = model.training
    try:
        with torch.set_grad_enabled(loss is not None):
            output = model.eval()(*args, **kwargs)
    finally:
        model.train(was_training)
        for handle in handles:
            handle.remove()

    patterns = getattr(output, "attentions", None) or ()
    outputs = [tensor for tensor in tensors_of(output) if not any(tensor is pattern for pattern in patterns)]
    tensors.update({"output" + (f"[{i}]" if i else ""): tensor for i, tensor in enumerate(outputs)})
    tensors.update({f"attention.{i}": pattern for i, pattern in enumerate(patterns)})
    tensors.update({f"module.{name}": tensor for name, tensor in seen.items()})
    if loss is not None:
        tracked = {name: tensor for name, tensor in seen.items() if tensor.requires_grad}
        gradients = torch.autograd.grad(loss(output), list(tracked.values()), allow_unused=True)
        found = zip(tracked, gradients)
        tensors.update({f"grad.{name}": gradient for name, gradient in found if gradient is not None})
    return tensors


def save(tensors, path):
    """Tensors that share memory, as tied weights do, are each saved whole."""
    tensors = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    save_file(tensors, path, metadata={"torch": torch.__version__})


def dump(model, inputs, path, loss=None):
    """Runs `model` in evaluation and writes what every submodule gives; with `loss`, a function of the output, gradients
    too. `inputs` are a tensor, a tuple of arguments, or a dict of them by name."""
    args, kwargs = ((), inputs) if isinstance(inputs, dict) else (inputs if isinstance(inputs, tuple) else (inputs,), {})
    tensors = record(model, args, kwargs, loss)
    save(tensors, path)
    return tensors


def hugging_face(options):
    """The model of a folder in the class that its configuration names, and its inputs."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(options.hf)
    name = options.model_class or (config.architectures or ["AutoModel"])[0]
    dtype = getattr(torch, options.dtype)
    # The fused attentions give no patterns.
    load = getattr(transformers, name).from_pretrained
    model, loaded = load(options.hf, dtype=dtype, attn_implementation="eager", output_loading_info=True)
    if lacking := sorted(loaded["missing_keys"]) + sorted(map(str, loaded["mismatched_keys"])):
        # They would be drawn at random, and differ from one dump to the next.
        raise SystemExit(f"the weights of {name} are not all in {options.hf}: {', '.join(lacking[:5])}; see --model-class")
    print(f"{options.hf}: {name}")
    if options.ids is not None:
        inputs = {"input_ids": torch.tensor([[int(id) for id in row.split(",")] for row in options.ids.split(";")])}
    elif options.text is not None:
        inputs = dict(transformers.AutoTokenizer.from_pretrained(options.hf)(options.text, return_tensors="pt"))
    else:
        raise SystemExit("give --text or --ids; for models of other inputs, a Python file with `model` and `inputs`")
    if config.is_encoder_decoder:
        inputs["decoder_input_ids"] = torch.full((len(inputs["input_ids"]), 1), config.decoder_start_token_id)
    if "use_cache" in inspect.signature(model.forward).parameters:
        inputs["use_cache"] = False
    inputs["output_attentions"] = True
    return model, inputs, None


def from_file(path):
    """`model`, `inputs` and maybe `loss` of a Python file."""
    names = runpy.run_path(path)
    missing = [name for name in ("model", "inputs") if name not in names]
    if missing:
        raise SystemExit(f"{path} defines no {' and no '.join(f'`{name}`' for name in missing)}")
    return names["model"], names["inputs"], names.get("loss")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", nargs="?", help="a Python file that defines `model` and `inputs`")
    parser.add_argument("--hf", metavar="DIR", help="a Hugging Face folder, or a name on the hub")
    parser.add_argument("--text", help="the input of --hf, by its tokenizer")
    parser.add_argument("--ids", help="the same as numbers: 464,3797 or, several rows, 464,3797;11,13")
    parser.add_argument("--model-class", help="a class of transformers, if not the one that config.json names")
    parser.add_argument("--dtype", default="float32", help="of --hf: float32 (default), float64, bfloat16, float16")
    parser.add_argument("--gradients", action="store_true", help="of the sum of squares of the output, unless there is a `loss`")
    parser.add_argument("--weights", metavar="FILE", help="write the weights too, by the names of `state_dict()`")
    parser.add_argument("-o", "--output", default="reference.safetensors")
    options = parser.parse_args()
    if (options.file is None) == (options.hf is None):
        parser.error("give either a Python file or --hf")
    model, inputs, loss = hugging_face(options) if options.hf else from_file(options.file)
    tensors = dump(model, inputs, options.output, loss or (squares if options.gradients else None))
    print(f"{options.output}: {len(tensors)} tensors, {Path(options.output).stat().st_size // 1024} KiB")
    if options.weights:
        save(model.state_dict(), options.weights)
        print(f"{options.weights}: {len(model.state_dict())} tensors")


if __name__ == "__main__":
    main()
