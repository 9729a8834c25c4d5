"""The same look by another model, beside that of the one that writes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from textual.content import Content

from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.answers import (
    Answer,
    Asked,
    BesideView,
    Scored,
    SurpriseView,
    View,
)
from mgpt_tui.text import one_line
from mgpt_tui.ui.screens.inside.experiments.changes import bars_of
from mgpt_tui.ui.screens.inside.sight import Bars, Chosen, Place, Slow, Spot, cells
from mgpt_tui.ui.session.asking import Wanted

COUNT = 5
"""Guesses of each station."""
GAP = 2
"""Cells between the two."""


def ask(spot: Spot) -> Wanted | None:
    """How the other model reads the story, and what it would guess where the cursor is."""
    name, text = spot.chosen.beside, spot.story.text
    if not name:
        return None
    at = spot.text.tokens[spot.number - 2].end if spot.number > 1 else 0
    return Wanted(Asked(View.BESIDE, count=COUNT, model=name, at=at), context=(text,))


def forget(chosen: Chosen) -> Chosen:
    """Look at one model again."""
    return replace(chosen, beside="")


SLOW = Slow({}, forget, ask)
"""For views that can show two models."""


def told(place: Place) -> BesideView | None:
    """What the other model has told of where one looks now."""
    answer = place.slowly.answer
    return answer if place.chosen.beside and isinstance(answer, BesideView) else None


def bars(answer: Answer, place: Place, alone: Bars) -> Bars:
    """By how many bits the other model finds each token more surprising; `alone` without one."""
    other = told(place)
    if other is None:
        return alone
    return bars_of(differences(place.text.tokens, other.surprise.tokens))


def differences(own: Sequence[Scored], others: Sequence[Scored]) -> list[float]:
    """Bits of the other model's less one's own, token by token of one's own.

    Where the other cuts the text elsewhere, a token's bits count as spread evenly over its
    characters.
    """
    each: list[float] = []
    for token in others:
        count = token.end - len(each)
        each += [-token.logprob * BITS / count] * count if count else []
        if not count and each:  # a part of a character
            each[-1] -= token.logprob * BITS
    found, start = list[float](), 0
    for token in own:
        found.append(sum(each[start : token.end]) + token.logprob * BITS)
        start = max(start, token.end)
    return found


def waits(place: Place, rows: int) -> list[Content]:
    """What is said of the other model while it has not answered; else its key, if it has room."""
    if place.chosen.beside and told(place) is None:
        return [Content(place.slowly.trouble or "the other model is loaded, and looks…")]
    if rows < 1:
        return []
    if not place.chosen.beside:
        return [Content.styled("f8: another model beside this one", "dim")]
    name = one_line(place.chosen.beside)
    return [Content.styled(f"f8: without {name} · below the story: its bits less ours", "dim")]


def side_by_side(
    left: list[Content], right: list[Content], place: Place, names: tuple[str, str]
) -> list[Content]:
    """Two lists of lines, each below the name of its model.

    Args:
        left, right: of half the width each, see `half`.
        place: with that width.
        names: of the two models.
    """
    width = half(place)
    heads = [Content.styled(cells(one_line(name), width), "bold") for name in names]
    rows = zip_longest([heads[0], *left], [heads[1], *right], fillvalue=Content(""))
    return [
        Content.assemble(one, " " * max(0, width + GAP - one.cell_length), other)
        for one, other in rows
    ]


def half(place: Place) -> int:
    """Cells that each of two models has."""
    return (place.width - GAP) // 2


def of_other(place: Place, other: SurpriseView, number: int) -> Place:
    """The same place as the other model has it."""
    return replace(place, text=other, number=number, width=half(place))
