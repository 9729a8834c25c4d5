"""Writing to a terminal that may be slow, stand still, or be gone."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import TextIO

MOST_WAITING = 30
"""Pieces that may wait to be written before the app waits too."""
PATIENCE = 1.0
"""Seconds that the end of the app waits for the last pieces to be written."""


class Writer:
    """A thread that writes to the terminal what it is given, in order.

    Textual's own (8.2) dies with the terminal, and whoever writes waits for it for ever.

    Args:
        stream: the terminal.
        gone: is called once, in the thread, when the terminal can no longer be written to.
    """

    def __init__(self, stream: TextIO, gone: Callable[[], None]) -> None:
        self._stream = stream
        self._gone = gone
        self._waiting: SimpleQueue[str | None] = SimpleQueue()
        self._never_waits = False
        self._thread = threading.Thread(target=self._run, name="terminal-output", daemon=True)

    def start(self) -> None:
        """Begin to write; what came before waits until then."""
        self._thread.start()

    def write(self, text: str) -> None:
        """Have `text` written; waits while the terminal is far behind, unless it is gone."""
        while self._is_far_behind and not self._never_waits:
            time.sleep(0.002)
        self._waiting.put(text)

    @property
    def _is_far_behind(self) -> bool:
        return self._thread.is_alive() and self._waiting.qsize() >= MOST_WAITING

    def hurry(self) -> None:
        """Wait for the terminal no more. May be called by a signal's handler."""
        self._never_waits = True

    def stop(self) -> None:
        """Have the last pieces written, if the terminal takes them, and end."""
        self._waiting.put(None)
        if self._thread.is_alive():
            self._thread.join(PATIENCE)

    def _run(self) -> None:
        # Not through the stream: where the terminal stands still its lock would hold up the exit.
        descriptor = self._stream.fileno()
        encoding, errors = self._stream.encoding, self._stream.errors or "replace"
        gone = False
        while (text := self._waiting.get()) is not None:
            data = b"" if gone else text.encode(encoding, errors)
            try:
                while data:
                    data = data[os.write(descriptor, data) :]
            except OSError:
                gone = True
                self.hurry()
                self._gone()
