"""Runs laid over one another: what differs in their settings, and what came of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_lowercase

from rich.console import RenderableType
from rich.text import Text

from mgpt_tui.console import Column, table_of
from mgpt_tui.errors import UserError
from mgpt_tui.settings_fields import Declared, declared
from mgpt_tui.settings_text import value_text
from mgpt_tui.text import clean_text
from training.config import SECTIONS, TrainConfig
from training.report.figures import UNKNOWN, label, written
from training.report.plots import Curve, runs_plot
from training.runs.listing import Run

PLOT = 14
"""Lines of the plot."""
MOST_ROWS = 12
"""Of more steps with evaluations, some from along the way are shown, and the last."""


def check_number(names: Sequence[str]) -> None:
    """Refuse more runs than there are letters to mark them by.

    Raises:
        UserError: where there are.
    """
    if len(names) > len(ascii_lowercase):
        raise UserError(
            f"{len(names)} runs cannot be told apart.", f"Name {len(ascii_lowercase)} at most."
        )


def comparison(runs: Sequence[Run], width: int) -> Iterator[RenderableType]:
    """Two runs or more: figures, settings that differ, and their scores over the steps.

    They are laid over one another by bits per byte, which compare vocabularies.

    Args:
        width: cells there are.
    """
    marks = dict(zip(ascii_lowercase, runs, strict=False))
    names = [Column("", "name"), Column("name", "name")]
    figures = ("step", "bits_per_byte", "val_loss", "tokens", "seconds")
    columns = [*names, *(Column(label(name), right=True) for name in figures)]
    yield table_of(columns, [[mark, *_figures(run)] for mark, run in marks.items()], width)
    beside = [Column(mark, right=True) for mark in marks]
    differing = list(_differing(runs))
    if differing:
        yield Text()
        yield table_of([Column("setting", "name"), *beside], differing, width)
    curves = {mark: _scores(run) for mark, run in marks.items()}
    if not any(curves.values()):
        return
    yield Text()
    yield Text(f"{label('bits_per_byte')} over steps: " + ", ".join(_legend(marks)))
    yield runs_plot(curves, min(width, 100), PLOT)
    yield Text()
    steps = [Column(label("step"), right=True), *beside]
    yield table_of(steps, list(_by_step(curves)), width)


def _legend(marks: dict[str, Run]) -> Iterator[str]:
    for mark, run in marks.items():
        yield f"{mark} {clean_text(run.name)}"


def _figures(run: Run) -> list[str]:
    """Of the best evaluation, and of the whole run."""
    best, last = run.history.best, run.history.last
    score = best.evaluation.validation if best and best.evaluation else None
    values = {
        "step": run.step,
        "bits_per_byte": score.bits_per_byte if score else None,
        "val_loss": score.loss if score else None,
        "tokens": last.tokens if last else None,
        "seconds": last.seconds if last else None,
    }
    return [clean_text(run.name), *(written(name, value) for name, value in values.items())]


def _differing(runs: Sequence[Run]) -> Iterator[list[str]]:
    """Each setting that the runs do not share, as typed, and the data."""
    for section, config_class in SECTIONS.items():
        for setting in declared(config_class):
            row = [
                UNKNOWN if run.config is None else _typed(run.config, section, setting)
                for run in runs
            ]
            if len(set(row)) > 1:
                yield [setting.flag, *map(clean_text, row)]
    data = [clean_text(run.data or UNKNOWN) for run in runs]
    if len(set(data)) > 1:
        yield ["--data", *data]


def _typed(config: TrainConfig, section: str, setting: Declared) -> str:
    """A setting of a run as typed; a preset that decides on nothing is none."""
    if setting.name == "preset" and not config.model.has_preset:
        return ""
    return value_text(setting, getattr(getattr(config, section), setting.name))


def _scores(run: Run) -> Curve:
    return [
        (metrics.step, metrics.evaluation.validation.bits_per_byte)
        for metrics in run.history.evaluations
        if metrics.evaluation is not None
    ]


def _by_step(curves: dict[str, Curve]) -> Iterator[list[str]]:
    """A row for each step that any was evaluated after."""
    found = {mark: dict(curve) for mark, curve in curves.items()}
    steps = sorted(set().union(*found.values()))
    last = len(steps) - 1
    chosen = sorted({last - last * at // (MOST_ROWS - 1) for at in range(MOST_ROWS)})
    for step in (steps[at] for at in chosen):
        cells = [
            written("bits_per_byte", own[step]) if step in own else "" for own in found.values()
        ]
        yield [f"{step:,}", *cells]
