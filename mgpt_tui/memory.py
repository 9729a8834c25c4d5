"""Memory: how much is left, and its lack, recognised and told in one place, whoever notices it.

Python has a class for it, the system a number, and the libraries in C++ and Rust have words.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mgpt_tui.errors import UserError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

ROOT = Path("/")
"""Where `proc` and `sys` are."""

REMEDY = "Close other programs, or raise the limit that is set for this one (`ulimit -v`)."

_WORDS = (
    "out of memory",  # CUDA and MPS
    "not enough memory",  # torch on Windows
    "allocate memory",  # torch on a CPU ("can't"), and the system ("cannot")
    "bad_alloc",  # C++
    "failed to map segment",  # the loader, of a library
    "memory allocation",  # Rust
    "unable to allocate",  # NumPy
    "unable to mmap",  # torch, of a file
    "can't start new thread",  # whose stack finds no room
    "error return without exception set",  # Python's importer, that had no room for its error
    "memoryerror",  # Rust, which met Python's
    "python api call failed",  # Rust, which had no room for an object of Python's
)


class OutOfMemory(UserError):
    """There is too little memory for what was asked for."""

    def __init__(self, remedy: str = REMEDY) -> None:
        super().__init__("There is not enough memory for this.", remedy)


def is_lack_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory did not suffice, in whatever words.

    Rust's panics, which say so too, are no `Exception`.
    """
    if isinstance(error, MemoryError | OutOfMemory):
        return True
    if isinstance(error, UserError):
        return False
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno == errno.ENOMEM
    said = str(error).lower()
    if any(word in said for word in _WORDS):
        return True
    return error.__cause__ is not None and is_lack_of_memory(error.__cause__)


def check_room(what: str, needed: int) -> None:
    """Refuse what memory has no room for, before any of it is taken.

    Args:
        what: takes it, as the subject of a sentence.
        needed: bytes, about.

    Raises:
        OutOfMemory: where fewer are left; its message tells both.
    """
    left = memory_left()
    if left is not None and needed > left:
        raise OutOfMemory(
            f"{what} takes some {needed / 1e6:,.0f} MB, and {left / 1e6:,.0f} MB are left. {REMEDY}"
        )


@contextmanager
def lack_of_memory_told(remedy: str = REMEDY) -> Iterator[None]:
    """Let a lack of memory leave the block as `OutOfMemory`.

    Args:
        remedy: what to do about it here.

    Raises:
        OutOfMemory: for it; other errors are as they were.
    """
    try:
        yield
    except BaseException as error:
        if not is_lack_of_memory(error):
            raise
        raise OutOfMemory(remedy) from None


def memory_left(processes: int = 1) -> int | None:
    """Bytes that may still be taken: of the machine, of the groups that hold this process, and of
    its own limits; None where the system does not tell.

    Args:
        processes: how many share the machine, each with limits of its own.
    """
    available = _kilobytes("proc/meminfo", "MemAvailable")
    left = [] if available is None else [available]
    left += _left_in_groups()
    left += [processes * most for most in _left_by_limits()]
    return min(left) if left else None


def _kilobytes(file: str, name: str) -> int | None:
    """A line of a file of the kernel's, in bytes."""
    found = re.search(rf"^{name}:\s+(\d+) kB", _text(ROOT / file), re.MULTILINE)
    return None if found is None else int(found[1]) * 1024


def _left_by_limits() -> list[int]:
    """Bytes that the limits of this process leave to it (`ulimit -v`, `ulimit -d`)."""
    left = []
    for limit, taken in (("RLIMIT_AS", "VmSize"), ("RLIMIT_DATA", "VmData")):
        most = resource.getrlimit(getattr(resource, limit))[0] if resource else -1
        now = _kilobytes("proc/self/status", taken)
        if now is not None and resource is not None and most != resource.RLIM_INFINITY:
            left.append(max(0, most - now))
    return left


def _left_in_groups() -> list[int]:
    """Bytes left to the control groups that hold this process, as containers set them.

    Files that are only cached count as free: the system drops them when memory is asked for.
    """
    left = []
    for line in _text(ROOT / "proc/self/cgroup").splitlines():
        _, kinds, name = line.split(":", 2)
        old = "memory" in kinds.split(",")
        if kinds and not old:
            continue
        top = ROOT / "sys/fs/cgroup" / ("memory" if old else "")
        names = ("limit_in_bytes", "usage_in_bytes") if old else ("max", "current")
        group = top / name.lstrip("/")
        while group.is_relative_to(top):  # a group is also bound by those above it
            limit, used = (_text(group / f"memory.{file}").strip() for file in names)
            if limit.isdecimal() and used.isdecimal() and int(limit) < 2**62:  # v1's "none"
                prefix = "total_" if old else ""
                stat = _text(group / "memory.stat")
                cached = re.search(rf"^{prefix}inactive_file (\d+)", stat, re.MULTILINE)
                taken = int(used) - (int(cached[1]) if cached else 0)
                left.append(max(0, int(limit) - taken))
            group = group.parent
    return left


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
