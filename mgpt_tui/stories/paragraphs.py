"""Paragraphs, set apart by an empty line for whoever reads them.

A line of a story is a paragraph, and where one begins on the very next line the two run together.
The text itself, which the model reads, stays as it was written.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import pairwise

from mgpt_tui.stories.diff import Stretch, unchanged


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

    The empty lines that only setting apart had put in are left out where they stand as they were,
    or between paragraphs that were changed and are as many; so what nobody changed is the text
    again, and set apart the result reads as the writer left it.
    """
    put_in = set(_put_in(text))
    left_out = [new for old, new in _staying(apart(text), changed) if old in put_in]
    starts, ends = [0, *(place + 1 for place in left_out)], [*left_out, len(changed)]
    return "".join(changed[start:end] for start, end in zip(starts, ends, strict=True))


def _put_in(text: str) -> Iterator[int]:
    """The characters of `apart(text)` that are empty lines which the text has not, in order."""
    at = 0
    for line, following in pairwise(text.split("\n")):
        at += len(line) + 1
        if are_close(line, following):
            yield at
            at += 1


def _staying(old: str, new: str) -> Iterator[tuple[int, int]]:
    """Where the empty lines that `apart` puts in stand in a text and in what became of it."""
    olds, news = _needless(old), _needless(new)
    needless = set(news)
    was = now = 0  # how far both are read
    for begin, at, length in [*unchanged(old, new), Stretch(len(old), len(new), 0)]:
        gone, come = _within(olds, was, begin), _within(news, now, at)
        if len(gone) == len(come):
            yield from zip(gone, come, strict=True)
        was, now = begin + length, at + length
        for place in _within(olds, begin, was):
            if place + at - begin in needless:
                yield place, place + at - begin


def _needless(text: str) -> list[int]:
    """The characters of a text that are empty lines which `apart` would put in by itself."""
    places, at = [], 0
    lines = text.split("\n")
    for before, line, following in zip(lines, lines[1:], lines[2:], strict=False):
        at += len(before) + 1
        if not line and are_close(before, following):
            places.append(at)
    return places


def _within(places: list[int], start: int, end: int) -> list[int]:
    return places[bisect_left(places, start) : bisect_left(places, end)]
