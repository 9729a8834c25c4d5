"""Pasted text that is text to the last byte.

Inside a bracketed paste Textual (8.2) still looks for escape sequences and turns those that it
does not know into key presses, so that pasted bytes could quit the app. Here every control
character inside a paste becomes its picture before the parser sees it, for the prompt and for
the fields of dialogs alike. Line ends and tabs stay.
"""

from __future__ import annotations

from mgpt_tui.text import clean_text

BEGIN, END = "\x1b[200~", "\x1b[201~"

PICTURES = {
    code: clean_text(chr(code))
    for code in (*range(0x20), *range(0x7F, 0xA0))
    if chr(code) not in "\t\n\r"
}


class PasteGuard:
    """Rewrites a terminal's input stream, read by read; markers may fall across two reads."""

    def __init__(self) -> None:
        self._inside = False
        self._seen = ""  # the end of what came outside, in which a marker may have begun
        self._held = ""  # the end of what came inside, which may be the marker's beginning

    def guard(self, data: str) -> str:
        """The same input with the control characters inside a paste made harmless."""
        safe = ""
        while data:
            step = self._in_paste if self._inside else self._outside
            part, data = step(data)
            safe += part
        return safe

    def _outside(self, data: str) -> tuple[str, str]:
        window = self._seen + data
        at = window.find(BEGIN)
        if at < 0:
            self._seen = window[1 - len(BEGIN) :]
            return data, ""
        cut = at + len(BEGIN) - len(self._seen)
        self._inside, self._seen = True, ""
        return data[:cut], data[cut:]

    def _in_paste(self, data: str) -> tuple[str, str]:
        body, end, rest = (self._held + data).partition(END)
        self._held = ""
        if end:
            self._inside = False
        else:
            sizes = range(min(len(body), len(END) - 1), 0, -1)
            size = next((size for size in sizes if END.startswith(body[-size:])), 0)
            body, self._held = body[: len(body) - size], body[len(body) - size :]
        return body.translate(PICTURES) + end, rest
