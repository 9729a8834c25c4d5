"""The plot of a run's losses, drawn by plotext in characters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.text import Text

Curve = Sequence[tuple[int, float]]
"""Steps, ascending, with a loss each."""

TRAINING, VALIDATION = "⠤⠤", "●"
"""How the two curves are marked; colours come on top."""
BEGINNING = 10
"""One part in so many at the left is left out: the first steps' fall would flatten the rest."""
LARGEST, PLACES = 1e9, 6
"""Losses are drawn up to there, to so many places: plotext (5.3) fails at the ends of floats."""


def loss_plot(training: Curve, validation: Curve, width: int, height: int) -> Text:
    """Both losses over the steps, in `height` lines of at most `width` cells.

    Nothing where there is nothing to draw, or no room for it.
    """
    last = max((step for step, _ in (*training, *validation)), default=0)
    first = last // BEGINNING
    training = [point for point in training if point[0] >= first]
    validation = [point for point in validation if point[0] >= first]
    if not training or width < 24 or height < 5:
        return Text()
    training = _drawn(training, 2 * width)
    validation = _drawn(validation, width // 4)  # the other curve is to be seen between
    with _canvas(width, height) as plotext:
        plotext.plot(*zip(*training, strict=True), marker="braille", color="cyan")
        if validation:
            plotext.scatter(*zip(*validation, strict=True), marker=VALIDATION, color="magenta")
        _mark_steps(training[0][0], last, width)
        return Text.from_ansi(plotext.build().rstrip("\n"), no_wrap=True, overflow="crop")


def runs_plot(curves: Mapping[str, Curve], width: int, height: int) -> Text:
    """A curve of each run, drawn with the letter that stands for it, so that no colour is needed.

    Nothing where there is nothing to draw, or no room for it.
    """
    last = max((step for curve in curves.values() for step, _ in curve), default=0)
    shown: dict[str, Curve] = {
        mark: [point for point in curve if point[0] >= last // BEGINNING]
        for mark, curve in curves.items()
    }
    shown = {mark: _drawn(curve, width // 4) for mark, curve in shown.items() if curve}
    if not shown or width < 24 or height < 5:
        return Text()
    with _canvas(width, height) as plotext:
        for mark, curve in shown.items():
            plotext.scatter(*zip(*curve, strict=True), marker=mark)
        _mark_steps(min(curve[0][0] for curve in shown.values()), last, width)
        return Text.from_ansi(plotext.build().rstrip("\n"), no_wrap=True, overflow="crop")


def plot_heading() -> Text:
    """What the marks in the plot stand for."""
    return Text.assemble(
        "loss over steps: ", (TRAINING, "cyan"), " training, smoothed  ",
        (VALIDATION, "magenta"), " validation",
    )  # fmt: skip


@contextmanager
def _canvas(width: int, height: int) -> Iterator[Any]:
    """plotext with an empty figure of that size; a run that is logged line by line needs none."""
    import plotext

    plotext.clear_figure()
    plotext.limit_size(False, False)  # the room is the caller's to give
    plotext.plotsize(width, height)
    plotext.theme("clear")
    plotext.yfrequency(max(2, min(7, (height - 3) // 2 + 1)))
    yield plotext
    plotext.clear_figure()


def _drawn(curve: Curve, room: int) -> Curve:
    """What is drawn of a curve: at most about `room` points, for cells tell no more apart.

    The last one is among them.
    """
    every = max(1, len(curve) // room)
    thinned = curve if every == 1 else [*curve[:-1:every], curve[-1]]
    return [(step, round(max(-LARGEST, min(loss, LARGEST)), PLACES)) for step, loss in thinned]


def _mark_steps(first: int, last: int, width: int) -> None:
    """Whole steps below the axis, as many as find room."""
    import plotext

    parts = max(1, min(5, width // 16))
    steps = sorted({first + (last - first) * part // parts for part in range(parts + 1)})
    plotext.xticks(steps, [f"{step:,}" for step in steps])
