"""A run so far, as it is shown."""

import itertools
import sys
import threading
from dataclasses import replace

import pytest

from training.metrics import SMOOTHING
from training.runs.history import MOST_POINTS, History


def test_the_curve_of_a_long_run_is_thinned(watched):
    history = History(
        replace(watched[0], step=step, smoothed_loss=1 / step) for step in range(1, 50_001)
    )
    steps = [step for step, _ in history.training]
    assert MOST_POINTS / 4 < len(steps) <= MOST_POINTS
    assert steps == sorted(steps)
    assert steps[-1] > 49_900
    gaps = {after - before for before, after in itertools.pairwise(steps)}
    assert len(gaps) == 1
    assert history.last.step == 50_000


def test_an_old_log_is_smoothed_here(watched):
    steps = [replace(m, smoothed_loss=None, loss=float(m.step)) for m in watched[:3]]
    curve = [loss for _, loss in History(steps).training]
    assert curve == pytest.approx([1.0, SMOOTHING + 2 * (1 - SMOOTHING), 1.1475])


def test_one_slow_step_does_not_change_the_speed(watched):
    steps = [replace(m, tokens_per_second=100.0) for m in watched]
    steps[-1] = replace(steps[-1], tokens_per_second=1.0)
    assert History(steps).tokens_per_second == 100.0
    assert History().tokens_per_second is None
    assert History([replace(watched[0], mfu=None)]).mfu is None


def test_it_may_be_read_while_steps_come_in(watched):
    history, done = History(watched), threading.Event()

    def train():
        while not done.is_set():
            history.add(watched[0])

    trainer, interval = threading.Thread(target=train), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    trainer.start()
    try:
        for _ in range(2000):
            assert history.tokens_per_second > 0
            assert history.mfu > 0
    finally:
        done.set()
        trainer.join()
        sys.setswitchinterval(interval)


def test_the_smoothed_loss_of_the_trainer(watched):
    smoothed = watched[0].loss
    for metrics in watched[1:]:
        smoothed = SMOOTHING * smoothed + (1 - SMOOTHING) * metrics.loss
        assert metrics.smoothed_loss == pytest.approx(smoothed)
    assert all(0 < metrics.mfu < 2 for metrics in watched)
