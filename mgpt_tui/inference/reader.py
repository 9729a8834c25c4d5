"""What a decoder has read, and the least that is left to read."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mgpt_tui.inference.decoder import Decoder
from mgpt_tui.model.kv_cache import KVCache

Told = Sequence[list[int]]
"""The tokens of several stories, all of one length; while a story is told, its list grows."""


class Reader:
    """Reads stories side by side, each token once while it is in the window.

    What the cache holds is compared with the window: the longest common beginning is not read
    again, whether it comes from the token before, from the same story told otherwise (retry) or
    from its last page (continue). Keys and values depend on nothing but the tokens up to their
    own and on their positions, so this changes no result. When the window moves, every position
    in it does, and it is read anew: half a window every half window.

    Args:
        decoder: what reads.
        rows: how many stories.
        cache: of so many rows; a new one if left out.
    """

    def __init__(self, decoder: Decoder, rows: int = 1, cache: KVCache | None = None) -> None:
        self._decoder = decoder
        self._cache = cache or decoder.new_cache(rows)
        self._held: list[list[int]] = [[] for _ in range(rows)]  # what the cache holds
        self._told: Told = ()
        self._start = 0

    def read(self, told: Told) -> Tensor:
        """Scores of what follows each story, of which the model sees the last window.

        Args:
            told: at least one token each, any number of them.

        Returns:
            fp32 (rows, V), on the decoder's device.
        """
        length = len(told[0])
        start = self._decoder.config.window_start(length)
        if not self._is_one_more(told, length, start):
            self._go_back(told, start)
        begin = start + self._cache.length
        new = [story[begin:] for story in told]
        self._told = ()  # so that an interrupted read leaves no lie
        tokens = torch.tensor(new)
        if tokens.shape[1] > 1:
            # The last one by itself, as on a retry, which finds the others in the cache: a sum
            # over many rows may round otherwise.
            self._take(tokens[:, :-1])
        logits = self._take(tokens[:, -1:])
        self._told, self._start = told, start
        return logits

    def branches(self, chosen: list[int]) -> Reader:
        """A reader of some of the stories, each as often as it is chosen, as they are by now."""
        branch = Reader(self._decoder, len(chosen), self._cache.rows(chosen))
        branch._held = [list(self._held[row]) for row in chosen]
        return branch

    def _take(self, tokens: Tensor) -> Tensor:
        """Let the decoder read tokens (rows, T), and hold them."""
        logits = self._decoder.read(tokens, self._cache)
        for held, row in zip(self._held, tokens.tolist(), strict=True):
            held += row
        return logits

    def _is_one_more(self, told: Told, length: int, start: int) -> bool:
        """Whether these are the stories of the last call with a token more: the usual case.

        Then nothing needs to be compared, which at a thousand tokens a second takes its time.
        """
        return (
            told is self._told and start == self._start and length - start == self._cache.length + 1
        )

    def _go_back(self, told: Told, start: int) -> None:
        """Forget what is not the beginning of the stories' windows."""
        kept = min(
            _common_beginning(held, story[start:-1])  # the last is always read, for its scores
            for held, story in zip(self._held, told, strict=True)
        )
        self._cache.truncate(kept)
        for held in self._held:
            del held[kept:]


def _common_beginning(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences have in common from their beginning on."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
