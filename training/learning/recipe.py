"""How a model learns from little text: what is enough, and the settings that fit it.

The figures behind the defaults are those of docs/training.md ("Learning from your stories").
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.settings_fields import setting, validate
from mgpt_tui.text import counted

LEAST = 600
"""Tokens, some three stories, below which nothing but single phrases is learnt."""
STEP_TOKENS = 1024
"""About so many are read in a step: a small text then still makes several steps a pass."""
PASSES = 20
FEWEST_STEPS = 40
"""A handful of stories makes few steps a pass, and is read more often."""
HELD_OUT = 0.1
"""Share of the stories that is kept apart, at least one of them."""
LOOKS = 10
"""So often the model is looked at on the way."""
PATIENCE = 3
"""Looks without a better one after which it ends."""
WORDS_SHOWN = 8
"""Words of a story that it goes on from when it is looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LearnSettings:
    """How much a model is to learn."""

    passes: int | None = setting(
        None,
        "how often the stories are read at most [default: 20, for few stories more]",
        minimum=1,
        maximum=1000,
    )
    learning_rate: float = setting(3e-4, "peak learning rate of AdamW", minimum=0)

    def __post_init__(self) -> None:
        validate(self)


def check_enough(tokens: int, words: int, stories: int, block_size: int) -> None:
    """Refuse what is too little to learn from.

    Args:
        tokens: of the stories to learn from.
        words: that these are.
        stories: how many there are.
        block_size: tokens that the model reads at once.

    Raises:
        UserError: with what would be enough.
    """
    least = max(LEAST, 2 * block_size + 1)
    if tokens >= least:
        return
    enough = math.ceil(least * words / max(1, tokens) / 50) * 50 if words else round(least * 0.75)
    there = f"{counted(stories, 'story', 'stories')} with {counted(words, 'word')}"
    raise UserError(
        f"{there} to learn from {'is' if stories == 1 else 'are'} too little for this model.",
        f"Some {enough:,} words would be enough: {enough - words:,} more.",
    )


def settings_for(tokens: int, block_size: int, sample: str, own: LearnSettings) -> dict[str, Any]:
    """The settings of a training by name, as `mgpt-tui train` has them.

    Args:
        tokens: to learn from.
        block_size: tokens that the model reads at once.
        sample: what it is to go on from when it is looked at.
        own: what was asked for.
    """
    windows = max(1, (tokens - 1) // block_size - 1)  # as `BatchSampler` cuts a text
    batch = min(windows, max(1, STEP_TOKENS // block_size))
    steps = math.ceil((own.passes or PASSES) * windows / batch)
    if own.passes is None:
        steps = max(FEWEST_STEPS, steps)
    look = max(1, math.ceil(steps / LOOKS))
    return {
        "batch_size": batch,
        "story_starts": 0.5,
        "learning_rate": own.learning_rate,
        "max_steps": steps,
        "patience": PATIENCE,
        "log_every": 1,
        "eval_every": look,
        "eval_stories": None,
        "keep": 1,
        "sample_prompt": sample,
        "sample_tokens": 40,
    }
