"""The figures of a run: what the trainer yields and everything that shows a run reads.

No torch here, so that a run can be looked at without it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

SMOOTHING = 0.95
"""Share of the smoothed loss that a step leaves as it was (an exponential moving average)."""


@dataclass(frozen=True, slots=True)
class Score:
    """How well a model predicts held-out stories.

    Attributes:
        loss: mean cross-entropy per token, in nats.
        tokens: tokens scored, the closing <|endoftext|> of each story included.
        bytes: UTF-8 bytes of the stories, which do not depend on the tokenizer.
    """

    loss: float
    tokens: int
    bytes: int

    @property
    def perplexity(self) -> float:
        """exp(loss): among how many equally likely tokens the model seems to choose.

        Capped where a float ends, for models that are far astray.
        """
        return math.exp(min(self.loss, 709.0))

    @property
    def bits_per_byte(self) -> float:
        """Bits that the model needs per byte of text; compares across tokenizers."""
        return self.loss * self.tokens / math.log(2) / self.bytes

    def to_dict(self) -> dict[str, float | int]:
        """As `mgpt-tui eval --json` prints it."""
        return {
            "loss": self.loss,
            "perplexity": self.perplexity,
            "bits_per_byte": self.bits_per_byte,
            "tokens": self.tokens,
            "bytes": self.bytes,
        }


def together(scores: Sequence[Score]) -> Score:
    """The score of all that these are of."""
    tokens = sum(score.tokens for score in scores)
    loss = sum(score.loss * score.tokens for score in scores) / max(1, tokens)
    return Score(loss, tokens, sum(score.bytes for score in scores))


@dataclass(frozen=True, slots=True)
class Sample:
    """A text that the model wrote while it was being trained.

    Attributes:
        prompt: what it was given; clean (see `text.clean_text`).
        text: how it went on; clean.
    """

    prompt: str
    text: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A look at the model on held-out stories.

    Attributes:
        train_loss: mean training loss since the evaluation before, in nats per token.
        validation: the score on held-out stories.
        best: whether no earlier evaluation of the run was better.
        checkpoint: the folder that was saved.
        sample: what the model wrote, where that was asked for.
    """

    train_loss: float
    validation: Score
    best: bool
    checkpoint: Path
    sample: Sample | None = None


@dataclass(frozen=True, slots=True)
class StepMetrics:
    """What one optimizer step did.

    Attributes:
        step: steps done so far, this one included.
        loss: training loss of this step, in nats per token.
        learning_rate: of AdamW.
        grad_norm: norm of the gradient before clipping.
        tokens: tokens read so far in the run.
        tokens_per_second: of this step.
        passes: how often the text has been read.
        smoothed_loss: moving average of `loss` over the steps so far (see `SMOOTHING`).
        seconds: time spent on steps in the run so far.
        mfu: share of the machine's peak that this step used ("model FLOPs utilisation").
        memory_bytes: allocated on a GPU, else resident in the process.
        memory_peak_bytes: the most of it so far in this process.
        evaluation: where this step ended with one.

    What a log of an older version does not tell is None.
    """

    step: int
    loss: float
    learning_rate: float
    grad_norm: float
    tokens: int
    tokens_per_second: float
    passes: float
    smoothed_loss: float | None = None
    seconds: float | None = None
    mfu: float | None = None
    memory_bytes: int | None = None
    memory_peak_bytes: int | None = None
    evaluation: Evaluation | None = None


STEP_FIELDS = tuple(entry.name for entry in fields(StepMetrics) if entry.name != "evaluation")
"""The figures of a step, as the log names them."""


def smoothed(before: float | None, value: float) -> float:
    """The moving average once `value` has come in; it begins with the first value."""
    return value if before is None else SMOOTHING * before + (1 - SMOOTHING) * value
