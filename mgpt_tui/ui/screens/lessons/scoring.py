"""The game's rules: what a guess costs, in bits, and who is ahead.

A player names a word and how sure they are of it, c. That is a distribution over all words, as the
model's is: c on the word that was named, and the rest, 1 - c, shared among all other words as the
model shares it among them. Both pay -log2 of the chance that they gave to the word that came:

    right    -log2 c
    wrong    -log2((1 - c) * p(word) / (1 - p(named)))

p being the model's chances, of words that end there. Whoever names a word and is as sure of it as
the model pays what the model pays, right or wrong, so a player gains by knowing better alone; and
nobody gains by claiming more than they know, on the mean (a proper scoring rule; Good, "Rational
Decisions", 1952).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from mgpt_tui.inference.inspection.answers import Stretch, SurpriseView
from mgpt_tui.text import folded

SURE = (0.05, 0.25, 0.5, 0.75, 0.95)
"""How sure one can be."""

WORDS = 10
"""Of a game."""

CONTEXT = 10
"""Words that are read before the first one is asked for."""


@dataclass(frozen=True, slots=True)
class Score:
    """How a game stands, in bits; the fewer, the better.

    Attributes:
        words: so many are guessed.
        player, model: what each has paid.
    """

    words: int = 0
    player: float = 0.0
    model: float = 0.0

    def with_word(self, player: float, model: float) -> Score:
        """The same after one more word."""
        return replace(
            self,
            words=self.words + 1,
            player=self.player + player,
            model=self.model + model,
        )


def paid(sure: float, word: float, named: float | None) -> float:
    """What a player pays for a word.

    Args:
        sure: how sure they were, in (0, 1).
        word: what the model pays for the word that came, in bits.
        named: the model's chance of the word that the player named; None where it came.

    Returns:
        Bits.
    """
    if named is None:
        return -math.log2(sure)
    others = max(1 - named, 2**-word)  # all others together are likelier than one of them
    return word + math.log2(others) - math.log2(1 - sure)


def named(line: str) -> str:
    """The word that a player typed, without marks around it; "" where it is not one word."""
    words = line.split()
    if len(words) != 1:
        return ""
    word = words[0]
    while word and not word[0].isalnum():
        word = word[1:]
    while word and not word[-1].isalnum():
        word = word[:-1]
    return word


def is_right(guess: str, word: str) -> bool:
    """Whether it is the word, be it in capitals or not."""
    return folded(guess) == folded(word)


def asked_for(told: SurpriseView, text: str, game: int) -> list[tuple[Stretch, int, int]]:
    """The words of a text that a game asks for, and from where to where in the text they are.

    They are words of letters alone, spread over the text; another game of the same text has
    others.
    """
    found = []
    for stretch in told.words[CONTEXT:]:
        start, end = _characters(told, stretch)
        said = text[start:end]
        bare = said.lstrip()
        if said[:1].isspace() and bare.isalpha():
            found.append((stretch, end - len(bare), end))
    count = min(WORDS, len(found))
    return [found[(at * len(found) + game % len(found)) // count] for at in range(count)]


def _characters(told: SurpriseView, stretch: Stretch) -> tuple[int, int]:
    """Where in the text a stretch of its tokens is."""
    start = told.tokens[stretch.first - 2].end if stretch.first > 1 else 0
    return start, told.tokens[stretch.end - 2].end


def chance(bits: float) -> float:
    """Of so many bits."""
    return float(2**-bits)


def last_word(told: SurpriseView) -> float:
    """The chance of a text's last word, that it ends there included."""
    return chance(told.words[-1].bits)
