"""Leaning on the choice of tokens until some words have come.

What a word can begin with is made likelier wherever that stands to reason, which keeps the order of
the places: a word comes where the model holds it for least unlikely. By how much depends on the
room that is left, and on how likely the word has been so far: it is as much as would have had it
come about once in so many places, so that one that fits anywhere is hardly pushed.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mgpt_tui.errors import UserError
from mgpt_tui.inference.request import SamplingSettings, Until
from mgpt_tui.inference.said.forms import WORD, forms
from mgpt_tui.model.tokenizer import Tokenizer

Ways = tuple[tuple[int, ...], ...]
"""In which tokens the forms of a word are written."""

STORY_ROOM = 80
"""Tokens in which words come at the latest where a passage may have more."""
SENTENCE_ROOM = 24
USUAL = (-11.0, -9.0, -7.0)
"""How likely a word is at three places, in nats, as long as no place has been seen."""
MOST_PUSH = 14.0
"""Nats by which a word is pushed at most; `LAST` where there is no other place left."""
LAST = 18.0
TAIL = 8
"""Tokens that hold the word with which a text ends."""


def room_for(settings: SamplingSettings, until: Until) -> int:
    """In how many tokens of a passage the words that it is to hold come."""
    if until is Until.SENTENCE:
        return min(settings.max_tokens, SENTENCE_ROOM)
    return STORY_ROOM if until is Until.END else min(settings.max_tokens, STORY_ROOM)


@dataclass(frozen=True, slots=True)
class Wishes:
    """Words that a passage is to hold.

    Attributes:
        tokenizer: the model's.
        forms: of each word.
        ways: of each word.
        room: in how many tokens they are to come.
    """

    tokenizer: Tokenizer
    forms: tuple[frozenset[str], ...]
    ways: tuple[Ways, ...]
    room: int


def wishes_of(settings: SamplingSettings, tokenizer: Tokenizer, until: Until) -> Wishes | None:
    """What is wished of a passage; None where nothing is, and where it is to be a single word.

    Raises:
        UserError: where the model has no tokens for the letters of a word.
    """
    words = settings.words
    if not words or until is Until.WORD:
        return None
    ways = tuple(_ways(word, tokenizer) for word in words)
    return Wishes(tokenizer, tuple(map(forms, words)), ways, room_for(settings, until))


def _ways(word: str, tokenizer: Tokenizer) -> Ways:
    """The word as it was typed, and those of its forms that are one token."""
    usual = tuple(tokenizer.encode(f" {word}"))
    if any("\ufffd" in tokenizer.decode([token]) for token in usual):
        raise UserError(
            f"This model cannot say {word!r}: it has no tokens for its letters.",
            "Give words that occur in its stories.",
        )
    others = (tuple(tokenizer.encode(f" {form}")) for form in sorted(forms(word)))
    return (usual, *(way for way in others if len(way) == 1 and way != usual))


class Leaning:
    """Leans on one passage as it grows.

    Args:
        wishes: of it.
        tokens: what it goes on with.
        rest: bytes that it has to spell first.
    """

    def __init__(self, wishes: Wishes, tokens: Sequence[int], rest: bytes = b"") -> None:
        self._wishes = wishes
        self._missing = list(range(len(wishes.forms)))
        self._start = self._read = len(tokens)
        before = wishes.tokenizer.decode(tokens[-TAIL:])
        begun = next((one for one in WORD.finditer(before) if one.end() == len(before)), None)
        self._open = begun.group().encode() if begun else b""  # the word that may still go on
        self._old = len(self._open) + len(rest)  # bytes that are none of the passage
        self._seen = [list(USUAL) for _ in wishes.forms]
        self._openers = [
            np.array(sorted({way[0] for way in ways}), np.int64) for ways in wishes.ways
        ]

    def bias(
        self, tokens: Sequence[int], logits: NDArray[np.float32], bias: Mapping[int, float]
    ) -> Mapping[int, float]:
        """What is added to the score of each token that it names; a story does not end yet.

        Args:
            tokens: those of the last call, and what has come since.
            logits: (V,), of what follows them.
            bias: what is added without it.
        """
        self._follow(tokens)
        said = self._open.decode(errors="ignore").casefold()
        missing = [one for one in self._missing if said not in self._wishes.forms[one]]
        left = self._wishes.room - (len(tokens) - self._start)
        if not missing or left < -self._wishes.room:  # what is banned never comes
            return bias
        changed = {**bias, self._wishes.tokenizer.end_token: -math.inf}
        places = left / len(missing)
        top = logits.max()
        total = float(top) + math.log(float(np.exp(logits - top).sum()))
        for one in missing:
            chance = float(np.logaddexp.reduce(logits[self._openers[one]])) - total
            push = self._push(one, chance, places)
            if following := set(self._following(one, tokens)):  # it has begun
                pushed = dict.fromkeys(following, max(push, MOST_PUSH))
            else:
                pushed = dict.fromkeys(self._openers[one].tolist(), push)
            for token, more in pushed.items():
                changed[token] = changed.get(token, 0.0) + more
        return changed

    def _push(self, one: int, chance: float, places: float) -> float:
        """How much likelier a word is to be made.

        Args:
            one: which.
            chance: of it here, in nats.
            places: how many are left for it.
        """
        seen = self._seen[one]
        insort(seen, chance)
        if places <= 1:
            return LAST
        at = (len(seen) - 1) * (1 - 1 / places)
        low = int(at)
        high = min(low + 1, len(seen) - 1)
        fair = seen[low] + (seen[high] - seen[low]) * (at - low)
        return min(max(-fair, 0.0), MOST_PUSH)

    def _following(self, one: int, tokens: Sequence[int]) -> Iterator[int]:
        """The tokens that go on with a word that has begun."""
        for way in self._wishes.ways[one]:
            for length in range(1, len(way)):
                if tuple(tokens[-length:]) == way[:length]:
                    yield way[length]

    def _follow(self, tokens: Sequence[int]) -> None:
        """Strike off what has come; a word counts once it is known that it does not go on."""
        new = map(self._wishes.tokenizer.token_bytes, tokens[self._read :])
        said, self._read = self._open + b"".join(new), len(tokens)
        text, kept = said.decode(errors="ignore"), b""
        for found in WORD.finditer(text):
            if found.end() == len(text):
                kept = found.group().encode()
            elif len(text[: found.end()].encode()) > self._old:
                word = found.group().casefold()
                forms = self._wishes.forms
                self._missing = [one for one in self._missing if word not in forms[one]]
        self._old = max(0, self._old - (len(said) - len(kept)))
        self._open = kept
