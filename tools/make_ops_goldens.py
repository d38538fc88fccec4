"""Makes reference data for `taper::ops` with PyTorch: values and gradients of small random inputs.

usage: python make_ops_goldens.py OUT_DIR      (writes OUT_DIR/ops/golden.safetensors and its README.md)

Each operation's loss is the sum of its output times `NAME.loss`, so that every element counts in another way.
"""
import os, sys
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers.activations import QuickGELUActivation
from transformers.models.gptj import modeling_gptj as gptj
from transformers.models.llama import modeling_llama as llama

G = torch.Generator().manual_seed(0)
golden = {}


def rand(*shape):
    return torch.randn(shape, generator=G)


def record(name, f, **inputs):
    """`f` of the inputs: them, the output, and the gradients with respect to all that are floats."""
    inputs = {k: v.clone().requires_grad_(v.is_floating_point()) for k, v in inputs.items()}
    y = f(**inputs) if len(inputs) > 1 else f(*inputs.values())
    loss = rand(*y.shape)
    (y * loss).sum().backward()
    golden[f"{name}.loss"], golden[f"{name}.output"] = loss, y
    for k, v in inputs.items():
        golden[f"{name}.{k}"] = v
        if v.grad is not None:
            golden[f"{name}.grad.{k}"] = v.grad


def rope(x, cos, sin):
    # Hugging Face's tables hold everything twice, the halves one after the other.
    twice = lambda t: torch.cat([t, t], -1)[None]
    return llama.apply_rotary_pos_emb(x, x, twice(cos), twice(sin))[0]


def rope_i(x, cos, sin):
    # GPT-J's have [batch, token, head, channel].
    return gptj.apply_rotary_pos_emb(x.transpose(1, 2), sin[None], cos[None]).transpose(1, 2)


def sdpa(**kw):
    return lambda q, k, v, **masks: F.scaled_dot_product_attention(q, k, v, scale=0.4, **masks, **kw)


record("softmax", lambda x: F.softmax(x, -1), x=3 * rand(2, 3, 7))
record("layer_norm", lambda x, weight, bias: F.layer_norm(x, (9,), weight, bias, 1e-5), x=2 * rand(4, 9) + 1, weight=rand(9), bias=rand(9))
record("rms_norm", lambda x, weight: F.rms_norm(x, (9,), weight, 1e-5), x=2 * rand(4, 9) + 1, weight=rand(9))
angles = 3 * rand(5, 4)
record("rope", rope, x=rand(2, 3, 5, 8), cos=angles.cos(), sin=angles.sin())
record("rope_i", rope_i, x=rand(2, 3, 5, 8), cos=angles.cos(), sin=angles.sin())
qkv = lambda heads, k_heads, queries, keys: dict(q=rand(2, heads, queries, 4), k=rand(2, k_heads, keys, 4), v=rand(2, k_heads, keys, 3))
record("attention", sdpa(), **qkv(3, 3, 4, 6))
record("attention_causal", sdpa(is_causal=True), **qkv(3, 3, 5, 5))
record("attention_grouped", sdpa(is_causal=True, enable_gqa=True), **qkv(6, 2, 5, 5))
record("attention_added", sdpa(), **qkv(3, 3, 4, 6), attn_mask=rand(3, 4, 6))
allowed = (rand(2, 1, 4, 6) > 0).logical_or(torch.eye(4, 6, dtype=torch.bool))
record("attention_allowed", sdpa(), **qkv(3, 3, 4, 6), attn_mask=allowed)
numbers = lambda: torch.cat([4 * rand(40), torch.tensor([0.0, -0.0, 30, -30, 87, -87, 1e-30])]).reshape(1, 47)
record("exp", torch.exp, x=rand(1, 47))
record("tanh", torch.tanh, x=numbers())
record("sigmoid", torch.sigmoid, x=numbers())
record("silu", F.silu, x=numbers())
record("gelu", F.gelu, x=numbers())
record("gelu_tanh", lambda x: F.gelu(x, approximate="tanh"), x=numbers())
record("quick_gelu", QuickGELUActivation(), x=numbers())
conv = lambda **kw: lambda x, kernel, bias: F.conv2d(x, kernel, bias, **kw)
record("conv2d", conv(padding=1), x=rand(2, 3, 6, 5), kernel=rand(4, 3, 3, 3), bias=rand(4))
record("conv2d_pointwise", conv(), x=rand(2, 3, 4, 5), kernel=rand(4, 3, 1, 1), bias=rand(4))
record("conv2d_strided", conv(stride=2, dilation=2, padding=2, groups=2), x=rand(2, 4, 9, 7), kernel=rand(6, 2, 3, 3), bias=rand(6))
record("conv2d_depthwise", conv(stride=2, padding=1, groups=4), x=rand(2, 4, 6, 7), kernel=rand(4, 1, 3, 3), bias=rand(4))
record("conv2d_uneven", lambda x, kernel, bias: F.conv2d(F.pad(x, (0, 1, 2, 3)), kernel, bias, groups=2), x=rand(1, 2, 4, 5), kernel=rand(4, 1, 2, 3), bias=rand(4))

d = os.path.join(sys.argv[1], "ops")
os.makedirs(d, exist_ok=True)
golden = {k: (v.to(torch.uint8) if v.dtype == torch.bool else v).detach().contiguous().clone() for k, v in golden.items()}
save_file(golden, os.path.join(d, "golden.safetensors"))
open(os.path.join(d, "README.md"), "w").write(f"""# ops
Single operations: `tools/make_ops_goldens.py`, with torch {torch.__version__}; the inputs are random.
- `NAME.INPUT`: the inputs. `NAME.output`: the output.
- `NAME.grad.INPUT`: the gradient of the sum of output times `NAME.loss`.
""")
