"""What the model would guess if it stopped after each part."""

from __future__ import annotations

from collections.abc import Sequence

from textual.content import Content

from mgpt_tui.inference.inspection.answers import Answer, Asked, Guess, LensView, Station, View
from mgpt_tui.ui.screens.inside import beside
from mgpt_tui.ui.screens.inside.sight import Bars, Place, Sight, Spot, cells, percent, said
from mgpt_tui.ui.screens.inside.surprise import of_text
from mgpt_tui.ui.session.asking import Wanted

BEFORE = 27
"""Cells before the guesses."""
BRIEF = 22
"""The same in half the width."""
NARROW, BROAD = 9, 16
"""Cells of a guess and its chance."""

COUNT = 5
"""Guesses of each station."""


def ask(spot: Spot) -> Wanted:
    """The likeliest at every station."""
    return Wanted(Asked(View.LENS, spot.asked_number, count=COUNT))


def draw(answer: Answer, place: Place) -> list[Content]:
    """A line for each station."""
    assert isinstance(answer, LensView)
    other = beside.told(place)
    if other is None:
        lines = _lines(answer, place)
    else:
        names = place.model, place.chosen.beside
        left, right = _briefly(answer, place), _briefly(other.lens, place)
        if max(len(left), len(right)) == place.rows:  # all but the embeddings have room
            del left[0], right[0]
        lines = beside.side_by_side(left, right, place, names)
    return [*lines, *beside.waits(place, place.rows - len(lines))]


def _briefly(answer: LensView, place: Place) -> list[Content]:
    """A line for each station in half the width, with the likeliest alone."""
    width = beside.half(place) - BRIEF
    return [
        Content.assemble(
            f"{station.station[:5]:<6}{percent(station.p)}{f'#{station.rank:,}':>8} ",
            guesses(station.top[:1], answer.target.token, width),
        )
        for station in answer.stations
    ]


def _lines(answer: LensView, place: Place) -> list[Content]:
    lines = [_station(station, answer, place) for station in answer.stations]
    if len(lines) < place.rows - 1:
        head = "after      chance   rank"
        guesses = cells("the likeliest, in percent", place.width - BEFORE)
        lines.insert(0, Content.styled(f"{cells(head, BEFORE)}{guesses}", "dim"))
    return lines


def bars(answer: Answer, place: Place) -> Bars:
    """How surprising each token is, or by how much more it is so to the other model."""
    return beside.bars(answer, place, of_text(place.text))


def _station(station: Station, answer: LensView, place: Place) -> Content:
    return Content.assemble(
        f"{station.station:<10}{percent(station.p)}{f'#{station.rank:,}':>8}  ",
        guesses(station.top[:COUNT], answer.target.token, place.width - BEFORE),
    )


def guesses(top: Sequence[Guess], target: int, width: int) -> Content:
    """As many of the likeliest as so many cells have room for, with their percents.

    Args:
        top: the likeliest first.
        target: the token that is marked among them.
        width: cells.
    """
    each = min(BROAD, max(NARROW, width // max(1, len(top))))
    parts = []
    for guess in top[: width // each]:
        share = f"{100 * guess.p:2.0f}"
        name = cells(said(guess.text), each - len(share) - 2)
        parts.append((f"{name} {share} ", "bold $accent" if guess.token == target else ""))
    return Content.assemble(*parts)


SIGHT = Sight(
    digit="4",
    title="layers",
    line="What the model would guess if it stopped there: how the word comes up.",
    about="""\
Logit lens: the stream after each part is read as if it were the last, W_E . LN_f(stream), the
final norm with its own statistics there (nostalgebraist, "interpreting GPT: the logit lens",
2020). A1 is the attention of layer 1, M1 its MLP. The last line is the model's own output.

In gpt.py: hook("stream", ...), then GPT.final_norm and GPT.head.""",
    ask=ask,
    draw=draw,
    bars=bars,
    slow=beside.SLOW,
)
