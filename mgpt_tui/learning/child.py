"""`mgpt-tui learn` in a process of its own, as the app runs it.

It lives as long as its standard input is open: when the app goes, however that is, it finishes its
step, saves and ends. So there never is one that nobody can see or stop.
"""

from __future__ import annotations

import queue
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.inference.process.command import begun, module_command, open_log
from mgpt_tui.learning.events import Event, decode

LONGEST_LINE = 2**22
"""Bytes of a line; no event comes near it."""


@dataclass(frozen=True, slots=True)
class Over:
    """The process has ended; nothing comes after it.

    Attributes:
        exit_code: as the operating system gives it; negative for a signal.
    """

    exit_code: int


class Learns(Protocol):
    """What the app needs of a process that learns."""

    events: queue.SimpleQueue[Event | Over]

    def stop(self) -> None:
        """Let it finish its step, save and end; `Over` follows."""


class Child:
    """The real one.

    Args:
        arguments: of `mgpt-tui learn`.
        python: the interpreter to run it with.

    Attributes:
        events: all that it says, `Over` last.

    Raises:
        UserError: where it cannot be begun.
    """

    def __init__(self, arguments: Sequence[str], python: str = sys.executable) -> None:
        self.events: queue.SimpleQueue[Event | Over] = queue.SimpleQueue()
        command = [*module_command(python, "mgpt_tui"), "learn", "--json", "--attended"]
        try:
            with open_log(paths.learning_log(), append=False) as log:
                self.process = begun([*command, *arguments], log)
        except OSError as error:
            raise UserError(
                f"Learning could not be started: {error.strerror or error}.",
                f"Check that {command[0]} can be run.",
            ) from None
        threading.Thread(target=self._read, name="learning-reader", daemon=True).start()

    def stop(self) -> None:
        """Close its standard input."""
        assert self.process.stdin is not None
        with suppress(OSError):
            self.process.stdin.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            while line := stream.readline(LONGEST_LINE):
                event = decode(line)
                if event is not None:
                    self.events.put(event)
        exit_code = self.process.wait()
        self.stop()
        self.events.put(Over(exit_code))
