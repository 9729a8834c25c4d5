"""What is known of the processor that this runs on."""

from __future__ import annotations

import platform
import re
from functools import cache
from pathlib import Path

SAID = re.compile(
    r"^(vendor_id|cpu family|model|model name|stepping|flags|Features|CPU \w+)\s*:(.*)",
    re.MULTILINE,
)
"""What Linux says of a core that a compiler may look at, and that does not change with the hour."""


MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""Other names of the same."""


def machine() -> str:
    """Its architecture: x86_64, aarch64 or another."""
    name = platform.machine().lower()
    return MACHINES.get(name, name)


@cache
def described() -> tuple[str, ...]:
    """Lines that tell it from another; none where the system says nothing, as outside Linux."""
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as stream:
            first_core = stream.read(2**14).partition("\n\n")[0]
    except (OSError, ValueError):
        return ()
    return tuple(line.group() for line in SAID.finditer(first_core))


def features() -> frozenset[str]:
    """What it can do, by Linux's names; empty where that is not known."""
    lines = [line.partition(":") for line in described()]
    return frozenset(
        word
        for name, _, words in lines
        if name.strip() in ("flags", "Features")
        for word in words.split()
    )
