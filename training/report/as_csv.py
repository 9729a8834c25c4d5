"""The log of runs as a table that other programs read."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence

from training.metrics import STEP_FIELDS, StepMetrics
from training.runs.listing import Run
from training.runs.log import read_history

OF_EVALUATION = ("train_loss", "val_loss", "perplexity", "bits_per_byte")
COLUMNS = ("run", *STEP_FIELDS, *OF_EVALUATION)


def figures_of(metrics: StepMetrics) -> dict[str, float | None]:
    """All figures of a step by name; None where it has none (no evaluation, or no number)."""
    figures: dict[str, float | None] = {name: getattr(metrics, name) for name in STEP_FIELDS}
    figures |= dict.fromkeys(OF_EVALUATION)
    if metrics.evaluation is not None:
        score = metrics.evaluation.validation
        figures |= {
            "train_loss": metrics.evaluation.train_loss,
            "val_loss": score.loss,
            "perplexity": score.perplexity,
            "bits_per_byte": score.bits_per_byte,
        }
    known = ((name, value) for name, value in figures.items() if value is not None)
    return figures | {name: value if math.isfinite(value) else None for name, value in known}


def csv_lines(runs: Sequence[Run]) -> Iterator[str]:
    """A heading, then a line for every logged step of every run, each with its line end.

    What a step has not is empty.
    """
    yield _line(COLUMNS)
    for run in runs:
        for metrics in read_history(run.path):
            yield _line([run.name, *figures_of(metrics).values()])


def _line(cells: Sequence[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()
