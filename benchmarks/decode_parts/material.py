"""What all sides decode, and how a process measures itself."""

from __future__ import annotations

import re
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mgpt_tui.model.config import SHAPES
from mgpt_tui.model.contents import Contents, read_contents
from mgpt_tui.model.registry import find_model
from mgpt_tui.model.tokenizer import Tokenizer
from mgpt_tui.model.weights import Weights, shapes


def checkpoint_of(vocabulary: str) -> Contents:
    """The weights and the tokenizer of that name; numpy alone, as in use."""
    embedded = read_contents(find_model().path)
    if vocabulary == "trimmed":
        return embedded
    drawn = np.random.default_rng(1)
    weights = {
        name: drawn.normal(0, 0.02, size).astype(np.float32)
        if len(size) == 2
        else np.ones(size, np.float32)
        for name, size in shapes(SHAPES["small"]).items()
    }
    info = replace(embedded.info, config=SHAPES["small"])
    return Contents(info, Weights(weights), Tokenizer.gpt2())


def seconds(work: Callable[[], Any], times: int = 3) -> float:
    """How long that takes, in the middle of three times."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def memory() -> tuple[int, int]:
    """Bytes of memory that this process uses now, and the most that it used; on Linux."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    kilobytes = {name: int(size) for name, size in re.findall(r"(Vm\w+):\s+(\d+) kB", status)}
    return 1024 * kilobytes["VmRSS"], 1024 * kilobytes["VmHWM"]
