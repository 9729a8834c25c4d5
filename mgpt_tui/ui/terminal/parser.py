"""What a terminal sends, read so that nothing is typed that nobody typed, and nothing fails.

Textual (8.2) takes a sequence that means nothing to it apart and types its characters, looks for
sequences inside a paste, and ends at numbers that it did not expect. Here a sequence is read to its
end first, as ECMA-48 says where that is, and then it has a meaning or it has none.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterable
from contextlib import suppress

from textual import constants, events, messages
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual._parser import ParseEOF, ParseTimeout, Peek1, Read1
from textual._xterm_parser import (
    BRACKETED_PASTE_END,
    BRACKETED_PASTE_START,
    FOCUSIN,
    FOCUSOUT,
    IS_ITERM,
    XTermParser,
    _re_cursor_position,
    _re_in_band_window_resize,
    _re_mouse_event,
    _re_terminal_mode_response,
)
from textual.events import Key
from textual.keys import Keys
from textual.message import Message

from mgpt_tui.text import clean_text
from mgpt_tui.ui.terminal.extended_keys import sound

ESC, BELL = "\x1b", "\x07"
LONGEST = 64
"""Characters of a control sequence; of a longer one the end alone is looked for."""
FAR = 10_000
"""No terminal has so many cells in a row or column."""
SILENCE = 0.5
"""Seconds after which that much of a paste is shown that has come."""
BETWEEN = 0.25
"""Seconds that may pass within a reply of the terminal."""

REPLY = re.compile(r"\]\d+;|P[\d;]*[!$+>|]|_G")
"""How a reply of the terminal begins, after its escape: OSC, DCS and APC."""
UNSURE = re.compile(r"\]\d*|P[\d;]*|_")
"""What may become that, or is a letter with alt and what was typed after it."""

PICTURES = {
    code: clean_text(chr(code))
    for code in (*range(0x20), *range(0x7F, 0xA0))
    if chr(code) not in "\t\n\r"
}
"""Controls in a paste are text like the rest of it."""

Reading = Generator[Read1 | Peek1, str, str]
Steps = Generator[Read1 | Peek1, str, None]


class SafeParser(XTermParser):
    """Reads what Textual's own parser reads, whole sequences at a time."""

    def __init__(self, debug: bool = False) -> None:
        self._again: list[str] = []  # characters to read before those to come, the last one first
        super().__init__(debug)

    def parse(self, token_callback: Callable[[Message], None]) -> Steps:
        """Parse what is fed, and hand out what it is."""
        self._hand_out = token_callback
        while True:
            with suppress(ParseTimeout, ParseEOF):
                character = yield from self._read()
                if character == ESC:
                    yield from self._escape()
                else:
                    self._press(self._sequence_to_key_events(character))

    def _read(self, patience: float | None = None) -> Reading:
        """The next character.

        Raises:
            ParseTimeout: after `patience` seconds without one.
            ParseEOF: at the end of the input.
        """
        if self._again:
            return self._again.pop()
        return (yield Read1(patience))

    def _unread(self, text: str) -> None:
        self._again += reversed(text)

    def _press(self, keys: Iterable[Key]) -> bool:
        """Hand out keys; whether there were any."""
        keys = list(keys)
        for key in keys:
            if key.key != Keys.Ignore:
                self._hand_out(key)
        return bool(keys)

    def _escape(self) -> Steps:
        """What follows an escape, be it the key or the beginning of a sequence."""
        try:
            character = yield from self._read(constants.ESCAPE_DELAY)
        except (ParseTimeout, ParseEOF):
            character = ""
        if character in ("", ESC):
            self._press([Key("escape", ESC)])
            self._unread(character)
        elif character == "[":
            yield from self._control_sequence()
        elif character == "O":
            yield from self._single_shift()
        elif character in "]P_":
            yield from self._reply(character)
        else:
            self._with_alt(character)

    def _with_alt(self, character: str) -> None:
        """A character after an escape: alt was held, or esc was pressed before."""
        if self._press(super()._sequence_to_key_events(ESC + character)):
            return
        keys = list(self._sequence_to_key_events(character))
        if character.isprintable():
            capital = "shift+" if character.isupper() else ""
            keys = [Key(f"alt+{capital}{key.key.lower()}", None) for key in keys]
        else:
            keys.insert(0, Key("escape", ESC))
        self._press(keys)

    # Sequences.

    def _control_sequence(self) -> Steps:
        """Read to the end of a control sequence; one that is cut means nothing."""
        sequence, character = f"{ESC}[", ""
        while not sequence[2:] or sequence == f"{ESC}[[" or not "@" <= character <= "~":
            character = yield from self._read(constants.ESCAPE_DELAY)
            if not " " <= character <= "~":
                self._unread(character)
                return
            if len(sequence) < LONGEST:
                sequence += character
            if sequence in ANSI_SEQUENCES_KEYS:  # that of rxvt may end on a `$`
                break
        if sequence == f"{ESC}[M":
            yield from self._old_mouse()
        elif sequence == BRACKETED_PASTE_START:
            yield from self._paste()
        elif sequence != BRACKETED_PASTE_END:
            self._understand(sequence)

    def _single_shift(self) -> Steps:
        sequence, character = f"{ESC}O", ""
        while not sequence[2:] or (character in "0123456789;" and len(sequence) < LONGEST):
            character = yield from self._read(constants.ESCAPE_DELAY)
            if not " " <= character <= "~":
                self._unread(character)
                return
            sequence += character
        self._understand(sequence)

    def _old_mouse(self) -> Steps:
        """Pass over three characters: the mouse as terminals told it before there was a number."""
        for _ in range(3):
            character = yield from self._read(constants.ESCAPE_DELAY)
            if character < " ":
                self._unread(character)
                return

    def _reply(self, introducer: str) -> Steps:
        """Pass over what the terminal answers to a question (of a program before this one)."""
        said = introducer
        with suppress(ParseTimeout, ParseEOF):
            while UNSURE.fullmatch(said):
                said += yield from self._read(constants.ESCAPE_DELAY)
        if not REPLY.fullmatch(said):
            self._with_alt(introducer)
            self._unread(said[1:])
            return
        character = " "
        while character.isprintable():
            character = yield from self._read(BETWEEN)
        if character == ESC:
            with suppress(ParseTimeout, ParseEOF):
                character += yield from self._read(constants.ESCAPE_DELAY)
        if character not in (BELL, f"{ESC}\\", "\x9c"):
            self._unread(character)

    def _understand(self, sequence: str) -> None:
        """Hand out what a whole sequence means, if anything."""
        if sequence in (FOCUSIN, FOCUSOUT):
            self._hand_out(events.AppFocus() if sequence == FOCUSIN else events.AppBlur())
        elif match := _re_in_band_window_resize.fullmatch(sequence):
            self._resize([int(group.partition(":")[0]) for group in match.groups()])
        elif match := _re_cursor_position.fullmatch(sequence):
            row, column = map(int, match.groups())
            self._hand_out(events.CursorPosition(column - 1, row - 1))
        elif self._press(self._sequence_to_key_events(sequence)):
            pass
        elif _re_mouse_event.fullmatch(sequence):
            event = self.parse_mouse_code(sequence)
            if isinstance(event, events.MouseEvent) and max(event.x, event.y) < FAR:
                self._hand_out(event)
        elif match := _re_terminal_mode_response.fullmatch(sequence):
            self._mode(match["mode_id"], int(match["setting_parameter"]))

    def _parse_extended_key(  # type: ignore[override]  # Textual's is cached
        self, sequence: str
    ) -> list[Key] | None:
        meant = sound(sequence)
        if meant is None:
            return None
        return super()._parse_extended_key(meant) if meant else [Key(Keys.Ignore, sequence)]

    def _resize(self, numbers: list[int]) -> None:
        height, width, pixel_height, pixel_width = numbers
        if not (0 < height < FAR and 0 < width < FAR):
            return
        pixels = (pixel_width, pixel_height) if pixel_width and pixel_height else None
        event = events.Resize.from_dimensions((width, height), pixels)
        self.terminal_size, self.terminal_pixel_size = event.size, event.pixel_size
        self.mouse_pixels = True
        self._hand_out(event)

    def _mode(self, id: str, setting: int) -> None:
        """The terminal says whether it knows a mode that it was asked about."""
        if id == "2026" and setting > 0:
            self._hand_out(messages.TerminalSupportsSynchronizedOutput())
        elif id == "2048" and constants.SMOOTH_SCROLL and not IS_ITERM:
            self._hand_out(messages.InBandWindowResize.from_setting_parameter(setting))

    # Pastes.

    def _paste(self) -> Steps:
        """Read a paste to its end.

        Where it stops for a while, what has come is handed out, and the rest as it comes. A lone
        escape then ends it: its end was lost, and without it no key would ever be heard again.
        """
        body: list[str] = []
        stopped, kept = False, 0
        patience: float | None = SILENCE
        while body[-1:] != ["~"] or "".join(body[-6:]) != BRACKETED_PASTE_END:
            try:
                body.append((yield from self._read(patience)))
                patience = SILENCE
            except ParseTimeout:
                text = "".join(body)
                if stopped and text[kept:] == ESC:
                    self._hand_out_paste(text[:kept])
                    self._press([Key("escape", ESC)])
                    return
                kept = _unfinished(text)
                self._hand_out_paste(text[: len(text) - kept])
                body, stopped, patience = body[len(text) - kept :], True, None
            except ParseEOF:
                break
        self._hand_out_paste("".join(body).removesuffix(BRACKETED_PASTE_END), last=not stopped)

    def _hand_out_paste(self, text: str, *, last: bool = False) -> None:
        if text or last:
            self._hand_out(events.Paste(text.translate(PICTURES)))


def _unfinished(body: str) -> int:
    """How many of the last characters may be the beginning of the paste's or of a line's end."""
    sizes = range(len(BRACKETED_PASTE_END) - 1, 0, -1)
    starts = (size for size in sizes if body.endswith(BRACKETED_PASTE_END[:size]))
    return next(starts, int(body.endswith("\r")))
