#!/usr/bin/env python3
"""Writes tests/data/torch: files by `torch.save` in every form that is met, and what is in them as safetensors.

    python tools/make_torch_files.py

Values are multiples of 1/8 below 16, so that f16 and bf16 hold them too: what is read must be equal, bit for bit.
"""

from pathlib import Path

import torch
from safetensors.torch import save_file

OUT = Path(__file__).resolve().parent.parent / "tests" / "data" / "torch"


def values(*shape, start=0):
    count = torch.Size(shape).numel()
    return (torch.arange(start, start + count) % 127).reshape(shape) / 8 - 4


def state_dict():
    base = values(4, 6)
    tied = values(3, 2, start=50)
    return {
        "f32": values(2, 3),
        "f16": values(2, 3, start=7).half(),
        "bf16": values(2, 3, start=9).bfloat16(),
        "f64": values(2, 3, start=11).double(),
        "i64": torch.arange(5),
        "i32": torch.arange(5, dtype=torch.int32) - 2,
        "u8": torch.arange(5, dtype=torch.uint8),
        "bool": torch.tensor([True, False]),
        "scalar": torch.tensor(2.5),
        "empty": torch.zeros(0, 3),
        "transposed": values(2, 3, start=20).t(),
        "permuted": values(2, 3, 4, start=30).permute(2, 0, 1),
        # Neither in order nor in reversed order, and it begins inside its storage.
        "strided": base[1:4, 1::2],
        "offset": base[2],
        "expanded": values(3, 1, start=40).expand(3, 4),
        "half_strided": values(4, 4, start=60).half()[:, 1:3],
        "tied.first": tied,
        "tied.second": tied,
    }


def main():
    OUT.mkdir(parents=True, exist_ok=True)
    state = state_dict()
    save_file({k: v.contiguous().clone() for k, v in state.items()}, OUT / "expected.safetensors")

    torch.save(state, OUT / "plain.bin")
    torch.save(state, OUT / "legacy.bin", _use_new_zipfile_serialization=False)
    torch.save(state, OUT / "protocol_4.bin", pickle_protocol=4)

    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3)).eval()
    torch.save(module.state_dict(), OUT / "module_state.bin")
    torch.save(dict(module.named_parameters()), OUT / "parameters.bin")
    save_file(module.state_dict(), OUT / "module_state.safetensors")
    torch.save(module, OUT / "whole_module.bin")

    optimizer = torch.optim.Adam(module.parameters())
    module(torch.ones(4, 2)).sum().backward()
    torch.save(
        {"epoch": 3, "loss": 0.5, "state_dict": module.state_dict(), "optimizer": optimizer.state_dict()},
        OUT / "checkpoint.bin",
    )
    torch.save({"model": {"w": values(2)}, "ema": {"w": values(2, start=5)}}, OUT / "two_models.bin")
    torch.save({"w": torch.eye(3).to_sparse()}, OUT / "sparse.bin")
    torch.save({"epoch": 3}, OUT / "no_tensors.bin")


if __name__ == "__main__":
    main()
