"""What can be told of a run's folder without torch: the names of its files, and who holds it."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.files import open_own, try_lock

SETTINGS_FILE = "run.json"
LOCK_FILE = ".lock"


def is_held(folder: Path) -> bool:
    """Whether a process trains the run now; False where the system cannot tell.

    It is found out by locking for an instant, which `RunFolder.held` allows for.
    """
    try:
        with FileIO(open_own(folder / LOCK_FILE, os.O_RDONLY), "rb") as lock:
            return not try_lock(lock)
    except (OSError, UserError):
        return False
