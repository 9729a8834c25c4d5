"""What to expect of a text by its size, told before anything is learnt from it.

The figures are those of docs/training.md ("How much text it takes").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.config import NARROW, BatchSettings

if TYPE_CHECKING:
    from training.trainer import Trainer

LITTLE = 100_000
"""Tokens below which a model that begins from nothing learns phrases rather than a language."""
PLENTY = 10_000_000
"""Tokens from which on a small model has learnt before the text has been read often."""
OFTEN = 10
"""Passes from which on a text is learnt by heart, unless something is done about it."""
BLOCK = 256
"""Tokens of a sequence, in what is said of steps."""


def of_text(tokens: int) -> list[str]:
    """What somebody should know who has prepared so many tokens, in a line at most."""
    if tokens < LITTLE:
        return [
            "That is little text: from nothing, a small model (--preset tiny) learns its phrases "
            "within minutes and soon its stories by heart. To write as well as the storyteller, "
            "prepare it with --tokenizer storyteller and train with --init-from storyteller."
        ]
    if tokens < PLENTY:
        size = BatchSettings().batch_size
        steps = round(OFTEN * tokens / (size * BLOCK))
        return [
            f"To read it {OFTEN} times takes {steps:,} steps of {size} x {BLOCK} tokens; a model "
            "as small as --preset tiny may read it twice as often, a larger one with --dropout 0.1."
        ]
    return []


def of_run(trainer: Trainer) -> list[str]:
    """What to expect of a run where it reads its text often, in a line."""
    config = trainer.config
    passes = trainer.sampler.passes(config.schedule.max_steps)
    if passes <= OFTEN:
        return []
    words = "it is learnt by heart from where the validation loss rises"
    if not trainer.model.config.dropout and trainer.model.config.n_embd > NARROW:
        words += "; --dropout 0.1 puts that off"
    if config.schedule.patience is None:
        words += "; --patience 5 ends the run then"
    return [f"The text will be read {passes:,.0f} times: {words}. The best checkpoint is kept."]
