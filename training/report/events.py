"""The log of runs as event files, which TensorBoard shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_folder
from mgpt_tui.paths import expanded
from training.report.as_csv import OF_EVALUATION, figures_of
from training.runs.listing import Run
from training.runs.log import read_history


def write_events(runs: Sequence[Run], folder: str) -> Path:
    """Write a folder of events for each run, named as it is, below `folder`.

    Returns:
        That folder.

    Raises:
        UserError: where the library for it is not installed, or a folder cannot be made.
    """
    try:
        import tensorboardX  # noqa: F401
    except ImportError:
        raise UserError(
            "Events are written by tensorboardX, which is not installed.",
            'Install it with: pip install "mgpt-tui[tensorboard]"',
        ) from None
    below = expanded(folder)
    taken = [run.name for run in runs if (below / run.name).exists()]
    if taken:
        raise UserError(f"{below / taken[0]} exists already.", "Give another folder.")
    for run in runs:
        with atomic_folder(below / run.name) as temporary:
            _write(run, temporary)
    return below


def _write(run: Run, folder: Path) -> None:
    """The figures of each step; the time of a step is that of training so far, in seconds."""
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder)) as writer:
        for metrics in read_history(run.path):
            for name, value in figures_of(metrics).items():
                if value is None or name == "step":
                    continue
                group = "evaluation" if name in OF_EVALUATION else "step"
                writer.add_scalar(f"{group}/{name}", value, metrics.step, metrics.seconds or 0.0)
