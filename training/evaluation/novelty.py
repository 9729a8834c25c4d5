"""How much of a text stands in the training text too, so that parroting shows.

The completions are few and the training text may be huge, so the completions are indexed and
the training text streams by: memory does not grow with it, and nothing is rounded or hashed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from training.evaluation.measures import Words

Ids = NDArray[np.int64]

GRAM = 5
"""Length of the n-grams whose share is told: shorter ones are common property."""

LONGEST = 250
"""Longer runs than that are told as so long: a text that is copied whole shows well enough."""

BREAK = -1
"""Stands between texts and for words that no completion has: no run goes across it."""

PORTION = 2**20
"""About so many words of the training text are looked at together."""


@dataclass(frozen=True, slots=True)
class Novelty:
    """What of one completion was found in the training text.

    Attributes:
        longest: its longest run of words that stands in a training story, without a gap; of one
            longer than `LONGEST`, so many words.
        known_share: share of its 5-grams that do; 0.0 where it has none.
    """

    longest: tuple[str, ...]
    known_share: float


class _Level:
    """All runs of `length` words of the completions, numbered.

    A run is told by the number of its first `length - 1` words, one level below, and its last
    word; so each is an exact pair of numbers, never a hash.
    """

    def __init__(self, length: int, before: Ids, last: Ids, vocabulary: int) -> None:
        self.length = length
        self.places = np.flatnonzero((before >= 0) & (last >= 0))  # where runs begin
        pairs = before[self.places] * vocabulary + last[self.places]
        self.pairs, numbers = np.unique(pairs, return_inverse=True)
        self.seen = np.zeros(len(self.pairs), dtype=bool)
        self.numbers = np.full(len(before), BREAK, dtype=np.int64)
        self.numbers[self.places] = numbers

    def look_up(self, pairs: Ids) -> Ids:
        """The number of each pair's run, BREAK where the completions have none such."""
        at = np.searchsorted(self.pairs, pairs)
        at[at == len(self.pairs)] = 0
        return np.where(self.pairs[at] == pairs, at, BREAK)


class SharedRuns:
    """Finds what completions share with texts that stream by.

    Args:
        completions: the words of each, at least one completion.
    """

    def __init__(self, completions: Sequence[Words]) -> None:
        self._completions = completions
        self._ids: dict[str, int] = {}
        for word in chain.from_iterable(completions):
            self._ids.setdefault(word, len(self._ids))
        self._text = self._numbered(completions)
        # Level 0 has one run, the empty one, everywhere.
        self._levels = [self._next_level(0, np.zeros(len(self._text), dtype=np.int64))]

    def read(self, texts: Iterable[Words]) -> None:
        """Look through more of the training text."""
        gathered: list[Words] = []
        size = 0
        for text in texts:
            gathered.append(text)
            size += len(text)
            if size >= PORTION:
                self._read(self._numbered(gathered))
                gathered, size = [], 0
        if gathered:
            self._read(self._numbered(gathered))

    def results(self) -> Iterator[Novelty]:
        """What has been found so far, for each completion."""
        start = 0
        for text in self._completions:
            end = start + len(text)
            yield Novelty(self._longest(text, start, end), self._known_share(start, end))
            start = end + 1  # the BREAK between them

    def _read(self, text: Ids) -> None:
        """Follow every run of the completions through a portion, a word longer at each level."""
        places = np.flatnonzero(text != BREAK)  # where a shared run may begin
        runs = np.zeros(len(places), dtype=np.int64)
        length = 0
        while len(places) and length < LONGEST:
            if length == len(self._levels):
                self._levels.append(self._next_level(length, self._levels[-1].numbers))
            level = self._levels[length]
            if not len(level.pairs):
                return
            last = text[places + length]
            found = np.where(last == BREAK, BREAK, level.look_up(runs * self._words + last))
            kept = found != BREAK
            places, runs = places[kept], found[kept]
            level.seen[runs] = True
            length += 1

    @property
    def _words(self) -> int:
        return max(1, len(self._ids))

    def _next_level(self, length: int, before: Ids) -> _Level:
        """The runs of `length + 1` words, from the numbers of those of `length`."""
        last = np.full(len(self._text), BREAK, dtype=np.int64)
        last[: len(self._text) - length] = self._text[length:]
        return _Level(length + 1, before, last, self._words)

    def _numbered(self, texts: Sequence[Words]) -> Ids:
        """The texts' words as numbers, a BREAK after each text."""
        numbers = [
            self._ids.get(word, BREAK) if word is not None else BREAK
            for text in texts
            for word in (*text, None)
        ]
        return np.array(numbers, dtype=np.int64)

    def _longest(self, text: Words, start: int, end: int) -> tuple[str, ...]:
        for level in reversed(self._levels):
            inside = level.places[(level.places >= start) & (level.places < end)]
            seen = inside[level.seen[level.numbers[inside]]]
            if len(seen):
                at = int(seen[0]) - start
                return tuple(text[at : at + level.length])
        return ()

    def _known_share(self, start: int, end: int) -> float:
        if len(self._levels) < GRAM:  # nothing so long was found in any of them
            return 0.0
        level = self._levels[GRAM - 1]
        numbers = level.numbers[start:end]
        numbers = numbers[numbers != BREAK]
        return float(level.seen[numbers].mean()) if len(numbers) else 0.0
