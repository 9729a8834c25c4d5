"""What the writer left unfinished is held back: the model writes it again, and goes on from it.

A model has hardly ever seen a blank before a token that brings its own, nor a word cut where no
token ends. So trailing blanks, or the last word, are not read as tokens; the first tokens that
are drawn have to spell them ("token healing"), and only what comes after them is new text.

How they may be spelled: by a token that has them all as its beginning. A word for which there is
no such token is read in its usual tokens up to a rest for which there is one. Blanks may come
one by one, too, for how they are usually cut depends on what follows them.

Whether a word is unfinished at all, nobody knows but the writer, and the model has a say in it:

- Where the beginning of a word was read in tokens of its own, as ` to` of ` toad`, the model wrote
  neither, and its scores for what could make the rest longer are noise unless it expects just
  that: ` cater` is followed by `pillar`. If it does not, the word stands and is read whole.
- Where the whole word is a token, too, as ` pig` beside ` pigeon`, each longer one counts for as
  much as the model holds it for likely, having read the word, that it goes on: next to nothing
  behind ` pig`, most of it behind ` op`.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from mgpt_tui.inference.request import ContextPart, Note
from mgpt_tui.inference.said.closings import ClosingTable
from mgpt_tui.inference.said.names import NameTable
from mgpt_tui.inference.said.sentences import MarkTable
from mgpt_tui.model.tokenizer import StreamingDecoder, Tokenizer
from mgpt_tui.text import TextChunk, clean_text

LONGEST = 64
"""Characters that are held back at most; of a longer word, its end."""

_UNFINISHED = re.compile(r"(\s+| ?[^\W\d_]+| ?\d+|(?<=\w)'[^\W\d_]*)\Z")
"""Blanks, a word with its blank, a number, or what follows an apostrophe: GPT-2's pieces."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What a generation begins with.

    Attributes:
        tokens: what is read, `<|endoftext|>` in front.
        rest: bytes that the first tokens drawn have to spell.
        end: the last characters of the context, where they are text.
        is_within: whether `tokens` ends within the word that `rest` ends.
        goes_on: what a token longer than `rest` counts for, from 0 to 1, beside `rest` itself.
        kept: how many of `tokens` stay in view however long the text gets: those of a note, with
            what stands before it.
        is_closed: whether the story has said "The end" already.
    """

    tokens: tuple[int, ...]
    rest: bytes
    end: str
    is_within: bool = False
    goes_on: float = 1.0
    kept: int = 0
    is_closed: bool = False


class Spelling:
    """Which tokens spell a beginning that is given as bytes.

    Args:
        tokenizer: the model's.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    def beginning(self, context: Sequence[ContextPart], encoded: Sequence[int]) -> Beginning:
        """What to read of `context`, and what to hold back of it.

        Args:
            encoded: all the tokens of `context`.
        """
        parts = [part for part in context if part and not isinstance(part, Note)]
        last = parts[-1] if parts else ""
        if not isinstance(last, str):
            return Beginning(tuple(encoded), b"", "")
        head, within, rest = self._split(last)
        if rest:
            before = len(encoded) - len(self._tokenizer.encode(last))
            encoded = [*encoded[:before], *self._tokenizer.encode(head), *within]
        return Beginning(tuple(encoded), rest, last[-LONGEST:], bool(within))

    def longer(self, rest: bytes) -> NDArray[np.int64]:
        """The tokens that begin with `rest` and are longer."""
        allowed = self.allowed(rest)
        lengths = [len(self._tokenizer.token_bytes(int(token))) for token in allowed]
        return allowed[np.array(lengths) > len(rest)]

    def going_on(self, word: bytes) -> NDArray[np.int64]:
        """The tokens that would go on with a word, or a number, where `word` is its end.

        No tokens where it is neither, or where that cannot be told.
        """
        end = word.decode(errors="replace")[-1:]
        alike = next((kind for kind in (str.isalpha, str.isdecimal) if kind(end)), None)
        return self._beginning_alike(alike) if alike else np.array([], dtype=np.int64)

    @lru_cache(maxsize=2)  # noqa: B019  (an engine has one, for as long as it runs)
    def _beginning_alike(self, alike: Callable[[str], bool]) -> NDArray[np.int64]:
        """The tokens whose first character is of a kind."""
        texts = self._tokenizer.texts
        return np.array([at for at, text in enumerate(texts) if alike(text[:1])], np.int64)

    def allowed(self, rest: bytes) -> NDArray[np.int64]:
        """The tokens that may come where `rest`, at least one byte, is to be spelled."""
        start = bisect_left(self._sorted, rest)
        end = bisect_right(self._sorted, rest, lo=start, key=lambda entry: entry[: len(rest)])
        tokens = [self._tokenizer.ranks[entry] for entry in self._sorted[start:end]]
        if not tokens or rest.isspace():
            first = self._first(rest)
            if first not in tokens:
                tokens.append(first)
        return np.array(sorted(tokens), dtype=np.int64)

    def text(self, token: int) -> str:
        """What a token says, cleaned; "" for the one that ends a story."""
        return clean_text(self._tokenizer.decode([token]))

    def bytes_of(self, token: int) -> bytes:
        """The bytes that a token stands for; none for the one that ends a story."""
        return self._tokenizer.token_bytes(token)

    def after(self, rest: bytes, token: int) -> bytes:
        """What is left of `rest` behind `token`."""
        return rest[len(self._tokenizer.token_bytes(token)) :]

    def _split(self, text: str) -> tuple[str, list[int], bytes]:
        """What to read of `text`, and the bytes to hold back of it, where there is a choice.

        Where there is but one way to spell them, they are read like everything else.

        Returns:
            What comes before its last word, the tokens to read of that, and the rest of it.
        """
        end = text[-LONGEST:]
        unfinished = _UNFINISHED.search(end)
        if unfinished is None:
            return text, [], b""
        tokens: list[int] = []
        rest = unfinished.group().encode(errors="replace")
        while rest and len(allowed := self.allowed(rest)) == 1:
            token = int(allowed[0])
            if not rest.startswith(self._tokenizer.token_bytes(token)):
                break
            tokens.append(token)
            rest = self.after(rest, token)
        if not rest:
            return text, [], b""
        return text[: len(text) - len(unfinished.group())], tokens, rest

    def _first(self, rest: bytes) -> int:
        """The token that usually comes first where `rest` is spelled in several."""
        try:
            text = rest.decode()
        except UnicodeDecodeError:  # in the midst of a character
            return self._longest(rest)
        # How blanks are cut depends on whether anything follows them.
        return self._tokenizer.encode(text + "a" if text.isspace() else text)[0]

    def _longest(self, rest: bytes) -> int:
        """The longest token that `rest` begins with; the single bytes are always among them."""
        lengths = range(len(rest), 0, -1)
        ranks = self._tokenizer.ranks
        return next(ranks[rest[:length]] for length in lengths if rest[:length] in ranks)

    @cached_property
    def names(self) -> NameTable:
        """What the vocabulary has of names."""
        return NameTable(self._tokenizer)

    @cached_property
    def closings(self) -> ClosingTable:
        """Its words that close a story."""
        return ClosingTable(self._tokenizer)

    @cached_property
    def marks(self) -> MarkTable:
        """Its marks that end a sentence."""
        return MarkTable(self._tokenizer)

    @cached_property
    def _sorted(self) -> list[bytes]:
        return sorted(self._tokenizer.ranks)


class RestDecoder:
    """Text from tokens that come one at a time, without what they had to spell first.

    A character that is partly of a token which spelled the end of `rest` has no tokens in its
    chunk: it could not be read again from them.

    Args:
        tokenizer: the model's.
        rest: the bytes to leave out.

    Attributes:
        spelled: how many tokens have gone into them.
    """

    def __init__(self, tokenizer: Tokenizer, rest: bytes) -> None:
        self.spelled = 0
        self._tokenizer = tokenizer
        self._rest = rest
        self._decoder = StreamingDecoder(tokenizer)
        self._is_broken = False  # whether the pending character began in such a token

    @property
    def is_spelling(self) -> bool:
        """Whether there is still something to leave out."""
        return bool(self._rest)

    @property
    def pending(self) -> tuple[int, ...]:
        """Tokens that wait for the rest of a character."""
        return self._decoder.pending

    def feed(self, token: int) -> TextChunk | None:
        """Take the next token; the text that is whole with it, or None where there is none."""
        if not self._rest:
            chunk = self._decoder.feed(token)
            if chunk is None or not self._is_broken:
                return chunk
            self._is_broken = False
            return TextChunk(chunk.text, ())
        spelled = self._tokenizer.token_bytes(token)
        beyond, self._rest = spelled[len(self._rest) :], self._rest[len(spelled) :]
        self.spelled += 1
        text = ""
        for byte in beyond:  # every byte is a token, too
            part = self._decoder.feed(self._tokenizer.ranks[bytes([byte])])
            text += part.text if part else ""
        self._is_broken = bool(self._decoder.pending)
        return TextChunk(text, ()) if text else None
