"""Where in a story stands what was searched for."""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from mgpt_tui.text import folded

BEFORE = 24
"""Characters of the line that are shown before the first word that was searched for."""
TOGETHER = 60
"""Characters in which as many of the words as there may be are to stand."""
LONGEST = 200
"""Characters of a passage."""
MOST = 100
"""Places of a word that are looked at in a line."""
LONG_LINE = 20_000
"""Characters of a line in which a place is found exactly, whatever its letters are."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a line that holds what was searched for.

    Attributes:
        text: the piece, with … where the line goes on.
        marks: start and end in it of every word that was searched for.
    """

    text: str
    marks: tuple[tuple[int, int], ...]


def passage(text: str, written: str, words: Sequence[str]) -> Passage | None:
    """The first of the lines that hold most of the words; None where none holds any.

    Args:
        text: the story.
        written: the same, folded.
        words: what was searched for, folded.
    """
    lines = written.split("\n")
    held = [sum(word in line for word in words) for line in lines]
    most = max(held, default=0)
    if not most:
        return None
    at = held.index(most)
    return _cut(text.split("\n")[at].replace("\t", " "), lines[at].replace("\t", " "), words)


def _cut(line: str, written: str, words: Sequence[str]) -> Passage:
    """The piece of a line in which most of the words stand together."""
    spans = sorted({span for word in words for span in _spans(line, written, word)})

    def together(start: int) -> int:
        inside = (line[a:b] for a, b in spans if start <= a < start + TOGETHER)
        return len({folded(word) for word in inside})

    start = max((a for a, _ in spans), key=lambda a: (together(a), -a), default=0)
    begin = max(0, start - BEFORE)
    if begin:
        begin += next((at + 1 for at, char in enumerate(line[begin:start]) if char.isspace()), 0)
    end = begin + LONGEST
    lead = "…" if begin else ""
    move = len(lead) - begin
    return Passage(
        f"{lead}{line[begin:end]}{'…' if end < len(line) else ''}",
        tuple((a + move, b + move) for a, b in spans if begin <= a and b <= end),
    )


def _spans(line: str, written: str, word: str) -> Iterator[tuple[int, int]]:
    """Where a word stands in a line, found in the folded one, which may be longer or shorter."""
    is_same = line.isascii() or len(line) > LONG_LINE

    def place(at: int) -> int:
        if is_same:
            return at
        place = bisect_left(range(len(line)), at, key=lambda end: len(folded(line[:end])))
        while place < len(line) and unicodedata.combining(line[place]):
            place += 1
        return place

    for found in islice(re.finditer(re.escape(word), written), MOST):
        start, end = map(place, found.span())
        if folded(line[start:end]) == word:  # not half of a letter, as s is of ß
            yield start, end
