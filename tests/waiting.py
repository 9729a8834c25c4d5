"""How tests wait: for what they mean, as long as a busy machine may take, and saying for what."""

from __future__ import annotations

import inspect
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

Found = TypeVar("Found")

PATIENCE = 120.0
"""Seconds, far more than anything takes, after which a test gives up."""


def meaning(holds: Callable[[], object]) -> str:
    """The source of a condition."""
    try:
        return " ".join(inspect.getsource(holds).split())
    except OSError:
        return repr(holds)


def until(
    holds: Callable[[], Found], what: str = "", there: Callable[[], object] = lambda: "not known"
) -> Found:
    """Wait until something holds; gives what it came out as.

    Args:
        holds: is asked again and again.
        what: that is, in words; its source, if left out.
        there: tells what there is instead, once it was waited for in vain.
    """
    limit = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < limit, (
            f"waited in vain for {what or meaning(holds)}; there is\n{there()}"
        )
        time.sleep(0.005)
    return found


def runs(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not (state.exists() and " Z " in state.read_text())  # dead, but not looked at yet
    except (ProcessLookupError, FileNotFoundError):
        return False


def gone(pid: int) -> None:
    """Wait until there is no such process any more."""
    until(lambda: not runs(pid), f"the end of process {pid}")
