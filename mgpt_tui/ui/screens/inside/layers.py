"""What the model would guess if it stopped after each part."""

from __future__ import annotations

from textual.content import Content

from mgpt_tui.inference.inspection.answers import Answer, Asked, LensView, Station, View
from mgpt_tui.ui.screens.inside.sight import Place, Sight, Spot, Wanted, cells, percent, said

BEFORE = 27
"""Cells before the guesses."""
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
    lines = [_station(station, answer, place) for station in answer.stations]
    if len(lines) < place.rows:
        head = "after      chance   rank"
        lines.insert(0, Content.styled(f"{cells(head, BEFORE)}the likeliest, in percent", "dim"))
    return lines


def _station(station: Station, answer: LensView, place: Place) -> Content:
    left = place.width - BEFORE
    width = min(BROAD, max(NARROW, left // max(1, len(station.top))))
    shown: list[str | tuple[str, str]] = []
    for guess in station.top[: left // width]:
        word = cells(said(guess.text), width - 4)
        style = "bold $accent" if guess.token == answer.target.token else ""
        shown.append((f"{word}{100 * guess.p:3.0f} ", style))
    return Content.assemble(
        f"{station.station:<10}{percent(station.p)}{f'#{station.rank:,}':>8}  ", *shown
    )


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
)
