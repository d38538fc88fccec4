#!/usr/bin/env python3
"""Writes tests/data/gguf: references of the Llama family as llama.cpp's converter writes them, by its package `gguf`.

    python tools/make_gguf.py

The tensors are those of tests/data/NAME. Names, metadata and the order of rows follow `convert_hf_to_gguf.py`: rotary
pairs of the architecture `llama` are neighbours, and Gemma's norms hold one more. Whether that is right is checked here:
Hugging Face's own reader of GGUF has to give the reference's logits.
"""

import json
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM

DATA = Path(__file__).resolve().parent.parent / "tests" / "data"
OUT = DATA / "gguf"

# The reference, and the types in which it is written.
FILES = {
    "llama": [gguf.GGMLQuantizationType.F32, gguf.GGMLQuantizationType.Q8_0],
    "llama_tied": [gguf.GGMLQuantizationType.F16],
    "llama_rope_llama3": [gguf.GGMLQuantizationType.F32],
    "qwen2": [gguf.GGMLQuantizationType.F32],
    "qwen3": [gguf.GGMLQuantizationType.F32],
    "gemma2": [gguf.GGMLQuantizationType.F32],
}


def neighbours(weight, heads):
    """Pairs of which one is half a head further on, next to each other."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, *weight.shape[1:]).swapaxes(1, 2).reshape(weight.shape)


def llama3_factors(config, head_dim):
    """What `rope_freqs.weight` holds."""
    rope = config["rope_parameters"]
    frequencies = 1.0 / (rope["rope_theta"] ** (np.arange(0, head_dim, 2, dtype=np.float32) / head_dim))
    old = rope["original_max_position_embeddings"]
    low, high = old / rope["low_freq_factor"], old / rope["high_freq_factor"]
    factors = []
    for frequency in frequencies:
        wave = 2 * np.pi / frequency
        if wave < high:
            factors.append(1.0)
        elif wave > low:
            factors.append(rope["factor"])
        else:
            smooth = (old / wave - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
            factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(factors, dtype=np.float32)


def write(name, quantization):
    config = json.loads((DATA / name / "config.json").read_text())
    tensors = {k: v.float().numpy() for k, v in load_file(DATA / name / "model.safetensors").items()}
    kind = config["model_type"]
    heads, key_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim = config.get("head_dim") or config["hidden_size"] // heads
    layers = config["num_hidden_layers"]
    path = OUT / f"{name}-{quantization.name}.gguf"

    writer = gguf.GGUFWriter(path, kind)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(layers)
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(key_heads)
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_parameters"]["rope_theta"])
    if kind in ("qwen3", "gemma2", "llama"):
        writer.add_key_length(head_dim)
        writer.add_value_length(head_dim)
    writer.add_vocab_size(config["vocab_size"])
    if kind == "llama":
        writer.add_rope_dimension_count(head_dim)
    if kind == "gemma2":
        writer.add_attn_logit_softcapping(config["attn_logit_softcapping"])
        writer.add_final_logit_softcapping(config["final_logit_softcapping"])
        writer.add_sliding_window(config["sliding_window"])

    names = gguf.get_tensor_name_map(getattr(gguf.MODEL_ARCH, kind.upper()), layers)
    for old, value in tensors.items():
        if old == "lm_head.weight" and config["tie_word_embeddings"]:
            continue
        new = names.get_name(old, try_suffixes=(".weight", ".bias"))
        if kind == "llama" and (".q_proj." in old or ".k_proj." in old):
            value = neighbours(value, heads if ".q_proj." in old else key_heads)
        if kind == "gemma2" and old.endswith("norm.weight"):
            value = value + 1
        how = quantization if value.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(new, gguf.quants.quantize(np.ascontiguousarray(value), how), raw_dtype=how)
    if config["rope_parameters"]["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_factors(config, head_dim))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def check(name, path):
    golden = load_file(DATA / name / "golden.safetensors")
    # Its reader of the metadata passes over a head's width, a window and more: the configuration is the reference's.
    config = AutoConfig.from_pretrained(DATA / name)
    model = AutoModelForCausalLM.from_pretrained(path.parent, gguf_file=path.name, config=config, dtype=torch.float32)
    with torch.no_grad():
        logits = model.eval()(golden["input.input_ids"]).logits
    return (logits - golden["output"]).abs().max().item(), golden["output"].abs().max().item()


def main():
    torch.set_num_threads(1)
    OUT.mkdir(parents=True, exist_ok=True)
    for name, quantizations in FILES.items():
        for quantization in quantizations:
            path = write(name, quantization)
            error, largest = check(name, path)
            print(f"{path.name}: {path.stat().st_size} bytes, off by {error:.2g} of {largest:.2g}")
            allowed = {"F32": 1e-5, "F16": 1e-2, "Q8_0": 0.1}[quantization.name]
            assert error <= allowed * largest, "the file is not what Hugging Face's reader takes it for"


if __name__ == "__main__":
    main()
