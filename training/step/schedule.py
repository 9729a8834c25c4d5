"""The learning rate of every step, and when dropout begins."""

from __future__ import annotations

import math

from training.config import ScheduleSettings, TrainConfig


def learning_rate_factor(step: int, schedule: ScheduleSettings) -> float:
    """The share of the peak learning rate that step `step` (the first is 0) uses.

    Rises linearly for `warmup_steps`, stays at 1, then falls to `final_ratio` over the last
    `decay_share` of the run: along half a cosine (Loshchilov and Hutter, "SGDR", 2017) or a
    straight line.
    """
    if step < schedule.warmup_steps:
        return (step + 1) / (schedule.warmup_steps + 1)
    start = max(schedule.warmup_steps, round(schedule.max_steps * (1 - schedule.decay_share)))
    if step < start:
        return 1.0
    done = min(1.0, (step - start) / max(1, schedule.max_steps - start))
    fall = 0.5 * (1 + math.cos(math.pi * done)) if schedule.decay == "cosine" else 1 - done
    return schedule.final_ratio + (1 - schedule.final_ratio) * fall


def dropout_begun(step: int, config: TrainConfig) -> bool:
    """Whether step `step` (the first is 0) of the run has dropout."""
    return step >= round(config.schedule.max_steps * config.model.dropout_after)
