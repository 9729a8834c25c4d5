"""Where a step's time goes, by the kind of kernel."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity

from gpu_parts.job import Job, wait

KINDS = {
    "attention": r"flash|fmha|attention|mha",
    "products of matrices": r"gemm|cutlass|nvjet|cublas|wgmma|xmma|sm\d\d_|::mm$|addmm|bmm|splitk",
    "optimizer": r"multi_tensor|adam|foreach|lpnorm|lp_norm|muon|_fused_",
    "fused by the compiler": r"triton|graph_\d+_",
    "copies": r"memcpy|memset|copy",
}
"""The first that a kernel's name fits."""
MOST = 12


def kind_of(name: str) -> str:
    """The kind of kernel, by its name."""
    return next((kind for kind, words in KINDS.items() if re.search(words, name, re.I)), "the rest")


def profile(job: Job, step: Callable[[], None], count: int) -> dict[str, Any]:
    """Milliseconds of a step by kind, the share that the device is idle, the longest kernels."""
    for _ in range(5 if job.on_gpu else 1):
        step()
    wait(job.device)
    began = time.perf_counter()
    for _ in range(count):
        step()
    wait(job.device)
    whole = (time.perf_counter() - began) / count
    activities = [ProfilerActivity.CUDA if job.on_gpu else ProfilerActivity.CPU]
    with torch.profiler.profile(activities=activities) as recorded:
        for _ in range(count):
            step()
        wait(job.device)
    where = DeviceType.CUDA if job.on_gpu else DeviceType.CPU
    kernels = {}
    for event in recorded.key_averages():
        if event.device_type == where:
            spent = event.self_device_time_total if job.on_gpu else event.self_cpu_time_total
            kernels[event.key] = (spent / 1000 / count, event.count / count)
    kinds: dict[str, float] = {}
    for name, (spent, _) in kernels.items():
        kinds[kind_of(name)] = kinds.get(kind_of(name), 0.0) + spent
    busy = sum(kinds.values())
    longest = sorted(kernels, key=lambda name: -kernels[name][0])[:MOST]
    return {
        "step_ms": round(1000 * whole, 3),
        "kinds_ms": {
            kind: round(spent, 3) for kind, spent in sorted(kinds.items(), key=lambda k: -k[1])
        },
        "idle_share": round(max(0.0, 1 - busy / (1000 * whole)), 3),
        "kernels_a_step": round(sum(times for _, times in kernels.values())),
        "longest": [
            [name[:90], round(kernels[name][0], 3), round(kernels[name][1], 1)] for name in longest
        ],
    }
