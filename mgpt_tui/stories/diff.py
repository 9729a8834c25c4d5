"""What of an edited text stands as it was: a diff in words.

The words that stay are a longest common subsequence of those of both texts, so that no reading of
an edit leaves more of them. What lies between words stays as far as it is the same right behind
a word that stays, and right before one.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from functools import cache
from typing import NamedTuple

MOST = 400_000_000
"""Words of one text times words of the other that are compared at once; it takes 50 MB."""


@cache  # when texts are compared: it takes longer than all else that is imported here
def _word() -> re.Pattern[str]:
    """A letter of a script without blanks between words, from U+2E80 on, is a word by itself."""
    return re.compile(r"[^\W\u2e80-\U0003ffff]+(?:['\u2019][^\W\u2e80-\U0003ffff]+)*|\w")


class Stretch(NamedTuple):
    """A piece of text that stands in both.

    Attributes:
        old: where it begins in the old text.
        new: where it begins in the new one.
        length: in characters, at least 1.
    """

    old: int
    new: int
    length: int


Pairs = list[tuple[int, int]]
"""Places in two sequences at which both have the same, in order."""


def unchanged(old: str, new: str) -> list[Stretch]:
    """What stands in both texts, in order; no two lie together in both."""
    olds, news = _Words(old), _Words(new)
    stretches: list[Stretch] = []
    was = now = 0  # how far both are read
    for i, j in [*_paired(olds, news), (len(olds.words), len(news.words))]:
        before, after = old[was : olds.starts[i]], new[now : news.starts[j]]
        head, tail = _ends(before, after)
        word = olds.words[i] if i < len(olds.words) else ""
        _add(stretches, Stretch(was, now, head))
        was, now = olds.starts[i], news.starts[j]
        _add(stretches, Stretch(was - tail, now - tail, tail + len(word)))
        was, now = was + len(word), now + len(word)
    return stretches


class _Words:
    """A text's words.

    Attributes:
        words: what they are.
        starts: where each begins, and then the end of the text.
        paragraphs: the number of each paragraph's first word, and then how many words there are.
    """

    def __init__(self, text: str) -> None:
        found = list(_word().finditer(text))
        self.words = [match.group() for match in found]
        self.starts = [*(match.start() for match in found), len(text)]
        ends = [0, *(match.end() for match in found)]
        numbers = range(1, len(found))
        breaks = (number for number in numbers if "\n" in text[ends[number] : self.starts[number]])
        self.paragraphs = [0, *breaks, len(found)]

    def paragraph(self, number: int) -> tuple[str, ...]:
        """The words of a paragraph."""
        return tuple(self.words[self.paragraphs[number] : self.paragraphs[number + 1]])


def _paired(old: _Words, new: _Words) -> Pairs:
    """The words that stay; of texts that differ too much, first the paragraphs that do."""
    pairs = _longest(old.words, new.words)
    if pairs is not None:
        return pairs
    olds = [old.paragraph(number) for number in range(len(old.paragraphs) - 1)]
    news = [new.paragraph(number) for number in range(len(new.paragraphs) - 1)]
    pairs, was, now = [], 0, 0
    for i, j in [*(_longest(olds, news) or ()), (len(olds), len(news))]:
        first, second = old.paragraphs[i], new.paragraphs[j]
        between = _longest(old.words[was:first], new.words[now:second]) or ()
        pairs += ((was + a, now + b) for a, b in between)
        same = len(olds[i]) if i < len(olds) else 0
        pairs += zip(range(first, first + same), range(second, second + same), strict=True)
        was, now = first + same, second + same
    return pairs


def _longest(old: Sequence[Hashable], new: Sequence[Hashable]) -> Pairs | None:
    """A longest common subsequence, or None where it would take too much.

    A row of the table is the bits of a number: a 0 where the subsequence grows by a place of
    `new` (Crochemore et al. 2001, "A fast and practical bit-vector algorithm for the longest
    common subsequence problem").
    """
    head = _same(old, new)
    tail = min(_same(old[::-1], new[::-1]), min(len(old), len(new)) - head)
    i, j = len(old) - head - tail, len(new) - head - tail
    if i * j > MOST:
        return None
    places: dict[Hashable, int] = {}
    for place, word in enumerate(new[head : head + j]):
        places[word] = places.get(word, 0) | 1 << place
    row = everywhere = (1 << j) - 1
    rows = [row]
    for word in old[head : head + i]:
        grown = row & places.get(word, 0)
        row = ((row + grown) | (row - grown)) & everywhere
        rows.append(row)
    pairs = [(len(old) - back, len(new) - back) for back in range(1, tail + 1)]
    while i and j:
        if rows[i] >> (j - 1) & 1:
            j -= 1
        else:
            i -= 1
            if rows[i] >> (j - 1) & 1:
                j -= 1
                pairs.append((head + i, head + j))
    pairs += ((place, place) for place in reversed(range(head)))
    return pairs[::-1]


def _same(old: Sequence[Hashable], new: Sequence[Hashable]) -> int:
    """How many places at the beginning of two sequences have the same."""
    pairs = enumerate(zip(old, new, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(old), len(new)))


def _ends(old: str, new: str) -> tuple[int, int]:
    """How much is the same at the beginning and at the end of what is between words that stay.

    Blanks go with what follows them, as in most tokens.
    """
    if old == new:
        return len(old), 0
    blanks = _common(old[::-1], new[::-1], blank=True)
    old, new = old[: len(old) - blanks], new[: len(new) - blanks]
    head = _common(old, new)
    return head, blanks + _common(old[head:][::-1], new[head:][::-1])


def _common(old: str, new: str, *, blank: bool = False) -> int:
    """How many characters at the beginning of two texts are the same and of no word."""
    same = _same(old, new)
    kind = str.isspace if blank else lambda character: not _word().match(character)
    return next((at for at in range(same) if not kind(old[at])), same)


def _add(stretches: list[Stretch], more: Stretch) -> None:
    """Add a stretch, to the last one where it goes on from that."""
    last = stretches[-1] if stretches else Stretch(0, 0, 0)
    if (last.old + last.length, last.new + last.length) == more[:2]:
        more = Stretch(last.old, last.new, last.length + more.length)
        del stretches[-1:]
    if more.length:
        stretches.append(more)
