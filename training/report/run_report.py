"""What `mgpt-tui runs` tells: a list of runs, and one run with all that is known of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from mgpt_tui.console import Column, table_of
from mgpt_tui.text import clean_text, shortened
from training.report.figures import (
    FIGURES,
    OF_RUNS,
    OF_TRAINING,
    UNKNOWN,
    label,
    power,
    written,
)
from training.report.parts import explanations, report
from training.runs.listing import Run
from training.runs.log import read_metrics

LEAST_NEEDED = ("tokens", "seconds", "bytes", "last_written", "bits_per_byte", "step", "state")
"""Columns that a narrow terminal goes without, the first first."""
SAMPLES = 6
"""Of more samples, some from along the way are shown."""


def list_report(runs: Sequence[Run], width: int, explain: bool) -> Iterator[RenderableType]:
    """A table with a line for each run.

    Args:
        width: cells there are; where they do not suffice, some figures are left out.
        explain: say below what the figures mean.
    """
    if not runs:
        yield Text("No run yet. `mgpt-tui train` begins one.")
        return
    yield _table(runs, width)
    if explain:
        yield Text()
        yield from explanations(OF_RUNS)


def _table(runs: Sequence[Run], width: int) -> Table:
    rows = [[run.name, *(_cells(run)[name] for name in OF_RUNS)] for run in runs]
    headings = ["name", *(label(name) for name in OF_RUNS)]
    columns = [
        Column("name", "name"),
        *(Column(label(name), right=name != "state") for name in OF_RUNS),
    ]
    natural = sum(max(map(len, column)) for column in zip(headings, *rows, strict=True))
    gap = 2 if natural + 2 * len(OF_RUNS) <= width else 1
    return table_of(columns, rows, width, [label(name) for name in LEAST_NEEDED], gap)


def _cells(run: Run) -> dict[str, str]:
    """What the list says of a run, by figure."""
    last = run.history.last
    return {
        "state": run.state,
        "step": f"{run.step:,}/{UNKNOWN if run.max_steps is None else f'{run.max_steps:,}'}",
        "bits_per_byte": written("bits_per_byte", run.bits_per_byte),
        "tokens": written("tokens", last.tokens if last else 0),
        "seconds": written("seconds", last.seconds if last else None),
        "last_written": UNKNOWN if run.written is None else _ago(run.written),
        "bytes": written("bytes", run.bytes),
    }


def _ago(moment: datetime) -> str:
    """How long ago that was, in the largest unit that fits."""
    seconds = max(0, int((datetime.now(UTC) - moment).total_seconds()))
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit} ago"
    return f"{seconds} s ago"


def run_report(run: Run, width: int, explain: bool) -> Iterator[RenderableType]:
    """One run: state, main settings, then what the live view shows of it.

    Args:
        width: cells that the plot and the table may take.
        explain: say at the end what the figures mean.
    """
    cells = _cells(run)
    yield Text.assemble(
        (run.name, "bold"), f"  {cells['state']} at {label('step')} {cells['step']}"
    )
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for heading, words in _about(run):
        grid.add_row(heading, Text(clean_text(words)))
    yield grid
    yield Text()
    if run.history.last is None:
        yield Text("Nothing was logged yet.")
    yield from report(run.history, width, SAMPLES)
    samples = len(run.history.samples)
    if samples > SAMPLES:
        yield Text()
        yield Text(f"{SAMPLES} of {samples} samples are shown; --json has them all.")
    if explain:
        yield Text()
        yield from explanations(name for name in FIGURES if name in (*OF_TRAINING, *OF_RUNS))


def _about(run: Run) -> Iterator[tuple[str, str]]:
    """The main settings and the whereabouts of a run, with a heading each."""
    config, model = run.config, run.model
    if config is not None:
        batch, optimizer, schedule = config.batch, config.optimizer, config.schedule
        about = [config.model.preset] if config.model.has_preset else []
        if model is not None:
            about.append(
                f"{shortened(model.parameters())} parameters: "
                f"{model.n_layer} layers, {model.n_head} heads, {model.n_embd} wide, "
                f"context {model.block_size}, vocabulary {model.vocab_size:,}, "
                f"dropout {model.dropout:g}"
            )
        yield "model", ", ".join(about) or "a shape of its own"
        yield "batch", f"{batch.batch_size} sequences x {batch.grad_accumulation}"
        yield (
            "optimizer",
            (
                f"{optimizer.optimizer}, learning rate {power(optimizer.learning_rate)}, "
                f"{schedule.warmup_steps:,} steps of warm-up, {schedule.decay} decay"
            ),
        )
        yield (
            "machine",
            (
                f"device {config.machine.device}, precision {config.machine.dtype}, "
                f"seed {config.machine.seed}"
            ),
        )
    if run.data is not None:
        yield "data", run.data
    yield "folder", str(run.path)
    cells = _cells(run)
    for name in ("seconds", "last_written", "bytes"):
        yield label(name), cells[name]


def run_details(run: Run) -> dict[str, Any]:
    """Everything as JSON values: the line of the list, settings, and all logged records."""
    return {
        **run.to_dict(),
        "data": run.data,
        "model": asdict(run.model) if run.model else None,
        "settings": run.config.flat() if run.config else None,
        "metrics": read_metrics(run.path),
    }
