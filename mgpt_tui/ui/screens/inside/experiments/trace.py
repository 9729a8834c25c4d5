"""Where in the model a change comes about: a map of tokens by stations."""

from __future__ import annotations

from textual.content import Content

from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.experiments import Column, TraceView
from mgpt_tui.ui.screens.inside.sight import Place, cells, said

SHADES = " ░▒▓█"
LESS = "-"
"""What stands where restoring makes it worse and there is no room for a number."""
LITTLE = 0.5
"""Bits of a change, below which what is undone of it says little."""
NAME, BROAD, NARROW = 9, 5, 2
"""Cells of a token, and of a station with room for a number and without."""


def draw_trace(told: TraceView, place: Place, rows: int) -> list[Content]:
    """A line for each token around the cursor, below what is traced and the stations' names."""
    columns = {column.token: column for column in told.columns}
    last = max(columns, default=place.number)
    first = last - told.total + 1
    down = max(1, rows - 2)
    top = max(first, min(place.number - down // 2, last - down + 1))
    shown = range(top, min(last, top + down - 1) + 1)
    names = stations(len(told.columns[0].undone)) if told.columns else []
    cell = BROAD if NAME + BROAD * len(names) <= place.width else NARROW
    across = max(1, (place.width - NAME) // cell)
    heads = "".join(f"{name:>{cell - 1}} " for name in names) if cell == BROAD else ""
    if across < len(names):
        heads = f"{across} of {len(names)} stations"
    return [
        _about(told, last + 1),
        Content.styled(cells("restored", NAME) + heads, "dim"),
        *(_line(place, number, columns.get(number), cell, across) for number in shown),
    ]


def stations(count: int) -> list[str]:
    """The embedding, and behind each attention and MLP."""
    return ["E", *(f"{'MA'[at % 2]}{(at + 1) // 2}" for at in range(1, count))]


def _about(told: TraceView, number: int) -> Content:
    before, after = -told.original * BITS, -told.changed * BITS
    is_little = abs(after - before) < LITTLE
    return Content.assemble(
        (said(told.target.text), "bold"),
        f" as token {number}: {before:.1f} bits before, {after:.1f} now; "
        + ("too little to say much:" if is_little else "percent undone:"),
    )


def _line(place: Place, number: int, column: Column | None, cell: int, across: int) -> Content:
    name = cells(place.word(number), NAME - 1)
    undone = column.undone[:across] if column else ()
    marks = [_mark(share, cell) for share in undone]
    return Content.assemble((name, "reverse" if number == place.number else ""), " ", *marks)


def _mark(share: float, cell: int) -> Content:
    """A shade and percents; a share below 0 has a sign instead."""
    percents = max(-99, min(999, round(100 * share)))
    number = f"{percents:>{cell - 2}}" if cell == BROAD else ""
    if percents < 0:
        return Content.styled(f" {number} " if number else f"{LESS} ", "$secondary")
    shade = SHADES[min(len(SHADES) - 1, (percents + 24) // 25)]
    return Content.assemble((shade, "$accent"), f"{number} ")
