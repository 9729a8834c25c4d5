"""What if another word had stood there, and where in the model it would have mattered.

What if: the same text with something changed in it, and by how many bits every later token is more
surprising for it.

Causal tracing goes on from there (Meng et al., "Locating and Editing Factual Associations in GPT",
2022): the changed text is read, but at one station and one token the residual stream of the
original is put in place. How much of the change that undoes,

    (log p(restored) - log p(changed)) / (log p(original) - log p(changed)),

is 1 where all that makes the difference passes through that one place, and 0 where nothing does.
It can be above 1 and below 0. What is put at a token reaches later ones through attention alone, so
behind the last attention it changes nothing but the last token.

In gpt.py: what a `Hook` returns for "stream" is used.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.record import Begin, Floats
from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.experiments import Column
from mgpt_tui.inference.inspection.surprise import Numbers, logprobs_of
from mgpt_tui.inference.inspection.window import Reading


@dataclass(frozen=True, slots=True)
class Change:
    """Where two texts differ; what is before and behind is the same.

    Attributes:
        first: number of the first token that differs.
        end: number of the one behind the last, in the original.
        shift: how many tokens more the changed text has.
    """

    first: int
    end: int
    shift: int


def change(original: Sequence[int], changed: Sequence[int]) -> Change:
    """Where two texts differ, `<|endoftext|>` in front of both.

    Raises:
        UserError: where they are the same.
    """
    if tuple(original) == tuple(changed):
        raise UserError("The two texts are the same.", "Put another word in place of one.")
    shorter = min(len(original), len(changed))
    pairs = zip(original, changed, strict=False)
    first = next((at for at, (a, b) in enumerate(pairs) if a != b), shorter)
    same = 0
    while same < shorter - first and original[-1 - same] == changed[-1 - same]:
        same += 1
    return Change(first, len(original) - same, len(changed) - len(original))


def added_bits(reading: Reading, changed: Reading) -> tuple[Change, Numbers]:
    """By how many bits each token behind a change is more surprising for it.

    Args:
        reading: the original text.
        changed: the other.

    Returns:
        Where they differ, and a number for each token from `Change.end` on.
    """
    found = change(reading.tokens, changed.tokens)
    before = _logprobs(reading, found.end)
    after = _logprobs(changed, found.end + found.shift)
    return found, (before - after) * BITS


def _logprobs(reading: Reading, first: int) -> Numbers:
    """Of all tokens from number `first` on."""
    parts = [np.empty(0)]
    for numbers in reading.chosen():
        numbers = range(max(numbers.start, first), numbers.stop)
        if numbers:
            came = reading.tokens[numbers.start : numbers.stop]
            parts.append(logprobs_of(reading.logits(numbers), came))
    return np.concatenate(parts)


class Trace:
    """Causal tracing of a change's effect on the chance of one token.

    Args:
        reading: the original text.
        changed: tokens of the other, as many.
        number: of the token whose choice is asked for, behind the change.
        target: the token whose chance is traced.

    Attributes:
        original, changed: its log-probability in both texts, in nats.
        first: number of the first token that differs.

    Raises:
        UserError: where the texts are the same or not of one length, or the choice is not behind
            the change, in a window that has it.
    """

    def __init__(self, reading: Reading, changed: Sequence[int], number: int, target: int) -> None:
        found = change(reading.tokens, changed)
        window = reading.window(number)
        self.first = found.first
        self._check(found, window.start, number)
        self._decoder, self._start = reading.decoder, window.start
        self._tokens = tuple(changed[window.start : number])
        self._target, self._row = target, number - 1 - window.start
        record = window.record("stream", "logits")
        self._clean = record.stream
        self.original = self._logprob(record.logits[self._row])
        self._cache = self._decoder.new_cache(1)
        found_there = self._decoder.recorded(
            self._tokens, ["stream", "logits"], [self._row], self._cache
        )
        self._stream = found_there.stream
        self.changed = self._logprob(found_there.logits[0])

    @property
    def total(self) -> int:
        """How many columns there are."""
        return self._row + 1 - (self.first - self._start)

    def columns(self) -> Iterator[Column]:
        """How much is undone at every station, token by token, the last token first.

        In this order the cache of the changed text stays right for all tokens before.
        """
        for row in range(self._row, self.first - self._start - 1, -1):
            undone = [self._undone(station, row) for station in range(len(self._stream))]
            yield Column(self._start + row, tuple(undone))

    def _undone(self, station: int, row: int) -> float:
        """How much is undone by the original stream at one station and token."""
        if row < self._row and station >= len(self._stream) - 2:
            return 0.0  # no attention is left to carry it on
        stream = self._stream[station, row : self._row + 1].copy()
        stream[0] = self._clean[station, row]
        self._cache.truncate(row)
        tokens, begin = self._tokens[row:], Begin(station, stream)
        last = [len(tokens) - 1]
        found = self._decoder.recorded(tokens, ["logits"], last, self._cache, begin)
        gained = self._logprob(found.logits[0]) - self.changed
        whole = self.original - self.changed
        return gained / whole if whole else 0.0

    def _logprob(self, logits: Floats) -> float:
        return float(logprobs_of(logits[None], [self._target])[0])

    def _check(self, found: Change, start: int, number: int) -> None:
        if found.shift:
            raise UserError(
                "The two texts have not the same number of tokens, so no stream fits the other.",
                "Put a word of as many tokens in place of the other.",
            )
        if found.first >= number:
            raise UserError(
                f"The change, at token {found.first}, is not before the choice of token {number}.",
                "Ask about a token behind it.",
            )
        if found.first < start:
            raise UserError(
                f"The model no longer saw token {found.first} when it chose token {number}.",
                f"Change one from {start} on.",
            )
