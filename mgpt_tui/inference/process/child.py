"""One engine process, and the threads that read from it and write to it."""

from __future__ import annotations

import queue
import subprocess
import threading
import traceback
from contextlib import suppress
from typing import IO

from mgpt_tui import paths
from mgpt_tui.inference.process.command import begun, open_log
from mgpt_tui.inference.process.lines import ProtocolError, decode, encode
from mgpt_tui.inference.process.messages import (
    LONGEST_EVENT,
    Died,
    Event,
    Failed,
    Question,
    Request,
    Stop,
)
from mgpt_tui.inference.process.pending import Pending

PATIENCE = 0.5
"""Seconds that a process gets to end by itself before it is killed."""


class Child:
    """One engine process, with a thread that reads from it and one that writes to it.

    Writing has a thread because a pipe to a process that does not read blocks when it is full.
    """

    def __init__(self, command: list[str], log: IO[bytes], events: queue.Queue[Event]) -> None:
        self.process = begun(command, log)
        self._events = events
        self._requests: queue.SimpleQueue[Request | None] = queue.SimpleQueue()
        self._lock = threading.Lock()  # guards the two below
        self._pending = Pending()
        self._is_over = False
        self._expected = False  # whether it was asked to end, or said why it cannot start
        self._reader = threading.Thread(target=self._read, name="engine-reader", daemon=True)
        self._writer = threading.Thread(target=self._write, name="engine-writer", daemon=True)
        self._reader.start()
        self._writer.start()

    def is_alive(self) -> bool:
        """Whether its end has not been noticed yet."""
        with self._lock:  # once this says no, its end stands in `events`
            return not self._is_over

    def ask(self, request: Request) -> bool:
        """Have `request` sent; False where the process is over."""
        with self._lock:
            if self._is_over:
                return False
            if isinstance(request, Question):
                self._pending.ask(request)
            self._requests.put(request)
            return True

    def retire(self) -> None:
        """Close it in the background; from now on it says nothing but what it leaves undone."""
        with self._lock:
            self._expected = self._is_over = True
        threading.Thread(target=self.close, name="engine-closer", daemon=True).start()

    def close(self) -> None:
        """Close its standard input, which ends it, and kill it where that does not help."""
        self._expected = True
        self._requests.put(None)
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._reader.join(PATIENCE)

    def _write(self) -> None:
        assert self.process.stdin is not None
        try:
            while (request := self._requests.get()) is not None:
                self.process.stdin.write(encode(request))
                self.process.stdin.flush()
        except OSError:  # it is gone; the reader says so
            pass
        except Exception:  # what cannot be sent would be waited for
            self._kill()
        with suppress(OSError):
            self.process.stdin.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            try:
                while line := stream.readline(LONGEST_EVENT):
                    self._pass_on(line)
            except Exception:  # half a line, or a broken engine: whatever it is, its end is told
                self._kill()
        try:
            exit_code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            exit_code = self.process.wait()
        self._requests.put(None)  # the writer ends, too
        self._tell_end(exit_code)

    def _kill(self) -> None:
        """End an engine with which something is wrong, and say what in its log."""
        if not self._expected:
            with suppress(OSError), open_log(paths.engine_log(), append=True) as log:
                log.write(traceback.format_exc().encode(errors="replace"))
        self.process.kill()

    def _pass_on(self, line: bytes) -> None:
        event = decode(line)
        if isinstance(event, Question | Stop):
            raise ProtocolError("a request came back")
        with self._lock:
            if self._is_over:  # retired
                return
            self._pending.take(event)
            if isinstance(event, Failed) and event.id is None:
                self._expected = self._is_over = True  # it only has to go; `start` may begin anew
            self._events.put(event)

    def _tell_end(self, exit_code: int) -> None:
        with self._lock:
            self._is_over = True
            unanswered = self._pending.give_up()
            if not self._expected:
                self._events.put(Died(exit_code))
                return
            for id in unanswered:
                self._events.put(Failed(id, "The engine ended.", "Try again once it is ready."))
