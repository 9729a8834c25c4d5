"""Names in a story, by a rule on tokens: whose they are it knows, and which would be another's.

A name is a word with a capital that stands within a sentence. Where a sentence begins, every word
has one; there only a token counts that is not found with a small letter in the vocabulary, as it
is where that was cut to the words of a language. The rule is made for English, in which few other
words have capitals.

Measured on 9 MB of TinyStories, with the storyteller's vocabulary: of the words at the beginning of
a sentence that are names 95 % count, but for "Mom" and the like, of the others 0.2 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from mgpt_tui.model.tokenizer import Tokenizer

_NO_NAMES = """
    A Ach Ah Aunt Auntie Christ Christmas Claus Dad Daddy Dr Earth Easter End English God Gram
    Grammy Grand Granny Hallow Halloween I Junior Mama Meanwhile Miss Mom Mommy Mr Mrs Ms Mum
    Mummy Papa Santa Sir Spanish Thanksgiving Th Uncle Mon Monday Tues Tuesday Wed Wednesday
    Thurs Thursday Fri Friday Satur Saturday Sund Sunday January February March July August
    September October November December
"""
NO_NAMES = frozenset(_NO_NAMES.split())
"""Words, and beginnings of words, that have a capital and tell nobody from another."""

_WORDS_TOO = """
    Ann Ben Bill Bob Buddy Fin Fluffy Grace Jack Joy Mark Pat Penny Rob Rose Sandy Spike Spot
    Tim Tom
"""
WORDS_TOO = frozenset(_WORDS_TOO.split())
"""Names that with a small letter are words, or pieces of words."""

_RELATIONS = "brother brothers called cat dog friend friends owner pet sister twin"
RELATIONS = frozenset(_RELATIONS.split())
"""Behind one of these, or after "I am", a name may well be new."""

MARKS = frozenset('.!?:"“”\n\ufffd')
"""Behind one of these a sentence may begin; the last is a piece of some other mark."""

Tokens = NDArray[np.int64]
NONE: Tokens = np.array([], dtype=np.int64)


class NameTable:
    """What a vocabulary has of names.

    Args:
        tokenizer: of English.

    Attributes:
        texts: what each token says; "" for the one that ends a story.
        within: bool (V,), tokens that begin a name within a sentence.
        opening: those of them that also do so where a sentence begins.
        going_on: bool (V,), tokens that go on with a word.
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.texts = tokenizer.texts
        self.within, self.opening, self.going_on = np.zeros((3, tokenizer.vocab_size), dtype=bool)
        for token, text in enumerate(self.texts):
            word = text.removeprefix(" ")
            self.going_on[token] = text[:1].isalpha()
            self.within[token] = word.isalpha() and word.istitle() and word not in NO_NAMES
            is_letter = len(word) == 1 < len(text)  # a name in pieces
            is_word_too = f" {word.lower()}".encode() in tokenizer.ranks and not is_letter
            self.opening[token] = self.within[token] and (word in WORDS_TOO or not is_word_too)

    def first(self, name: str) -> Iterator[int]:
        """The tokens with which a name begins, with a blank before it and without."""
        for text in (f" {name}", name):
            yield self._tokenizer.encode(text)[0]

    def next(self, rest: str) -> Iterator[int]:
        """The tokens that go on with the rest of a name."""
        spelled = rest.encode()
        for end in range(1, len(spelled) + 1):
            if (token := self._tokenizer.ranks.get(spelled[:end])) is not None:
                yield token


class Names:
    """The names in a text that grows, each token read once.

    Args:
        table: of its vocabulary.
    """

    def __init__(self, table: NameTable) -> None:
        self._table = table
        self._read = 0
        self._known: set[str] = set()
        self._fine: list[int] = []  # tokens that begin a name that is known
        self._words = ["", "", ""]  # the last ones, "" for what is none
        self._is_inside = False  # the last one, which may go on
        self._is_name = False  # that one
        self._opens = True  # whether the next word begins a sentence
        self._found: dict[tuple[bool, str], Tokens] = {}  # answers, by what they depend on

    def others(self, tokens: Sequence[int]) -> Tokens:
        """The tokens that would begin a name which `tokens` does not have, where it has one.

        Behind "named" and the like a new one is due, and it is a known one that does.

        Args:
            tokens: those of the last call, and what has come since.
        """
        for token in tokens[self._read :]:
            self._hear(token)
        self._read = len(tokens)
        if not self._known:
            return NONE
        if (due := self._due()) is not None:
            return due
        key = self._opens, self._words[-1] if self._is_name and self._is_inside else ""
        if key not in self._found:
            self._found[key] = self._find(*key)
        return self._found[key]

    def _find(self, opens: bool, begun: str) -> Tokens:
        others = (self._table.opening if opens else self._table.within).copy()
        others[self._fine] = False
        rests = [name[len(begun) :] for name in self._known if name.startswith(begun)]
        if begun and rests:  # nor is a known name to become another one, or to break off
            others |= self._table.going_on | (begun not in self._known)
            others[[token for rest in rests for token in self._table.next(rest)]] = False
        return np.flatnonzero(others)

    def _due(self) -> Tokens | None:
        """What would come as a surprise where a new name may come; None where none is due."""
        *_, before, last = self._words
        if last == "named" or (before == "name" and last in ("is", "was")):
            return np.unique(self._fine)
        return NONE if last in RELATIONS or (before, last) in (("I", "am"), ("I", "m")) else None

    def _hear(self, token: int) -> None:
        text = self._table.texts[token]
        if text[:1].isalpha() and self._is_inside:
            self._words[-1] += text
            return
        self._end_word()
        word = text.removeprefix(" ").removeprefix("'")
        self._is_inside = word.isalpha()
        begins = self._table.opening if self._opens else self._table.within
        self._is_name = bool(begins[token]) or (len(word) == 1 and token in self._fine)
        if word not in ("", ","):
            self._words = [*self._words[-2:], word if self._is_inside else ""]
        self._opens = not MARKS.isdisjoint(text) or (self._opens and text.isspace()) or not text

    def _end_word(self) -> None:
        name = self._words[-1]
        if self._is_name and name.istitle() and len(name) > 1 and name not in self._known:
            self._known.add(name)
            self._fine += self._table.first(name)
            self._found.clear()
