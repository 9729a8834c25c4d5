"""What a run shows while it goes: live in a terminal, plain lines elsewhere; on stderr."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group
from rich.live import Live
from rich.progress import (
    BarColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from training.metrics import Evaluation, StepMetrics
from training.trainer import Trainer

SMOOTHING = 0.95
LAST_ROWS = 12


class Dashboard:
    """Progress and a table of evaluations, as a context manager.

    Args:
        trainer: the run's trainer, before its first step.
        name: of the run.
        console: where to show it; standard error by default.
    """

    def __init__(self, trainer: Trainer, name: str, console: Console | None = None) -> None:
        self.trainer = trainer
        self.name = name
        self.console = console or Console(stderr=True, highlight=False)
        self._loss: float | None = None
        self._speed: float | None = None
        self._rows: list[tuple[int, Evaluation]] = []
        self._progress = Progress(
            TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(elapsed_when_finished=False),
            console=self.console,
            expand=True,
        )
        self._live = Live(console=self.console, refresh_per_second=4, get_renderable=self._view)
        self._task = self._progress.add_task(
            "train",
            total=trainer.config.schedule.max_steps,
            completed=trainer.step,
            figures="",
        )

    def __enter__(self) -> Dashboard:
        trainer = self.trainer
        model = trainer.model.config
        self._say(
            f"{self.name}: {model.parameters():,} parameters, {model.n_layer} layers x "
            f"{model.n_embd}, vocabulary {model.vocab_size:,}, on {trainer.device} in "
            f"{str(trainer.dtype).removeprefix('torch.')}"
        )
        passes = trainer.sampler.passes(trainer.config.schedule.max_steps)
        self._say(
            f"{len(trainer.data.train.tokens):,} training tokens, "
            f"{trainer.tokens_per_step:,} a step, {passes:.1f} passes"
        )
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.console.is_terminal:
            self._live.stop()

    def update(self, metrics: StepMetrics) -> None:
        """Take in one step."""
        self._loss = _smooth(self._loss, metrics.loss)
        self._speed = _smooth(self._speed, metrics.tokens_per_second)
        self._progress.update(
            self._task,
            completed=metrics.step,
            figures=f"loss {self._loss:.3f}  lr {metrics.learning_rate:.1e}  "
            f"{self._speed:,.0f} tok/s",
        )
        if metrics.evaluation is not None:
            self._rows.append((metrics.step, metrics.evaluation))

    def log(self, metrics: StepMetrics) -> None:
        """Write a line where there is no live view."""
        if self.console.is_terminal:
            return
        if metrics.evaluation is not None:
            evaluation = metrics.evaluation
            self._say(
                f"step {metrics.step}  train {evaluation.train_loss:.4f}  "
                f"val {evaluation.validation.loss:.4f}  "
                f"perplexity {evaluation.validation.perplexity:.2f}  "
                f"bits/byte {evaluation.validation.bits_per_byte:.4f}"
                + ("  best" if evaluation.best else "")
            )
        else:
            self._say(
                f"step {metrics.step}  loss {metrics.loss:.4f}  "
                f"lr {metrics.learning_rate:.2e}  {metrics.tokens_per_second:,.0f} tok/s"
            )

    def finished(self) -> None:
        """Say where the best checkpoint is and how to use it."""
        self._say(f"Done. Write with it: mgpt-tui --model {self.name}")

    def interrupted(self) -> None:
        """Say what the first Ctrl-C does, and what a second one would."""
        self._say("Finishing the step, then saving. Ctrl-C again leaves without saving.")

    def stopped(self, checkpoint: Path) -> None:
        """Say that the run stopped early and how to go on."""
        self._say(f"Stopped and saved {checkpoint.name}. Go on with:")
        self._say(f"  mgpt-tui train --name {self.name} --resume")

    def _view(self) -> Group:
        return Group(self.table(), self._progress) if self._rows else Group(self._progress)

    def table(self) -> Table:
        """A row for each of the last evaluations, as many as a small terminal holds."""
        table = Table(box=SIMPLE_HEAD, pad_edge=False)
        for heading in ("step", "train loss", "val loss", "perplexity", "bits/byte", ""):
            table.add_column(heading, justify="right")
        best = min(self._rows, key=lambda row: row[1].validation.loss)[0]
        for step, evaluation in self._rows[-LAST_ROWS:]:
            validation = evaluation.validation
            table.add_row(
                f"{step:,}",
                f"{evaluation.train_loss:.4f}",
                f"{validation.loss:.4f}",
                f"{validation.perplexity:.2f}",
                f"{validation.bits_per_byte:.4f}",
                "best" if step == best else "",
            )
        return table

    def _say(self, line: str) -> None:
        self.console.print(Text(line), soft_wrap=True)


def _smooth(before: float | None, value: float) -> float:
    return value if before is None else SMOOTHING * before + (1 - SMOOTHING) * value
