"""What is asked of the engine and what it answers, without torch."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from mgpt_tui.settings_fields import LARGEST_INT, RANDOM, setting, validate
from mgpt_tui.text import TextChunk as TextChunk  # made by the tokenizer, sent by the engine


@dataclass(frozen=True, slots=True)
class Note:
    """What the writer wants kept in mind: it stands before the story, and never leaves the window.

    Attributes:
        text: one line of plain text, not empty.
    """

    text: str


ContextPart = str | tuple[int, ...] | Note
"""A piece of the story so far: text still to be encoded, or the tokens it was generated as.

A `Note` is no piece of it, and may only come first.
"""


def noted(note: str, context: Iterable[ContextPart]) -> tuple[ContextPart, ...]:
    """A context with a note before it; "" is none."""
    return (Note(note), *context) if note else tuple(context)


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
    top_p: float | None = setting(
        None,
        "choose among the fewest tokens that are this likely together",
        minimum=0,
        maximum=1,
        off="off",
    )
    min_p: float | None = setting(
        None,
        "leave out tokens less likely than this share of the likeliest",
        minimum=0,
        maximum=1,
        off="off",
    )
    repetition_penalty: float = setting(
        1.0,
        "make repeated tokens less likely",
        minimum=0.01,
        maximum=100,
        note="1 is off",
    )
    max_tokens: int = setting(200, "length of the continuation, in tokens", minimum=1, room=50)
    finish_sentence: bool = setting(
        True, "when the length is reached, go on to the end of the sentence"
    )
    seed: int | None = setting(
        None,
        "the same seed writes the same text; random or -1 draws a fresh one",
        minimum=0,
        maximum=LARGEST_INT,
        off=RANDOM,
    )
    stop: tuple[str, ...] = setting((), "end before this text; may be given several times")
    ban: tuple[str, ...] = setting((), "never choose this token; may be given several times")
    bias: tuple[str, ...] = setting(
        (),
        'TOKEN=X adds X to the logit of a token (" cat=-2"); may be given several times',
    )
    ignore_end: bool = setting(False, "never let the story end")
    end_after: int = setting(
        0,
        "words that the story has before it may end",
        minimum=0,
        note="0 lets it end at any time",
        room=100,
    )
    no_repeat: int | None = setting(
        None,
        "never write so many tokens in a row that stand there already",
        minimum=2,
        off="off",
        room=8,
    )
    no_sentence_twice: bool = setting(
        False, "never end a sentence of four words or more that stands there already", room=True
    )
    new_names: float = setting(
        1.0,
        "how much of its chance a new name keeps where the story has one (English)",
        minimum=0,
        maximum=1,
        note="1 is off",
        room=0.02,
    )
    words: tuple[str, ...] = setting(
        (),
        "words that are to come, in any of their forms; may be given several times",
        words=8,
    )

    def __post_init__(self) -> None:
        validate(self)


AUTO = "auto"
NATIVE = "native"
TORCH_PRECISIONS = ("fp32", "bf16", "int8")
"""What weights are packed to where torch computes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodingSettings:
    """How the model is run; texts of one seed may differ between them."""

    precision: str = setting(
        AUTO,
        "number format of the weights; native is int8 in compiled code, auto what is fastest here",
        choices=(AUTO, *TORCH_PRECISIONS, NATIVE),
    )
    threads: int | None = setting(
        None,
        "threads to compute with; auto takes what is fastest here",
        minimum=1,
        maximum=1024,
        off=AUTO,
    )

    def __post_init__(self) -> None:
        validate(self)


@dataclass(frozen=True, slots=True)
class Gap:
    """A place in a story that a bridge is to lead over.

    Attributes:
        before: what is before it, a note included.
        after: what comes after it.
        now: what stands there, which a bridge is to take the place of; "" for nothing.
    """

    before: tuple[ContextPart, ...]
    after: tuple[ContextPart, ...]
    now: str = ""


def fresh_seed() -> int:
    """A seed for a generation that was not given one; short enough to be typed again."""
    return secrets.randbelow(2**31)


def seed_after(seed: int, by: int) -> int:
    """The seed so many after another; the one after the largest is 0."""
    return (seed + by) % (LARGEST_INT + 1)


class Until(StrEnum):
    """How far a generation is to go, where nothing else ends it before."""

    LENGTH = "length"  # max_tokens
    WORD = "word"  # before the blank after a word
    SENTENCE = "sentence"  # after the closing mark of a sentence, and its closing quotation marks
    PARAGRAPH = "paragraph"  # before a newline
    END = "end"  # the end of the story, whatever max_tokens is


class FinishReason(StrEnum):
    """Why a generation ended."""

    END = "end"  # the model wrote <|endoftext|>
    LENGTH = "length"  # max_tokens reached; the sentence may have been finished after it
    STOP = "stop"  # a stop string was met, or what `Until` asked for is written
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


@dataclass(frozen=True, slots=True)
class Alternative:
    """A token that could come next.

    Attributes:
        token: its id.
        text: what it says, cleaned; "" ends the story.
        before: its probability by the model alone, at temperature 1.
        after: its share of the draw once all filters have passed; 0.0 where they leave it out.
    """

    token: int
    text: str
    before: float
    after: float


@dataclass(frozen=True, slots=True)
class Distribution:
    """What could come next.

    Attributes:
        alternatives: the likeliest tokens by the model alone, the likeliest first.
        entropy: of the model's distribution, in nats: how open the choice is.
    """

    alternatives: tuple[Alternative, ...]
    entropy: float


MOST_WAYS = 3
"""So many bridges over a gap are told, the best ones."""


@dataclass(frozen=True, slots=True)
class Way:
    """A bridge over a gap.

    Attributes:
        chunks: its text, and the tokens as which it was drawn.
        settings: with which they are drawn again, and no more than they.
        seed: of the draws.
        bits: how much less surprising what comes after is behind it than with nothing there.
    """

    chunks: tuple[TextChunk, ...]
    settings: SamplingSettings
    seed: int
    bits: float = 0.0

    @property
    def text(self) -> str:
        """What it says."""
        return "".join(chunk.text for chunk in self.chunks)

    @property
    def tokens(self) -> tuple[int, ...]:
        """The tokens of its chunks."""
        return tuple(token for chunk in self.chunks for token in chunk.tokens)
