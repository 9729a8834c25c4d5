"""What a terminal sends, read so that nothing is typed that nobody typed.

Textual (8.2) takes an escape sequence that means nothing to it apart and types its characters;
a byte that is no UTF-8 ends it. Both are mended here, at the two names that its driver makes its
parser and its decoder by.
"""

from __future__ import annotations

import codecs
import importlib
import re
import sys
from collections.abc import Callable, Generator, Iterable
from functools import partial

from textual._parser import Peek1, Read1
from textual._xterm_parser import XTermParser
from textual.events import Key
from textual.message import Message

from mgpt_tui.ui.paste import PasteGuard

ESC = "\x1b"

COMMAND = re.compile(r"\x1b(\[[0-?]*[ -/]*[@-~]?|O.?)")
"""A control sequence, or the beginning of one: ECMA-48, 5.4."""


class SafeParser(XTermParser):
    """Textual's parser behind a `PasteGuard`, which types no part of an escape sequence."""

    def __init__(self, debug: bool = False) -> None:
        super().__init__(debug)
        self._guard = PasteGuard()
        self._apart = ""  # how much of a sequence Textual has taken apart

    def parse(
        self, token_callback: Callable[[Message], None]
    ) -> Generator[Read1 | Peek1, str, None]:
        """Parse what is fed, and hand out what it is."""
        self._hand_out = token_callback
        return super().parse(token_callback)

    def feed(self, data: str) -> Iterable[Message]:
        """Parse what a read brought; an empty string is the end of input."""
        safe = self._guard.guard(data)
        if data and not safe:
            return ()
        return super().feed(safe)

    def _sequence_to_key_events(self, sequence: str, alt: bool | None = None) -> Iterable[Key]:
        """The keys of a sequence, or of one character of a sequence that Textual takes apart.

        Only for the latter it says whether that is the one after the escape (`alt`), or gives
        the escape too, and makes a `^` of that: where the next escape came within the time in
        which a sequence goes on, as it does when alt and a letter are held.
        """
        if alt is None:
            return super()._sequence_to_key_events(sequence)
        if alt or sequence == ESC:
            self._apart = ESC
        if sequence == ESC:
            return ()
        self._apart += sequence
        if COMMAND.fullmatch(self._apart):
            return ()
        keys = super()._sequence_to_key_events(sequence)
        return keys if len(self._apart) > 2 else self._after_escape(sequence, keys)

    def _after_escape(self, character: str, keys: Iterable[Key]) -> Iterable[Key]:
        """The keys of a character after an escape: alt was held, or esc was pressed before."""
        if not character.isprintable():
            self._hand_out(Key("escape", ESC))  # given back, Textual might make a `^` of it
            return keys
        capital = "shift+" if character.isupper() else ""
        return tuple(Key(f"alt+{capital}{key.key.lower()}", None) for key in keys)


def forgiving(encoding: str) -> Callable[[], codecs.IncrementalDecoder]:
    """As `codecs.getincrementaldecoder`, but what cannot be decoded is U+FFFD."""
    return partial(codecs.getincrementaldecoder(encoding), errors="replace")


def guard_input() -> None:
    """Have Textual's driver for this platform read as this module does.

    It makes its parser and its decoder by itself, by the names that it imported, so those are
    replaced. On Windows the console gives text, not bytes.
    """
    windows = sys.platform == "win32"
    driver = importlib.import_module(f"textual.drivers.{'win32' if windows else 'linux_driver'}")
    driver.XTermParser = SafeParser  # type: ignore[attr-defined]
    if not windows:
        driver.getincrementaldecoder = forgiving  # type: ignore[attr-defined]
