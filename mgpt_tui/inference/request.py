"""What is asked of the engine and what it answers, without torch."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum

from mgpt_tui.settings_fields import setting, validate
from mgpt_tui.text import TextChunk as TextChunk  # made by the tokenizer, sent by the engine


@dataclass(frozen=True, slots=True, kw_only=True)
class SamplingSettings:
    """How the next token is chosen.

    Raises:
        UserError: where a value is out of range.
    """

    temperature: float = setting(
        0.8, "how daring the choice of words is", minimum=0, maximum=10, note="0 is greedy"
    )
    top_k: int | None = setting(50, "choose among the K likeliest tokens", minimum=1, off="off")
    max_tokens: int = setting(200, "length of the continuation, in tokens", minimum=1)
    seed: int | None = setting(
        None,
        "the same seed writes the same text; left out, a new one is drawn",
        minimum=0,
        maximum=2**63 - 1,
    )

    def __post_init__(self) -> None:
        validate(self)


def fresh_seed() -> int:
    """A seed for a generation that was not given one; short enough to be typed again."""
    return secrets.randbelow(2**31)


class FinishReason(StrEnum):
    """Why a generation ended."""

    END = "end"  # the model wrote <|endoftext|>
    LENGTH = "length"  # max_tokens reached
    STOP = "stop"  # a stop string was met
    CANCELLED = "cancelled"  # the reader stopped it


@dataclass(frozen=True, slots=True)
class Finished:
    """The end of one generation.

    Attributes:
        reason: why it ended.
        tokens: how many tokens were kept. Tokens of an unfinished character are dropped.
        seconds: time the engine worked on it, reading the context included; what the reader
            of the chunks did in between is not.
        seed: the seed that reproduces the text.
        window_start: first token that the model still sees (0 until the context is full).
        context_tokens: tokens read so far, the first <|endoftext|> included.
    """

    reason: FinishReason
    tokens: int
    seconds: float
    seed: int
    window_start: int
    context_tokens: int

    @property
    def tokens_per_second(self) -> float:
        """Rate of decoding; 0.0 where nothing was generated."""
        return self.tokens / self.seconds if self.seconds > 0 else 0.0
