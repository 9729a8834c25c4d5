"""The log of runs as a table that other programs read."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from training.metrics import STEP_FIELDS
from training.runs.listing import Run
from training.runs.log import read_history

OF_EVALUATION = ("train_loss", "val_loss", "perplexity", "bits_per_byte")
COLUMNS = ("run", *STEP_FIELDS, *OF_EVALUATION)


def csv_lines(runs: Sequence[Run]) -> Iterator[str]:
    """A heading, then a line for every logged step of every run, each with its line end.

    What a step has not (no evaluation, or a figure that is no number) is empty.
    """
    yield _line(COLUMNS)
    for run in runs:
        for metrics in read_history(run.path):
            figures: list[object] = [getattr(metrics, name) for name in STEP_FIELDS]
            evaluation = metrics.evaluation
            if evaluation is not None:
                score = evaluation.validation
                figures += [evaluation.train_loss, score.loss, score.perplexity]
                figures.append(score.bits_per_byte)
            yield _line([run.name, *figures, *[None] * (len(COLUMNS) - 1 - len(figures))])


def _line(cells: Sequence[object]) -> str:
    """None and what is no number are empty cells."""
    text = io.StringIO()
    known = ("" if cell is None or cell != cell else cell for cell in cells)
    csv.writer(text, lineterminator="\n").writerow(known)
    return text.getvalue()
