"""Paragraphs, set apart by an empty line for whoever reads them.

A line of a story is a paragraph, and where one begins on the very next line the two run together.
The text itself, which the model reads, stays as it was written.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise

from mgpt_tui.stories.diff import unchanged


def are_close(line: str, following: str) -> bool:
    """Whether two lines, one right behind the other, are paragraphs that nothing sets apart."""
    return bool(line.strip() and following.strip())


def apart(text: str) -> str:
    """A text with an empty line between any two of its paragraphs; all else stays as it is."""
    lines = text.split("\n")
    return (
        "".join(
            f"{line}\n\n" if are_close(line, following) else f"{line}\n"
            for line, following in pairwise(lines)
        )
        + lines[-1]
    )


def together(text: str, changed: str) -> str:
    """What a writer's change of `apart(text)` makes of the text.

    The empty lines that only setting apart had put in are left out where they stand as they were;
    so what nobody changed is the text again, and set apart the result reads as the writer left it.
    """
    put_in = _put_in(text)
    kept = (
        new + place - old
        for old, new, length in unchanged(apart(text), changed)
        for place in put_in[bisect_left(put_in, old) : bisect_left(put_in, old + length)]
    )
    needless = _needless(changed)
    left_out = [place for place in kept if place in needless]
    starts, ends = [0, *(place + 1 for place in left_out)], [*left_out, len(changed)]
    return "".join(changed[start:end] for start, end in zip(starts, ends, strict=True))


def _put_in(text: str) -> list[int]:
    """The characters of `apart(text)` that are empty lines which the text has not, in order."""
    places, at = [], 0
    for line, following in pairwise(text.split("\n")):
        at += len(line) + 1
        if are_close(line, following):
            places.append(at)
            at += 1
    return places


def _needless(text: str) -> set[int]:
    """The characters of a text that are empty lines which `apart` would put in by itself."""
    places, at = set(), 0
    lines = text.split("\n")
    for before, line, following in zip(lines, lines[1:], lines[2:], strict=False):
        at += len(before) + 1
        if not line and are_close(before, following):
            places.add(at)
    return places
