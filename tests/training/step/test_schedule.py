"""The learning rate over a run."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.config import ScheduleSettings, TrainConfig
from training.step.schedule import dropout_begun, learning_rate_factor


def test_cosine_by_hand():
    schedule = ScheduleSettings(max_steps=104, warmup_steps=4, final_ratio=0.1)
    factors = [learning_rate_factor(step, schedule) for step in range(105)]
    assert factors[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert factors[54] == pytest.approx(0.55)
    assert factors[104] == pytest.approx(0.1)


def test_linear_fall_over_the_last_part():
    schedule = ScheduleSettings(
        max_steps=100, warmup_steps=0, decay="linear", decay_share=0.5, final_ratio=0
    )
    assert learning_rate_factor(49, schedule) == 1
    assert learning_rate_factor(75, schedule) == pytest.approx(0.5)
    assert learning_rate_factor(100, schedule) == 0


@given(
    max_steps=st.integers(1, 500),
    warmup=st.integers(0, 600),
    decay=st.sampled_from(["cosine", "linear"]),
    share=st.floats(0, 1),
    final=st.floats(0, 1),
)
def test_it_rises_then_falls_within_its_bounds(max_steps, warmup, decay, share, final):
    schedule = ScheduleSettings(
        max_steps=max_steps,
        warmup_steps=warmup,
        decay=decay,
        decay_share=share,
        final_ratio=final,
    )
    factors = [learning_rate_factor(step, schedule) for step in range(max_steps)]
    assert all(0 <= factor <= 1 for factor in factors)
    rising, falling = factors[:warmup], factors[warmup:]
    assert rising == sorted(rising)
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(falling))
    assert all(factor >= final - 1e-12 for factor in falling)


def test_dropout_begins_after_its_share_of_the_run():
    config = TrainConfig().updated({"max_steps": 10, "dropout_after": 0.3})
    assert [dropout_begun(step, config) for step in range(10)] == [False] * 3 + [True] * 7
    assert dropout_begun(0, TrainConfig())
    never = TrainConfig().updated({"max_steps": 10, "dropout_after": 1})
    assert not any(dropout_begun(step, never) for step in range(10))
