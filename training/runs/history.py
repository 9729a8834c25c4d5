"""A run so far, as far as it is shown: its curves, its evaluations, its latest steps."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from statistics import median

from training.metrics import Sample, StepMetrics, smoothed

MOST_POINTS = 4096
"""Points of the training curve that are kept; of more, every second one is dropped."""
LATEST = 20


class History:
    """Takes in a run's steps in order; the same from a log as from a trainer.

    One thread may read it while another adds to it.

    Args:
        steps: what was logged so far.

    Attributes:
        last: the latest step, None before the first.
        training: (step, smoothed training loss), thinned to a few thousand points.
        evaluations: the steps that ended with one.
        best: the one of them with the lowest validation loss.
    """

    def __init__(self, steps: Iterable[StepMetrics] = ()) -> None:
        self.last: StepMetrics | None = None
        self.training: list[tuple[int, float]] = []
        self.evaluations: list[StepMetrics] = []
        self.best: StepMetrics | None = None
        self._latest: deque[StepMetrics] = deque(maxlen=LATEST)
        self._every = 1
        self._taken = 0
        for metrics in steps:
            self.add(metrics)

    def add(self, metrics: StepMetrics) -> None:
        """Take in one step."""
        self.last = metrics
        self._latest.append(metrics)
        self._taken += 1
        if self._taken % self._every == 0:
            self.training.append((metrics.step, self.loss(metrics)))
            if len(self.training) > MOST_POINTS:
                self.training = self.training[1::2]
                self._every *= 2
        if metrics.evaluation is not None:
            self.evaluations.append(metrics)
            if self.best is None or _validation(metrics) < _validation(self.best):
                self.best = metrics

    def loss(self, metrics: StepMetrics) -> float:
        """The smoothed loss at a step; worked out here where an old log does not tell it."""
        if metrics.smoothed_loss is not None:
            return metrics.smoothed_loss
        return smoothed(self.training[-1][1] if self.training else None, metrics.loss)

    @property
    def validation(self) -> list[tuple[int, float]]:
        """(step, validation loss)."""
        return [(metrics.step, _validation(metrics)) for metrics in self.evaluations]

    @property
    def samples(self) -> list[tuple[int, Sample]]:
        """(step, what the model wrote), the newest last."""
        return [
            (metrics.step, metrics.evaluation.sample)
            for metrics in self.evaluations
            if metrics.evaluation is not None and metrics.evaluation.sample is not None
        ]

    @property
    def tokens_per_second(self) -> float | None:
        """The middle one of the latest steps' speeds, which one slow step does not change."""
        return _middle(metrics.tokens_per_second for metrics in tuple(self._latest))

    @property
    def mfu(self) -> float | None:
        """The same of their shares of the machine's peak."""
        return _middle(metrics.mfu for metrics in tuple(self._latest))

    def latest(self, figure: str) -> float | None:
        """A figure of `StepMetrics` as it is now, smoothed where it wavers; None if unknown."""
        if self.last is None:
            return None
        even: dict[str, float | None] = {
            "loss": self.loss(self.last),
            "tokens_per_second": self.tokens_per_second,
            "mfu": self.mfu,
        }
        return even[figure] if figure in even else getattr(self.last, figure)


def _validation(metrics: StepMetrics) -> float:
    assert metrics.evaluation is not None
    return metrics.evaluation.validation.loss


def _middle(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None
