"""Choosing a processor and a precision."""

from __future__ import annotations

import time

import torch

from mgpt_tui.errors import UserError

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str) -> torch.device:
    """The device asked for, or the best one at hand for "auto".

    Raises:
        UserError: where this machine has no such device.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(kind for kind, there in available.items() if there)
    if not available[name]:
        raise UserError(f"This machine has no {name} device.", "Use --device auto or cpu.")
    return torch.device(name)


def choose_dtype(name: str, device: torch.device) -> torch.dtype:
    """The dtype asked for; "auto" takes bf16 where a product of matrices is faster in it.

    CPUs without AMX or AVX512-BF16 emulate bf16 and are slower, so it is measured (a tenth of
    a second). CUDA devices without bf16 get fp16.
    """
    if name != "auto":
        return DTYPES[name]
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return min((torch.float32, torch.bfloat16), key=lambda dtype: _product_seconds(dtype, device))


def _product_seconds(dtype: torch.dtype, device: torch.device) -> float:
    """Shortest time of a product of the size that the `small` preset has, in seconds."""
    left = torch.ones(1024, 384, dtype=dtype, device=device)
    right = torch.ones(384, 1536, dtype=dtype, device=device)
    shortest = float("inf")
    for _ in range(8):
        started = time.perf_counter()
        float((left @ right)[0, 0])  # reading a number waits for the device
        shortest = min(shortest, time.perf_counter() - started)
    return shortest
