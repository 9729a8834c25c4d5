"""How well what comes after a gap follows what stands in it."""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence

import numpy as np

from mgpt_tui.errors import UserError
from mgpt_tui.inference.engine import Engine
from mgpt_tui.inference.reader import Reader
from mgpt_tui.inference.request import Gap
from mgpt_tui.inference.sampling import Logits

READ_ON = 60
"""Tokens of what comes after by which is weighed, at most a quarter of the window."""
LONGEST = 64
"""Tokens of a way, at most a quarter of the window."""
SMALLEST = 16
"""Tokens of the smallest window that has room for a bridge."""


def longest(window: int) -> int:
    """The most tokens of a way over a gap, in a window of so many."""
    return min(LONGEST, window // 4)


class Scale:
    """Weighs ways over a gap by how likely what comes after it is behind them.

    All of them are read behind the same text, the end of what is before the gap, cut so that the
    longest of them fits into the window, and behind the note where there is one.

    Args:
        engine: whose model reads.
        gap: what they lead over.

    Attributes:
        now: the tokens of what stands there now.
        following: the tokens of what comes after that are read.

    Raises:
        UserError: where there is nothing before or after the gap, or too much in it.
    """

    def __init__(self, engine: Engine, gap: Gap) -> None:
        self._end_token = engine.tokenizer.end_token
        window, kept = engine.config.block_size, engine.kept(gap.before)
        before, after = engine.encode(gap.before), engine.encode(gap.after)[1:]
        self.now = engine.tokenizer.encode(gap.now)
        if window < SMALLEST:
            raise UserError(
                f"This model sees {window} tokens at once, too few for a bridge.",
                "Take another model.",
            )
        if len(before) <= max(1, kept) or not after:
            raise UserError(
                "A bridge needs text before it and text after it.", "Mark a place between them."
            )
        if len(self.now) > window // 2:
            raise UserError(
                f"What is marked has {len(self.now):,} tokens, more than half of the {window:,} "
                "that this model can see.",
                "Mark less.",
            )
        self.following = after[: min(READ_ON, window // 4)]
        self._kept = before[:kept]
        self._room = window - len(self.following) - kept  # for what is before, and a way
        rest = before[kept:]
        self._before = rest[max(0, len(rest) - self._room + longest(window)) :]
        self._reader = Reader(engine.decoder)
        if read := [*self._kept, *self._before]:
            self._reader.read([read])

    def weigh(self, ways: Sequence[Sequence[int]]) -> Generator[None, None, list[float]]:
        """Weigh some ways, given as tokens, side by side, a token at a time.

        Returns:
            The log-probability of `following` behind each of them, in bits.
        """
        reader = self._reader.branches([0] * len(ways))
        rows = [[*self._read(way), *self.following] for way in ways]
        begins = [len(row) - len(self.following) for row in rows]
        sequences, bits = [row[: min(begins)] for row in rows], [0.0] * len(rows)
        for at in range(min(begins), max(map(len, rows))):
            scores = reader.read(sequences)
            for number, row in enumerate(rows):
                if begins[number] <= at < len(row):
                    bits[number] += log_probability(scores[number], row[at])
                # What stands behind a shorter row is read beside the others, and nobody looks.
                sequences[number].append(row[at] if at < len(row) else self._end_token)
            yield
        return bits

    def _read(self, way: Sequence[int]) -> list[int]:
        """What stands before what comes after: the end of it, where there is too much."""
        read = [*self._before, *way]
        return [*self._kept, *read[max(0, len(read) - self._room) :]]


def log_probability(scores: Logits, token: int) -> float:
    """Of a token, in bits."""
    wide = scores.astype(np.float64)
    top = wide.max()
    return float(wide[token] - top - math.log(np.exp(wide - top).sum())) / math.log(2)
