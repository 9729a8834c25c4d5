"""Lines of a text that fit a width, brought up to date where the text grows."""

from __future__ import annotations

from collections.abc import Iterator

from textual.content import Content

from mgpt_tui.stories.paragraphs import are_close

Line = tuple[int, int]
"""Start and end of a line in its text, in characters."""


class Wrapping:
    """The lines of a text, its paragraphs set apart.

    To wrap words looks at nothing before the line that it fills, and whether a paragraph is set
    apart from the one before is known once it has a word. So a text that grew is wrapped anew
    from its last line with words on, which costs the same however long it is.

    Attributes:
        text: the text.
        lines: its lines; blanks that fell at a line's end belong to none. An empty line that only
            sets paragraphs apart begins, and ends, where the next line begins.
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
        first = len(self.lines) - 1 if grown else 0
        while first and not text[slice(*self.lines[first])].strip():
            first -= 1
        start = self.lines[first][0] if first else 0
        self.text, self._width = text, width
        del self.lines[first:]
        self.lines += _wrapped(text, start, width)
        return first

    def sets_apart(self, line: int) -> bool:
        """Whether a line is an empty one that stands in no text."""
        following = self.lines[line + 1 : line + 2]
        return bool(following) and following[0][0] == self.lines[line][0]


def _wrapped(text: str, start: int, width: int) -> Iterator[Line]:
    """The lines from a character on, which a line with words begins at, or else the text."""
    before = ""
    for paragraph in text[start:].split("\n"):
        if are_close(before, paragraph):
            yield start, start
        before, at = paragraph, 0
        # A tab counts as the one cell that it is shown as.
        shown = paragraph.replace("\t", " ")
        for line in Content(shown).wrap(max(2, width)) or [Content("")]:
            plain = line.plain
            at = max(at, shown.find(plain, at))
            yield start + at, start + at + len(plain)
            at += len(plain)
        start += len(paragraph) + 1
