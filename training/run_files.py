"""What can be told of a run's folder without torch: the names of its files, and who holds it."""

from __future__ import annotations

from pathlib import Path

from mgpt_tui.files import try_lock

SETTINGS_FILE = "run.json"
LOCK_FILE = ".lock"


def is_held(folder: Path) -> bool:
    """Whether a process trains the run now; False where the system cannot tell.

    It is found out by locking for an instant, which `RunFolder.held` allows for.
    """
    try:
        with (folder / LOCK_FILE).open("rb") as lock:
            return not try_lock(lock)
    except OSError:
        return False
