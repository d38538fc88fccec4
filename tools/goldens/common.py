"""What all reference data has in common: how a model's insides are seen, and how they are written."""
import json, os
import torch, transformers, torchvision
from safetensors.torch import save_file

T = transformers
# Attention patterns come out of the eager implementation alone; weights are ten times as wide as these libraries draw them.
TEXT = dict(attn_implementation="eager", initializer_range=0.2)
VOCAB = 61



def ids():
    """Two texts of nine tokens."""
    return torch.randint(0, VOCAB, (2, 9), generator=torch.Generator().manual_seed(7))


def nonzero_biases(m):
    """Random init leaves biases 0 and norms 1, which would hide a dropped bias or a swapped norm."""
    g = torch.Generator().manual_seed(1)
    for n, p in m.named_parameters():
        if p.dim() == 1:
            p.data.add_(torch.randn(p.shape, generator=g) * 0.1)
    for n, b in m.named_buffers():
        if n.endswith("running_mean"):
            b.add_(torch.randn(b.shape, generator=g) * 0.1)
        if n.endswith("running_var"):
            b.mul_(1 + torch.rand(b.shape, generator=g))


def wide(m):
    """Draws every matrix anew, for models whose configuration does not say how wide its weights are drawn."""
    g = torch.Generator().manual_seed(2)
    for p in m.parameters():
        if p.dim() > 1:
            p.data = torch.randn(p.shape, generator=g) * 0.2
    nonzero_biases(m)


def first(o):
    if torch.is_tensor(o):
        return o
    if isinstance(o, (tuple, list)):
        return next((first(x) for x in o if first(x) is not None), None)
    if isinstance(o, dict) or hasattr(o, "values"):
        return next((first(x) for x in o.values() if first(x) is not None), None)
    return None


def hooks_on(m, store, values):
    def mk(n):
        def f(mod, i, o):
            t = first(o)
            if t is not None and t.dtype.is_floating_point:
                if n not in store:
                    store[n] = t
                    # torchvision's in-place ReLU and residual adds overwrite outputs afterwards
                    values[n] = t.detach().clone()
        return f
    return [mod.register_forward_hook(mk(n)) for n, mod in m.named_modules() if n]


def run(m, call, out_of, edits=None):
    """edits: module name -> function on its (first) output tensor."""
    edits = edits or {}
    hs = []
    for n, fn in edits.items():
        def f(mod, i, o, fn=fn):
            if torch.is_tensor(o):
                return fn(o)
            return (fn(o[0]),) + tuple(o[1:])
        hs.append(m.get_submodule(n).register_forward_hook(f))
    store, values = {}, {}
    hs += hooks_on(m, store, values)
    try:
        return out_of(call()), store, values
    finally:
        for h in hs:
            h.remove()


def write(out, name, m, cfg, inputs, call, out_of, attn_of, grads, edits, note, more=None):
    """attn_of: the patterns of all layers, or a dictionary of these by kind. more: further tensors, each with what it is."""
    d = os.path.join(out, name)
    os.makedirs(d, exist_ok=True)
    golden = {"input." + k: v.detach().contiguous() for k, v in inputs.items()}
    y, store, values = run(m, call, out_of)
    golden["output"] = y
    for n, t in values.items():
        golden["module." + n] = t
    kinds = []
    if attn_of is not None:
        with torch.no_grad():
            patterns = attn_of()
            patterns = patterns if isinstance(patterns, dict) else {"attention": patterns}
            kinds = list(patterns)
            for kind, layers in patterns.items():
                for i, a in enumerate(layers):
                    golden[f"{kind}.{i}"] = a
    # gradient of sum(output^2) with respect to each named module's output
    leaves = [n for n in grads if n in store]
    gs = torch.autograd.grad(y.pow(2).sum(), [store[n] for n in leaves], allow_unused=True)
    for n, g in zip(leaves, gs):
        if g is not None:
            golden["grad." + n] = g
    for label, (mod, fn) in edits.items():
        ye, _, _ = run(m, call, out_of, {mod: fn})
        golden["edited." + label] = ye
    for label, (t, _) in (more or {}).items():
        golden[label] = t
    golden = {k: v.detach().contiguous().clone() for k, v in golden.items()}
    save_file(golden, os.path.join(d, "golden.safetensors"))
    sd = {k: v.detach().contiguous().clone() for k, v in m.state_dict().items() if v.dtype.is_floating_point}
    save_file(sd, os.path.join(d, "model.safetensors"))
    json.dump(cfg, open(os.path.join(d, "config.json"), "w"), indent=1, sort_keys=True)
    lines = [f"# {name}", "", note, "",
             f"Made with torch {torch.__version__}, transformers {T.__version__}, torchvision {torchvision.__version__}; weights are random.", "",
             "- `input.*`: the inputs. `output`: the model's output.",
             "- `module.PATH`: the output of the PyTorch submodule PATH (first call, first tensor).",
             *(f"- `{kind}.I`: layer I's {kind.replace('_', ' ')} pattern, after the softmax." for kind in kinds),
             "- `grad.PATH`: the gradient of sum(output^2) with respect to `module.PATH`.",
             *(f"- `{label}`: {what}." for label, (_, what) in (more or {}).items()),
             "- `edited.LABEL`: the output when one submodule's output is replaced:"]
    lines += [f"  - `{k}`: {mod} -> {fn.__doc__}" for k, (mod, fn) in edits.items()]
    open(os.path.join(d, "README.md"), "w").write("\n".join(l for l in lines if l != "") + "\n")
    size = sum(os.path.getsize(os.path.join(d, f)) for f in os.listdir(d))
    print(name, len(golden), "tensors", size // 1024, "KiB")


def greedy(logits_of, tokens, new=12):
    """The likeliest `new` tokens after `tokens`, every step from the whole text: what a cache must not change.

    logits_of: [batch, token] to [batch, token, vocabulary].
    """
    with torch.no_grad():
        for _ in range(new):
            top = logits_of(tokens)[:, -1].topk(2)
            # A near tie would be float noise's to decide.
            assert (top.values[:, 0] - top.values[:, 1]).min() > 1e-3, "the likeliest two tokens are all but equally likely; take other sizes"
            tokens = torch.cat([tokens, top.indices[:, :1]], 1)
    return tokens


def zeros(o):
    "all zeros"
    return torch.zeros_like(o)


def double(o):
    "twice its value"
    return o * 2


def last_pos(o):
    "its value, with position 0 of dimension 1 set to zero"
    o = o.clone(); o[:, 0] = 0
    return o
