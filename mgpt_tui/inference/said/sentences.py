"""Sentences in a story, by a rule on tokens: whether to end one now would be to say it again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mgpt_tui.inference.said.names import NONE, Tokens
from mgpt_tui.model.tokenizer import Tokenizer

SHORT = 4
"""Words of the shortest sentence that counts: "Yes!" may be said twice."""

ENDS = (".", "!", "?", "\n")


class MarkTable:
    """The marks of a vocabulary that end a sentence.

    Args:
        tokenizer: of a language that has such marks.

    Attributes:
        texts: what each token says; "" for the one that ends a story.
        ends: the tokens that begin with such a mark.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.texts = tokenizer.texts
        ending = [token for token, text in enumerate(self.texts) if text.startswith(ENDS)]
        self.ends: Tokens = np.array(ending, dtype=np.int64)


class Sentences:
    """The sentences of a text that grows, each token read once.

    Args:
        table: of its vocabulary.
        kept: how many tokens at the beginning are none of the text.
    """

    def __init__(self, table: MarkTable, kept: int = 0) -> None:
        self._table = table
        self._read = kept
        self._said: set[str] = set()
        self._begun = ""  # its words, so far as the last sentence goes

    def repeating(self, tokens: Sequence[int]) -> Tokens:
        """The tokens with which a sentence of `tokens` would stand there again.

        Marks within it do not count, nor does which one ends it.

        Args:
            tokens: those of the last call, and what has come since.
        """
        for token in tokens[self._read :]:
            text = self._table.texts[token]
            if not text or text.startswith(ENDS):
                self._said.add(self._begun.rstrip())
                self._begun = ""
            else:
                self._go_on(text)
        self._read = len(tokens)
        begun = self._begun.rstrip()
        return self._table.ends if begun.count(" ") >= SHORT - 1 and begun in self._said else NONE

    def _go_on(self, text: str) -> None:
        """Add what a token says to the words of the sentence, which have single blanks between."""
        for one in text.replace("'", ""):
            if one.isalnum():
                self._begun += one
            elif self._begun and not self._begun.endswith(" "):
                self._begun += " "
