"""Lines of a text that fit a width, brought up to date where the text grows."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content

Line = tuple[int, int]
"""Start and end of a line in its text, in characters."""


class Wrapping:
    """The lines of a text.

    To wrap words looks at nothing before the line that it fills. So a text that grew is wrapped
    anew from its last line on, which costs the same however long it is.

    Attributes:
        text: the text.
        lines: its lines; blanks that fell at a line's end belong to none.
    """

    def __init__(self) -> None:
        self.text = ""
        self.lines: list[Line] = [(0, 0)]
        self._width = 0

    def wrap(self, text: str, width: int) -> int:
        """Take in a text and a width in cells; gives the first line that may be another now."""
        if width == self._width and text == self.text:
            return len(self.lines)
        grown = width == self._width and text.startswith(self.text)
        start = self.lines[-1][0] if grown else 0
        first = len(self.lines) - 1 if grown else 0
        self.text, self._width = text, width
        del self.lines[first:]
        self.lines += _wrapped(text, start, width)
        return first


def _wrapped(text: str, start: int, width: int) -> Iterator[Line]:
    """The lines from a character on."""
    for paragraph in text[start:].split("\n"):
        at = 0
        # A tab counts as the one cell that it is shown as.
        shown = paragraph.replace("\t", " ")
        for line in Content(shown).wrap(max(2, width)) or [Content("")]:
            plain = line.plain
            at = max(at, shown.find(plain, at))
            yield start + at, start + at + len(plain)
            at += len(plain)
        start += len(paragraph) + 1
