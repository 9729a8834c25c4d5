"""Choosing a processor and a precision, and what the machine can give at most."""

from __future__ import annotations

import ctypes
import functools
import math
import re
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from mgpt_tui.errors import UserError
from mgpt_tui.model.config import GPTConfig

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

PATIENCE = 0.1
"""Seconds after which what is slower counts as slower."""

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # of glibc's malloc.h


def prepare_device(device: torch.device, dtype: torch.dtype) -> None:
    """Set what training on a device is faster with, for this process.

    On a CPU freed memory is kept. With CUDA what is left of fp32 products beside 16-bit ones runs
    in TF32; where fp32 was asked for it stays exact.
    """
    if device.type == "cpu":
        keep_freed_memory()
    elif device.type == "cuda" and dtype != torch.float32:
        torch.set_float32_matmul_precision("high")


def keep_freed_memory() -> None:
    """Let the memory that a step frees stay with the process, for the next step.

    glibc hands large blocks back to the system as soon as they are free; fetching them again,
    page by page, takes a fifth of a training step. Does nothing with other C libraries.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
        mallopt(_M_TOP_PAD, 2**26)


@contextmanager
def seeded(device: torch.device, *numbers: int) -> Iterator[None]:
    """A block whose draws from torch's own generators depend on `numbers` alone.

    The caller's random numbers go on afterwards as if nothing had been drawn.
    """
    seed = np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(int(seed))
        yield


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

    CPUs without AMX or AVX512-BF16 emulate bf16 and are slower, so it is measured (a quarter of
    a second, once a process). CUDA devices that emulate it get fp16.
    """
    if name != "auto":
        return DTYPES[name]
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    return torch.bfloat16 if _bf16_is_faster(device) else torch.float32


@functools.cache
def _bf16_is_faster(device: torch.device) -> bool:
    """Whether products as in the `small` preset are faster in bf16.

    Without AVX-512 a whole one takes a second, a hundred times as long as in fp32: there, the
    first of its rows tell enough. Both are measured in turn, and again while bf16 is slower: it may
    have been held up.
    """
    for rows, repeats, slower in ((64, 3, 4.0), (1024, 8, 1.0)):
        fp32 = bf16 = math.inf
        ends = time.perf_counter() + PATIENCE
        while repeats > 0 or (bf16 >= slower * fp32 and time.perf_counter() < ends):
            repeats -= 1
            fp32, bf16 = (
                min(shortest, _product_seconds(dtype, device, (rows, 384, 1536), 1))
                for dtype, shortest in ((torch.float32, fp32), (torch.bfloat16, bf16))
            )
        if bf16 >= slower * fp32:
            return False
    return True


def flops_per_token(config: GPTConfig) -> int:
    """Floating-point operations of one token, forward and backward: 6 N + 12 L C T.

    N counts the parameters that enter a product of matrices: those of the blocks, and the head,
    which as a rule is the token embedding used a second time; positions are only added, norms only
    scale. L is `n_layer`, C `n_embd`, T `block_size`. See Chowdhery et al., "PaLM" (2022),
    appendix B, whose H * Q is C here.
    """
    width, layers = config.n_embd, config.n_layer
    matrices = layers * (4 * width + 2 * config.neurons) * width + config.vocab_size * width
    return 6 * matrices + 12 * layers * width * config.block_size


PUBLISHED_PEAKS = {
    r"B200": 2250e12,
    r"H200|H100 80GB HBM3": 989e12,
    r"H200 NVL|H100 NVL": 835e12,
    r"H100 PCIe": 756e12,
    r"A100-.*|A100 80GB PCIe": 312e12,
    r"L40S": 362e12,
    r"L40": 181e12,
    r"L4": 121e12,
    r"A10": 125e12,
    r"GeForce RTX 4090": 165e12,
    r"GeForce RTX 3090": 71e12,
    r"V100-SXM2-.*": 125e12,
    r"T4": 65e12,
}
"""FLOP/s of dense 16-bit products that sum in fp32, from NVIDIA's data sheets, by device name."""


@functools.cache
def peak_flops(device: torch.device, dtype: torch.dtype) -> float:
    """The most FLOP/s that products of matrices reach on this machine.

    For 16-bit products on a known GPU the published figure; else it is measured, once a
    process, which takes about a quarter of a second.
    """
    if device.type == "cuda" and dtype != torch.float32:
        properties = torch.cuda.get_device_properties(device)
        native = dtype == torch.float16 or properties.major >= 8
        name = re.sub(r"^(NVIDIA|Tesla) ", "", properties.name)
        for pattern, peak in PUBLISHED_PEAKS.items():
            if native and re.fullmatch(pattern, name):
                return peak
    return _measured_peak(device, dtype)


def _measured_peak(device: torch.device, dtype: torch.dtype) -> float:
    """The best of ever larger square products, for a quarter of a second or a little more.

    Time decides and not what a product takes: one that is held up says nothing of the machine.
    """
    best, started = 0.0, time.perf_counter()
    for size in (256, 512, 1024, 2048, 4096, 8192):
        seconds = _product_seconds(dtype, device, (size, size, size), repeats=5)
        best = max(best, 2 * size**3 / seconds)
        if time.perf_counter() - started > 0.25:
            break
    return best


def memory_used(device: torch.device) -> tuple[int | None, int | None]:
    """Bytes in use now and at most so far: allocated on a CUDA device, else of the process.

    None where the system does not tell (on macOS the first, on Windows both).
    """
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device), torch.cuda.max_memory_allocated(device)
    try:
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except (OSError, ValueError):
        return None, _peak_resident()
    kilobytes = {name: int(size) for name, size in re.findall(r"(Vm\w+):\s+(\d+) kB", status)}
    now, most = kilobytes.get("VmRSS"), kilobytes.get("VmHWM")
    return None if now is None else now * 1024, None if most is None else most * 1024


def _peak_resident() -> int | None:
    """Where there is no /proc: macOS counts in bytes, others in kilobytes."""
    if resource is None:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _product_seconds(
    dtype: torch.dtype, device: torch.device, shape: tuple[int, int, int], repeats: int
) -> float:
    """Shortest time of a product of matrices (rows, inner) x (inner, columns), in seconds."""
    rows, inner, columns = shape
    left = torch.ones(rows, inner, dtype=dtype, device=device)
    right = torch.ones(inner, columns, dtype=dtype, device=device)
    shortest = float("inf")
    for _ in range(repeats):
        started = time.perf_counter()
        float((left @ right)[0, 0])  # reading a number waits for the device
        shortest = min(shortest, time.perf_counter() - started)
    return shortest
