"""What a decoder has read, and the least that is left to read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mgpt_tui.inference.decoders.decoder import Cache, Decoder, Scores

Sequences = Sequence[list[int]]
"""The tokens of several texts, all of one length; while a text is written, its list grows."""


class Reader:
    """Reads sequences of tokens side by side, each token once while it is in the window.

    What the cache holds is compared with the window: the longest common beginning is not read
    again, whether it comes from the token before, from the same text told otherwise (retry) or
    from its last page (continue). Keys and values depend on nothing but the tokens up to their
    own and on their positions, so this changes no result. When the window moves, every position
    in it does, and it is read anew: half a window every half window.

    Args:
        decoder: what reads.
        rows: how many sequences.
        cache: of so many rows; a new one if left out.
    """

    def __init__(self, decoder: Decoder[Any], rows: int = 1, cache: Cache | None = None) -> None:
        self._decoder = decoder
        self._cache: Cache = cache or decoder.new_cache(rows)
        self._held: list[list[int]] = [[] for _ in range(rows)]  # what the cache holds
        self._last: Sequences = ()
        self._window = (0, 0)

    def read(self, sequences: Sequences, kept: int = 0) -> Scores:
        """Logits of what follows each sequence, of which the model sees the last window.

        Args:
            sequences: at least one token each, any number of them.
            kept: how many at the beginning of each stay in view.

        Returns:
            fp32 (rows, V).
        """
        length = len(sequences[0])
        window = (self._decoder.config.window_start(length, kept), kept)
        if self._is_one_more(sequences, length, window):
            new = [sequence[-1:] for sequence in sequences]
        else:
            seen = [self._decoder.config.seen(sequence, kept) for sequence in sequences]
            self._go_back(seen)
            new = [tokens[self._cache.length :] for tokens in seen]
        self._last = ()  # so that an interrupted read leaves no lie
        tokens = np.array(new, np.int64)
        if tokens.shape[1] > 1:
            # The last one by itself, as on a retry, which finds the others in the cache: a sum
            # over many rows may round otherwise.
            self._decoder.take(tokens[:, :-1], self._cache)
            self._hold([row[:-1] for row in new])
        logits: Scores = self._decoder.read(tokens[:, -1:], self._cache)
        self._hold([row[-1:] for row in new])
        self._last, self._window = sequences, window
        return logits

    def branches(self, chosen: list[int]) -> Reader:
        """A reader of some of the sequences, each as often as it is chosen, as they are by now."""
        branch = Reader(self._decoder, len(chosen), self._cache.rows(chosen))
        branch._held = [list(self._held[row]) for row in chosen]
        return branch

    def _hold(self, tokens: Sequences) -> None:
        """Note tokens of every row as read."""
        for held, row in zip(self._held, tokens, strict=True):
            held += row

    def _is_one_more(self, sequences: Sequences, length: int, window: tuple[int, int]) -> bool:
        """Whether these are the sequences of the last call with a token more: the usual case.

        Then nothing needs to be compared, which at a thousand tokens a second takes its time.
        """
        return (
            sequences is self._last
            and window == self._window
            and length - window[0] == self._cache.length + 1
        )

    def _go_back(self, seen: Sequences) -> None:
        """Forget what is not the beginning of what is to be seen."""
        kept = min(
            _common_beginning(held, tokens[:-1])  # the last is always read, for its logits
            for held, tokens in zip(self._held, seen, strict=True)
        )
        self._cache.truncate(kept)
        for held in self._held:
            del held[kept:]


def _common_beginning(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two sequences have in common from their beginning on."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))
