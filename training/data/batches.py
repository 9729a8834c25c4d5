"""From a memory-mapped file of tokens to batches, as a pure function of seed and step."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mgpt_tui.errors import UserError

Tokens = NDArray[np.uint16]

PIECE = 2**24
"""Tokens that are looked through at once."""


def check_length(tokens: Tokens, block_size: int) -> None:
    """Refuse a corpus that does not fill one block and its target.

    Raises:
        UserError: where it does not.
    """
    if len(tokens) <= block_size:
        raise UserError(
            f"The corpus has {len(tokens)} tokens, which do not fill one block of {block_size}.",
            "Prepare more text, or lower --block-size.",
        )


def _places(tokens: Tokens, token: int) -> NDArray[np.int64]:
    """Where `token` stands: int64, ascending; found piece by piece, to spare memory."""
    return np.concatenate(
        [
            start + np.flatnonzero(tokens[start : start + PIECE] == token)
            for start in range(0, len(tokens), PIECE)
        ]
    )


class BatchSampler:
    """Draws sequences so that each pass reads every part of the text once, in random order.

    A pass cuts the text into consecutive windows of `block_size`, shifted by a random offset,
    and shuffles them. Offset and order come from a Philox generator keyed by the seed and
    counted by the pass, so that step n's batch depends on nothing but (seed, n): a resumed run
    reads on exactly where it stopped, without a saved position.

    Args:
        tokens: the corpus, usually a memory map.
        block_size: tokens per sequence.
        sequences_per_step: over all processes and accumulated batches.
        seed: key of the order.
        story_starts: share of the windows moved back to the `end_token` before their story.
        end_token: id of <|endoftext|>.

    Attributes:
        origin: added to the position in the data; not 0 in a run that has been resumed with
            another number of sequences a step, so that it reads on where it stopped.
    """

    def __init__(
        self,
        tokens: Tokens,
        block_size: int,
        sequences_per_step: int,
        seed: int,
        story_starts: float = 0.0,
        end_token: int = 0,
    ) -> None:
        check_length(tokens, block_size)
        self.tokens = tokens
        self.block_size = block_size
        self.sequences_per_step = sequences_per_step
        self.seed = seed
        self.story_starts = story_starts
        self.origin = 0
        self.windows = max(1, (len(tokens) - 1) // block_size - 1)
        self._starts = _places(tokens, end_token) if story_starts > 0 else None
        self._pass = -1
        self._offsets: NDArray[np.int64] = np.empty(0, np.int64)

    def passes(self, step: int) -> float:
        """How often the text has been read before step `step`."""
        return self._first(step) / self.windows

    def offsets(self, step: int) -> NDArray[np.int64]:
        """Where the sequences of a step begin: int64 (sequences_per_step,)."""
        first = self._first(step)
        chosen = []
        for index in range(first, first + self.sequences_per_step):
            number, position = divmod(index, self.windows)
            if number != self._pass:
                self._offsets, self._pass = self._shuffled(number), number
            chosen.append(self._offsets[position])
        return np.array(chosen, dtype=np.int64)

    def batch(self, step: int, part: int, parts: int) -> tuple[Tensor, Tensor]:
        """Inputs and targets of part `part` of `parts` of a step.

        Returns:
            int64 (B, T) each, B = sequences_per_step / parts; targets are one token ahead.
        """
        size = self.sequences_per_step // parts
        begin = self.offsets(step)[part * size : (part + 1) * size]
        index = begin[:, None] + np.arange(self.block_size + 1)
        rows = torch.from_numpy(self.tokens[index].astype(np.int64))
        return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()

    def _first(self, step: int) -> int:
        """Sequences read before step `step`."""
        return self.origin + step * self.sequences_per_step

    def _shuffled(self, number: int) -> NDArray[np.int64]:
        random = np.random.Generator(np.random.Philox(key=self.seed, counter=[0, 0, 0, number]))
        room = len(self.tokens) - 1 - self.windows * self.block_size
        shift = random.integers(room + 1)
        offsets = random.permutation(self.windows) * self.block_size + shift
        if self._starts is not None and len(self._starts):
            before = np.searchsorted(self._starts, offsets, side="right") - 1
            moved = random.random(self.windows) < self.story_starts
            offsets = np.where(moved & (before >= 0), self._starts[np.maximum(before, 0)], offsets)
        return offsets.astype(np.int64)
