"""How many words a story has."""

from __future__ import annotations

from collections.abc import Callable, Sequence


class Words:
    """Counts the words of a text that grows, each token once.

    Args:
        bytes_of: what a token says.
        kept: how many tokens at the beginning are none of the text.
    """

    def __init__(self, bytes_of: Callable[[int], bytes], kept: int = 0) -> None:
        self._bytes_of = bytes_of
        self._read, self._words = kept, 0
        self._inside = False  # a word, whose rest is not another one

    def of(self, tokens: Sequence[int], enough: int) -> int:
        """How many words are begun in `tokens`, up to `enough`.

        Args:
            tokens: those of the last call, and what has come since.
            enough: no more are counted than that, give or take a token's.
        """
        while self._words < enough and self._read < len(tokens):
            said = self._bytes_of(tokens[self._read])
            self._read += 1
            if said:
                self._words += len(said.split()) - (self._inside and not said[:1].isspace())
                self._inside = not said[-1:].isspace()
        return self._words
