"""How surprising the token was, and what is around it."""

from __future__ import annotations

import math

from textual.content import Content

from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.answers import Answer, Stretch, SurpriseView
from mgpt_tui.ui.screens.inside import beside
from mgpt_tui.ui.screens.inside.sight import (
    Bars,
    Place,
    Sight,
    Spot,
    bar,
    bits,
    cells,
    percent,
    said,
)
from mgpt_tui.ui.session.asking import SURPRISE, Wanted

FULL = 16.0
"""Bits of the longest bar, here and below the story."""


def ask(spot: Spot) -> Wanted:
    """All of the story."""
    return SURPRISE


def of_text(text: SurpriseView) -> Bars:
    """The bars below the story, where a view has none of its own."""
    return Bars([-token.logprob * BITS / FULL for token in text.tokens])


def draw(answer: Answer, place: Place) -> list[Content]:
    """Its bits, those of its word, sentence and story, and of the tokens around."""
    assert isinstance(answer, SurpriseView)
    lines, other = [*_of_token(place), *_of_stretches(answer, place)], beside.told(place)
    if other is not None:
        theirs = beside.of_other(place, other.surprise, other.number)
        names = place.model, place.chosen.beside
        lines = beside.side_by_side(
            _briefly(answer, place), _briefly(other.surprise, theirs), place, names
        )
    lines += beside.waits(place, place.rows - len(lines))
    around = place.rows - len(lines) - 1
    if around > 2:
        lines += [Content(""), *_around(place, around)]
    return lines


def bars(answer: Answer, place: Place) -> Bars:
    """How surprising each token is, or by how much more it is so to the other model."""
    return beside.bars(answer, place, of_text(place.text))


def _of_token(place: Place) -> list[Content]:
    token = place.token
    if token is None:
        return [Content(f"expected      {bits(-place.text.entropy):>10}  entropy of the choice")]
    return [
        Content.assemble(
            "this token    ",
            (f"{bits(token.logprob):>10}", "bold"),
            f"  p{percent(math.exp(token.logprob))}, rank {token.rank:,}",
        ),
        Content(f"expected      {bits(-token.entropy):>10}  entropy of the choice"),
    ]


def _briefly(answer: SurpriseView, place: Place) -> list[Content]:
    """The same in half the width."""
    token = place.token
    lines = [Content(f"expected      {bits(-place.text.entropy):>10}")]
    if token is not None:
        lines = [
            Content(f"{said(token.text)}, token {place.number}"),
            Content(f"this token    {bits(token.logprob):>10}  rank {token.rank:,}"),
            Content(f"expected      {bits(-token.entropy):>10}"),
        ]
    for name, stretch in _stretches(answer, place):
        each = f"{stretch.bits_per_character:.2f}/char."
        lines.append(Content(f"{name:<14}{f'{stretch.bits:.1f} bits':>10}  {each}"))
    return lines


def _of_stretches(answer: SurpriseView, place: Place) -> list[Content]:
    return [_of_stretch(*each) for each in _stretches(answer, place)]


def _stretches(answer: SurpriseView, place: Place) -> list[tuple[str, Stretch]]:
    """What the token is in, by name."""
    found = [
        (name, stretch)
        for name, stretches in (("its word", answer.words), ("its sentence", answer.sentences))
        for stretch in stretches
        if stretch.first <= place.number < stretch.end
    ]
    return [*found, ("the story", answer.whole)]


def _of_stretch(name: str, stretch: Stretch) -> Content:
    return Content(
        f"{name:<14}{f'{stretch.bits:.1f} bits':>10}  "
        f"{stretch.bits_per_character:.2f} per character"
    )


def _around(place: Place, rows: int) -> list[Content]:
    """A line for each token around, as many as there is room for."""
    tokens = place.text.tokens
    last = len(tokens)
    first = min(max(1, place.number - rows // 2), max(1, last - rows + 1))
    lines = []
    for number in range(first, min(last, first + rows - 1) + 1):
        token = tokens[number - 1]
        here = number == place.number
        surprisal = -token.logprob * BITS
        lines.append(
            Content.assemble(
                "›" if here else " ",
                (cells(said(token.text), 14), "bold" if here else ""),
                f"{bits(token.logprob):>10}  rank {token.rank:>6,}  ",
                (bar(surprisal / FULL, max(4, place.width - 42)), "$accent"),
            )
        )
    return lines


SIGHT = Sight(
    digit="1",
    title="surprise",
    line="How little the model expected the word: 1 bit is a coin's toss.",
    about="""\
Surprisal of a token: -log2 p(token | all before it), by the model alone at temperature 1
(Hale 2001; Levy 2008). Rank 1 is the likeliest. Entropy is the surprisal to be expected:
the sum of p * -log2 p over the vocabulary. The bars below the story are the same, 2 bits a step.

A word's bits count the chance that it ends there, since a space belongs to the token after it
(Pimentel & Meister 2024; Oh & Schuler 2024). Bits per character compare between vocabularies.

In gpt.py: GPT.loss is the mean of these surprisals, in nats.""",
    ask=ask,
    draw=draw,
    bars=bars,
    slow=beside.SLOW,
)
