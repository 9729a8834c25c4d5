"""Textual's driver of a Unix terminal, which leaves when the terminal does."""

from __future__ import annotations

import codecs
import fcntl
import os
import selectors
import signal
import struct
import sys
import termios
import time
import tty
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from textual.app import App
from textual.drivers.linux_driver import LinuxDriver

from mgpt_tui.ui.terminal.parser import SafeParser
from mgpt_tui.ui.terminal.writer import Writer

LOOK_EVERY = 0.1
"""Seconds between two looks whether an escape stays alone, or reading is to end."""


class RoomDriver(LinuxDriver):
    """Reads by `SafeParser`, writes by `Writer`; a terminal that is gone is a way to quit."""

    def __init__(self, app: App[Any], **options: Any) -> None:
        super().__init__(app, **options)
        if self._size is None:
            # Where the terminal has none to tell, Rich takes another, and the app, which begins
            # with that, would be resized from the one to the other without end.
            self._size = self._get_terminal_size()
        self._writer: Writer | None = None
        self._leaving = False
        self._standing = False
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, self._leave)

    # Leaving.

    def _leave(self, *_: object) -> None:
        """Quit the app, whatever it waits for; for signals and other threads."""
        self._leaving = True
        if self._writer is not None:
            self._writer.hurry()
        self._soon(self._app.exit)

    def _soon(self, do: Callable[..., object], *arguments: object) -> None:
        with suppress(RuntimeError):  # the app has left already, and is keeping the story
            self._loop.call_soon_threadsafe(do, *arguments)

    # Writing.

    def start_application_mode(self) -> None:
        """Take the terminal over; nothing is written before keys come as they are typed."""
        assert sys.__stderr__ is not None
        self._writer = Writer(sys.__stderr__, self._leave)
        super().start_application_mode()  # type: ignore[no-untyped-call]
        self._writer.start()

    def write(self, data: str) -> None:
        """Write to the terminal, in the order of the calls."""
        assert self._writer is not None, "The terminal must be taken over first."
        self._writer.write(data)

    def close(self) -> None:
        """Have everything written that waits."""
        super().close()  # Textual's own writer, which had nothing to write
        if self._writer is not None:
            self._writer.stop()

    # Reading.

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except Exception as error:
            from rich.traceback import Traceback

            failure = Traceback.from_exception(type(error), error, error.__traceback__)
            self._soon(self._app.panic, failure)

    def run_input_thread(self) -> None:
        """Hand on what is typed, until the app asks to end or the terminal is gone."""
        parser = SafeParser(self._debug)
        cooked = self._typed_before()
        decode = codecs.getincrementaldecoder("utf-8")(errors="replace").decode
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(LOOK_EVERY):
                    try:
                        data = os.read(self.fileno, 4096)
                    except OSError:
                        data = b""
                    if not data:
                        self._leave()
                        return
                    data = data[:cooked].replace(b"\n", b"\r") + data[cooked:]
                    cooked = max(0, cooked - len(data))
                    text = decode(data)
                    events = parser.feed(text) if text else ()
                else:  # nothing waits to be read, so a key that may be complete is
                    events = parser.tick()
                for event in events:
                    self.process_message(event)

    def _typed_before(self) -> int:
        """How many bytes wait from before the terminal was taken over.

        They were typed while the terminal made a line feed of what the enter key sends (ICRNL in
        termios), and it is enter that is meant.
        """
        if self.attrs_before is None or not self.attrs_before[tty.IFLAG] & termios.ICRNL:
            return 0
        with suppress(OSError):
            (waiting,) = struct.unpack("i", fcntl.ioctl(self.fileno, termios.FIONREAD, bytes(4)))
            return int(waiting)
        return 0

    # Standing still: SIGTSTP, and SIGCONT after it or after SIGSTOP.

    def _sigtstp_application(self, *_: object) -> None:
        self._soon(self._stand_still)

    def _sigcont_application(self, *_: object) -> None:
        if self._standing:
            self._standing = False
        elif not self._leaving:  # SIGCONT comes with the SIGHUP of a terminal that is gone
            self._soon(self._take_over_again)

    def _stand_still(self) -> None:
        """Give the terminal back, stop, and take it over again when the shell says so."""
        self.suspend_application_mode()
        self._standing = True
        os.kill(os.getpid(), signal.SIGSTOP)
        while self._standing:
            time.sleep(0.01)
        self._must_signal_resume = True
        self.resume_application_mode()

    def _take_over_again(self) -> None:
        """After SIGSTOP, which left no time to give the terminal back."""
        if self._leaving:
            return
        self.suspend_application_mode()
        self._must_signal_resume = True
        self.resume_application_mode()
