"""How many cores there are for us."""

from __future__ import annotations

import os


def cores() -> int:
    """Cores that this process may use, at least 1; on macOS and Windows all there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
