"""How a process of ours is begun: so that it finds this program alone, with a log of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import mgpt_tui
from mgpt_tui.errors import UserError
from mgpt_tui.files import open_own


def module_command(python: str, module: str) -> list[str]:
    """The words that run a module with an interpreter.

    -P keeps the current folder, and any torch.py in it, out of the imports; where the program is
    run from its own source folder, though, that is how it is found.
    """
    source = Path(mgpt_tui.__file__).parents[1]
    safe_path = [] if source.samefile(".") else ["-P"]
    return [python, *safe_path, "-m", module]


def begun(command: Sequence[str], log: IO[bytes]) -> subprocess.Popen[bytes]:
    """A process with pipes for its standard input and output.

    Ctrl-C in the terminal does not reach it.

    Raises:
        OSError: where it cannot be begun.
    """
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        start_new_session=True,
        creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # so on Windows
    )


def open_log(path: Path, *, append: bool) -> IO[bytes]:
    """What takes a process's standard error.

    Args:
        path: of the log.
        append: else it is emptied, so that it does not grow for ever.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | (os.O_APPEND if append else os.O_APPEND | os.O_TRUNC)
        return os.fdopen(open_own(path, flags), "ab")
    except (OSError, UserError):  # no log is no reason not to write stories
        return Path(os.devnull).open("ab")
