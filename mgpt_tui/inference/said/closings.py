"""The words with which stories close, by a rule on tokens: not to be said while one is to go on."""

from __future__ import annotations

from mgpt_tui.model.tokenizer import Tokenizer

CLOSES = {"The": (" end", " End", " moral"), "happily": (" ever",)}
"""By a word that begins a closing formula, what would go on with it."""


class ClosingTable:
    """The tokens of a vocabulary that would close a story.

    Args:
        tokenizer: of English; where these words are no tokens there is nothing to hold back.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        ranks, self._after = tokenizer.ranks, dict[int, tuple[int, ...]]()
        for begun, words in CLOSES.items():
            found = [ranks[word.encode()] for word in words if word.encode() in ranks]
            for before in ("", " ", "\n"):
                if (token := ranks.get(f"{before}{begun}".encode())) is not None:
                    self._after[token] = tuple(found)

    def after(self, token: int) -> tuple[int, ...]:
        """The tokens that would close a story behind this one."""
        return self._after.get(token, ())
