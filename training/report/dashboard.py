"""What a run shows while it goes: live in a terminal, plain lines elsewhere; on stderr."""

from __future__ import annotations

import io
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stderr
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from mgpt_tui.console import console_for, show
from mgpt_tui.text import clean_text, shortened
from training.metrics import StepMetrics
from training.report.figures import OF_TRAINING, duration, label
from training.report.live_view import LiveView
from training.report.parts import evaluation_row, explanations, latest_figures, report, sample_text
from training.runs.history import History
from training.trainer import Trainer

REFRESHES = 1
"""Times a second that the live view is drawn; each takes some milliseconds of a core."""
EVALUATIONS = 12
"""So many are left behind when the live view closes; `mgpt-tui runs` has them all."""


class Dashboard:
    """Shows a run, as a context manager.

    In a terminal the live view has a screen of its own, as an editor has, so that nothing old
    remains on it when the terminal changes its size. When it closes, the run as it stood last
    and all that was said meanwhile are left on the ordinary screen.

    Args:
        trainer: the run's trainer, before its first step.
        name: of the run.
        history: what was logged of the run before.
        explain: say what the figures mean.
        warnings: said first; the live view shows them until there is something else to tell.
        console: where to show it; standard error by default.
    """

    def __init__(
        self,
        trainer: Trainer,
        name: str,
        history: History | None = None,
        explain: bool = False,
        warnings: Sequence[str] = (),
        console: Console | None = None,
    ) -> None:
        self.trainer = trainer
        self.name = name
        self.explain = explain
        self.console = console or console_for(sys.stderr)
        self.history = history or History()
        total, eval_every = trainer.config.schedule.max_steps, trainer.config.report.eval_every
        about = (
            f"{shortened(trainer.model.config.parameters())} parameters, {trainer.device}, "
            f"{str(trainer.dtype).removeprefix('torch.')}"
        )
        self.warnings = warnings
        self._view = LiveView(name, about, total, self.history, eval_every, explain)
        self._view.note = " ".join(warnings)
        self._pace = Pace(total, 2 * eval_every)
        self._live: Live | None = None
        self._said: list[str] = []
        self._lines = _Lines(self)
        self._stack = ExitStack()

    def __enter__(self) -> Dashboard:
        trainer = self.trainer
        model = trainer.model.config
        self.say(
            f"{self.name}: {model.parameters():,} parameters, {model.n_layer} layers x "
            f"{model.n_embd}, vocabulary {model.vocab_size:,}, on {trainer.device} in "
            f"{str(trainer.dtype).removeprefix('torch.')}"
        )
        passes = trainer.sampler.passes(trainer.config.schedule.max_steps)
        self.say(
            f"{len(trainer.data.train.tokens):,} training tokens, "
            f"{trainer.tokens_per_step:,} a step, {passes:,.1f} passes"
        )
        for line in self.warnings:
            self.say(line)
        if self.console.is_terminal and not self.console.is_dumb_terminal:
            self._stack.callback(self._lines.finish)
            self._stack.enter_context(redirect_stderr(self._lines))
            self._live = Live(
                self._view,
                console=self.console,
                screen=True,
                refresh_per_second=REFRESHES,
                redirect_stdout=False,
                redirect_stderr=False,
            )
            self._live.start(refresh=True)
        elif self.explain:
            for text in explanations(OF_TRAINING):
                self._print(text)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is None:
            return
        self._stack.close()
        self._live.stop()
        self._live = None
        last = report(self.history, self.console.width, most_evaluations=EVALUATIONS)
        show(last, self.console)
        self.console.print()
        for line in self._said:
            self.say(line)

    def update(self, metrics: StepMetrics) -> None:
        """Take in one step."""
        self.history.add(metrics)
        left = self._pace.left(metrics.step)
        if left is not None:
            self._view.time_left = duration(left)

    def log(self, metrics: StepMetrics) -> None:
        """Write lines about the latest step where there is no live view."""
        if self._live is not None:
            return
        if metrics.evaluation is None:
            figures = {"step": f"{metrics.step}"} | latest_figures(self.history)
            if self._view.time_left:
                figures["time_left"] = self._view.time_left
            self._say_figures(figures)
            return
        at = len(self.history.evaluations) - 1
        row = evaluation_row(self.history, at) | {"step": f"{metrics.step}"}
        best = row.pop("best")
        self._say_figures({name: value for name, value in row.items() if value}, best)
        if metrics.evaluation.sample is not None:
            text = sample_text(metrics.evaluation.sample, one_paragraph=True)
            self._print(Text(f"{label('sample')}: ").append_text(text))

    def say(self, line: str) -> None:
        """Tell something: at once, and where there is a live view again when it has closed."""
        if self._live is None:
            self._print(Text(line))
        else:
            self._view.note = line
            self._said.append(line)

    def finished(self) -> None:
        """Say where the best checkpoint is and how to use it."""
        if self._live is not None:
            self.say(f"See it again: mgpt-tui runs {self.name}")
        self.say(f"Done. Write with it: mgpt-tui --model {self.name}")
        best = self.trainer.progress.best
        if best is not None and best.step < self.trainer.step:
            self.say(
                f"That is its best checkpoint, of step {best.step}; {self.name}/last is the newest."
            )

    def interrupted(self) -> None:
        """Say what the first Ctrl-C does, and what a second one would."""
        self.say("Finishing the step, then saving. Ctrl-C again leaves without saving.")

    def stopped(self, checkpoint: Path) -> None:
        """Say that the run stopped early and how to go on."""
        self.say(f"Stopped and saved {checkpoint.name}. Go on with:")
        self.say(f"  {self.trainer.run.again}")

    def _say_figures(self, figures: dict[str, str], *words: str) -> None:
        line = [f"{label(name)} {value}" for name, value in figures.items()]
        self.say("  ".join([*line, *filter(None, words)]))

    def _print(self, line: Text) -> None:
        self.console.print(line, soft_wrap=True)


class Pace:
    """How long the rest will take, judged by the latest steps with what lies between them.

    The first step of a session is left out, since much is done there once only.

    Args:
        total: steps of the whole run.
        steps: how many of the latest ones count; best so many that evaluations are among them.
    """

    def __init__(self, total: int, steps: int) -> None:
        self.total = total
        self._done: deque[tuple[int, float]] = deque(maxlen=min(max(steps, 100), 10_000))

    def left(self, step: int) -> float | None:
        """Seconds from now, when `step` has just been done; None while that cannot be told."""
        now = time.monotonic()
        self._done.append((step, now))
        first, began = self._done[0]
        return (self.total - step) * (now - began) / (step - first) if step > first else None


class _Lines(io.TextIOBase):
    """Stands for stderr during the live view: what is written there is said line by line."""

    def __init__(self, dashboard: Dashboard) -> None:
        self._dashboard = dashboard
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        *lines, self._begun = (self._begun + text).split("\n")
        for line in filter(str.strip, lines):
            self._dashboard.say(clean_text(line))
        return len(text)

    def finish(self) -> None:
        """Say what no line break has ended."""
        self.write("\n")
