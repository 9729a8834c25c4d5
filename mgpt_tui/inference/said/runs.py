"""Runs of tokens in a story: with which token one of them would stand there again."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet


class Runs:
    """The runs of one length in a text that grows, each token read once.

    As `no_repeat_ngram_size` of Hugging Face (after Paulus et al. 2018, section 2.5).

    Args:
        length: of a run, in tokens; at least 2.
        kept: how many tokens at the beginning are none of the text.
    """

    def __init__(self, length: int, kept: int = 0) -> None:
        self._before = length - 1
        self._first = self._read = kept + self._before
        self._followed: dict[tuple[int, ...], set[int]] = {}  # by what, all but its last token

    def repeating(self, tokens: Sequence[int]) -> AbstractSet[int]:
        """The tokens with which the last run of `tokens` would stand there a second time.

        Args:
            tokens: those of the last call, and what has come since.
        """
        for at in range(self._read, len(tokens)):
            run = tuple(tokens[at - self._before : at])
            self._followed.setdefault(run, set()).add(tokens[at])
        self._read = max(self._read, len(tokens))
        if len(tokens) < self._first:
            return frozenset()
        return self._followed.get(tuple(tokens[len(tokens) - self._before :]), frozenset())
