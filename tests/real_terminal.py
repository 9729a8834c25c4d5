"""A program in a terminal of its own: a child process, and whoever holds the other end."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from contextlib import suppress

import pyte

from tests.waiting import until

ROOM = """
import fcntl, signal, sys, termios

for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):  # which may be ignored here
    signal.signal(number, signal.SIG_DFL)
if "controlling" in sys.argv:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)

from mgpt_tui.ui.app import WritingRoom
from tests.ui.conftest import FakeEngine

room = WritingRoom(FakeEngine(), "storyteller")
if "fail" in sys.argv:
    from mgpt_tui.ui.terminal import driver
    def fail(self, *_):
        raise RuntimeError("the parser failed")
    driver.SafeParser.feed = fail
room.open()
room.finish()
sys.exit(room.return_code)
"""


def read_all(leader: int) -> bytes:
    """What is written to a terminal until nobody has it open; one read gives a part at most."""
    parts = []
    with suppress(OSError):  # which is how its end is told
        while part := os.read(leader, 1 << 16):
            parts.append(part)
    return b"".join(parts)


class Terminal:
    """A terminal with a program in it.

    Args:
        arguments: for Python.
        size: columns and rows.
        term: what the program is told that the terminal is.

    Attributes:
        process: the program.
        leader: the terminal's own end, a descriptor.
        drawn: all that the program has written.
    """

    def __init__(
        self, *arguments: str, size: tuple[int, int] = (80, 24), term: str = "xterm-256color"
    ) -> None:
        self.leader, follower = pty.openpty()
        fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", *reversed(size), 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, *arguments],
            stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
            env=os.environ | {"TERM": term},
        )  # fmt: skip
        os.close(follower)
        self.drawn = b""
        columns, rows = size if all(size) else (80, 24)
        self._cells = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._cells)

    @classmethod
    def with_room(
        cls, *arguments: str, controlling: bool = False, size: tuple[int, int] = (80, 24)
    ) -> Terminal:
        """The app with an engine that only pretends.

        Args:
            controlling: whether the app hears by SIGHUP that the terminal is gone.
            arguments: "fail" for an app whose reading fails.
            size: columns and rows.
        """
        return cls("-c", ROOM, *arguments, *["controlling"] * controlling, size=size)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        """The terminal goes."""
        if self.leader >= 0:
            os.close(self.leader)
        self.leader = -1

    @property
    def screen(self) -> str:
        """What there is to see."""
        return "\n".join(line.rstrip() for line in self._cells.display)

    @property
    def echoes(self) -> bool:
        """Whether the terminal itself shows what is typed, as it does where no app has it."""
        return bool(termios.tcgetattr(self.leader)[3] & termios.ECHO)

    def forget(self) -> None:
        """Wipe the screen, and forget what was written."""
        self._cells.reset()
        self.drawn = b""

    def send(self, data: str | bytes) -> None:
        """Type that."""
        os.write(self.leader, data.encode() if isinstance(data, str) else data)

    def until(self, holds: Callable[[], object], what: str) -> None:
        """Read what the program writes until something holds."""

        def read_and_look() -> bool:
            self._read()
            return bool(holds())

        until(read_and_look, what, lambda: f"{self.screen}\n{self.drawn[-1000:]!r}")

    def _read(self) -> None:
        if self.leader < 0 or not select.select([self.leader], [], [], 0.05)[0]:
            return
        try:
            data = os.read(self.leader, 1 << 16)
        except OSError:  # nobody holds the other end
            data = b""
        if not data:
            self.close()
        self.drawn += data
        self._stream.feed(data)

    def sees(self, *words: str) -> None:
        """Wait until all of that stands on the screen at once."""
        self.until(lambda: all(word in self.screen for word in words), f"{words} on the screen")

    def takes_over(self) -> None:
        """Wait until the program has taken the screen."""
        self.until(lambda: b"\x1b[?1049h" in self.drawn, "a screen that is taken over")

    def stops(self) -> None:
        """Wait until the process stands still."""

        def stopped() -> bool:
            pid, status = os.waitpid(self.process.pid, os.WUNTRACED | os.WNOHANG)
            return bool(pid) and os.WIFSTOPPED(status)

        self.until(stopped, "the process to stop")

    def ends(self) -> int:
        """Wait until the process has ended and all that it wrote is read; its exit code."""
        self.until(lambda: self.process.poll() is not None, "the process to end")
        self.until(lambda: self.leader < 0, "the last of what it wrote")
        return int(self.process.returncode)
