"""The processors: cores for us, whether they are busy, whether there may be a GPU. No torch."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from pathlib import Path

DEVICES = Path("/dev")
GPUS = ("nvidia[0-9]*", "dxg", "kfd")
"""There, each stands for a GPU that torch may be able to use."""


def cores() -> int:
    """Cores that this process may use, at least 1; on macOS and Windows all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def are_busy() -> bool:
    """Whether in the last minute half of the cores were at work; False where nobody counts."""
    return hasattr(os, "getloadavg") and os.getloadavg()[0] > cores() / 2


def seconds_waited() -> float:
    """How long the threads of this process have waited for a core so far; 0 where that is unknown.

    See Documentation/scheduler/sched-stats.rst of Linux: nanoseconds on a core, on a run queue.
    """
    waited = 0
    for file in Path("/proc/self/task").glob("*/schedstat"):
        try:
            waited += int(file.read_text(encoding="ascii").split()[1])
        except (OSError, ValueError, IndexError):  # a thread that has ended meanwhile
            continue
    return waited / 1e9


def may_have_gpu() -> bool:
    """Whether it is worth to ask torch for a GPU, which takes a second; False is certain."""
    if sys.platform == "darwin":
        return platform.machine() == "arm64"
    if sys.platform == "win32":
        return shutil.which("nvidia-smi") is not None
    return any(next(DEVICES.glob(name), None) is not None for name in GPUS)
