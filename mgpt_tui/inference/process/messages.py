"""What the app and the engine process say to each other, in lines of JSON (see `lines`).

Requests go to the child's standard input, events come from its standard output. Every message
is a plain dataclass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mgpt_tui.errors import UserError
from mgpt_tui.inference.inspection.asked import Asked
from mgpt_tui.inference.request import (
    ContextPart,
    Distribution,
    Finished,
    Gap,
    SamplingSettings,
    Until,
    Way,
)
from mgpt_tui.text import TextChunk

if TYPE_CHECKING:
    from mgpt_tui.inference.inspection.answers import Answer

LONGEST_EVENT = 2**24
"""Bytes of a line from the engine; no event comes near it."""
LARGEST_COUNT = 1000
"""No more samples or alternatives are asked for at once; what is more is a mistake."""


@dataclass(frozen=True, slots=True)
class Generate:
    """Continue the story that `context` tells (without the first <|endoftext|>).

    Attributes:
        until: how far to go.
        samples: how many continuations, side by side; sample i has the seed of the first plus i.
        muted: what of the model is muted meanwhile, see `inspection.names.spell_muted`.

    Raises:
        UserError: where `samples` is out of range.
    """

    id: int
    context: tuple[ContextPart, ...]
    settings: SamplingSettings
    until: Until = Until.LENGTH
    samples: int = 1
    muted: str = ""

    def __post_init__(self) -> None:
        _check_count("samples", self.samples)


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop all of generation `id` after the current token; harmless when it has ended.

    What is told bit by bit, a look inside or bridges, stops too, and ends with `Replaced`.
    """

    id: int


@dataclass(frozen=True, slots=True)
class Look:
    """What could come next after `context`? Answered by `Seen`.

    Attributes:
        settings: whose filters the answer tells of.
        count: how many alternatives to tell of.

    Raises:
        UserError: where `count` is out of range.
    """

    id: int
    context: tuple[ContextPart, ...]
    settings: SamplingSettings
    count: int

    def __post_init__(self) -> None:
        _check_count("alternatives", self.count)


@dataclass(frozen=True, slots=True)
class Measure:
    """How many tokens of `context` would a generation read? Answered by `Measured`."""

    id: int
    context: tuple[ContextPart, ...]


@dataclass(frozen=True, slots=True)
class Rank:
    """How likely is each of some texts after `context`? Answered by `Ranked`.

    Raises:
        UserError: where there are none or too many, or one is empty.
    """

    id: int
    context: tuple[ContextPart, ...]
    candidates: tuple[str, ...]

    def __post_init__(self) -> None:
        _check_count("candidates", len(self.candidates))
        if "" in self.candidates:
            raise UserError("Nothing cannot be ranked.", "Give texts.")


@dataclass(frozen=True, slots=True)
class Tell:
    """How does a model, be it another one, go on from `context`? Answered by `Told`.

    Attributes:
        model: its name; "" for the one that writes.
    """

    id: int
    context: tuple[ContextPart, ...]
    settings: SamplingSettings
    model: str = ""


@dataclass(frozen=True, slots=True)
class Bridge:
    """What leads over a gap? Answered by `Bridged`, bit by bit.

    Attributes:
        settings: to write with, but for length and end.
        samples: how many ways to try; sample i has the seed of the first plus i.
        muted: as in `Generate`.

    Raises:
        UserError: where `samples` is out of range.
    """

    id: int
    gap: Gap
    settings: SamplingSettings
    samples: int
    muted: str = ""

    def __post_init__(self) -> None:
        _check_count("samples", self.samples)


@dataclass(frozen=True, slots=True)
class Inspect:
    """How did `context` come about, as one of the views has it? Answered by `Inspected`.

    A newer question for the same view takes the place of one that waits; that is then `Replaced`.

    Raises:
        UserError: where the count is out of range.
    """

    id: int
    context: tuple[ContextPart, ...]
    asked: Asked

    def __post_init__(self) -> None:
        _check_count("guesses or neurons", self.asked.count)


def _check_count(what: str, count: int) -> None:
    if not 1 <= count <= LARGEST_COUNT:
        raise UserError(
            f"{count} {what} cannot be asked for.", f"Ask for 1 to {LARGEST_COUNT} of them."
        )


@dataclass(frozen=True, slots=True)
class Ready:
    """The model is loaded.

    Attributes:
        model: the name it was asked for under.
        parameters: number of parameters.
        block_size: context length in tokens.
        fingerprint: of the model, see `manifest.fingerprints`.
        aliases: its fingerprints of other formats.
        decoding: how it is run, in words: precision, device, threads.
        muted_decoding: the same where parts of it are muted; "" where that is no other.

    Raises:
        UserError: where there is no room for a context.
    """

    model: str
    parameters: int
    block_size: int
    fingerprint: str
    decoding: str
    aliases: tuple[str, ...] = ()
    muted_decoding: str = ""

    def __post_init__(self) -> None:
        if self.block_size < 1:
            raise UserError("A model without a context cannot write.", "Take another one.")

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """All by which a story may know the model."""
        return (self.fingerprint, *self.aliases)


@dataclass(frozen=True, slots=True)
class Started:
    """Generation `id` begins.

    Attributes:
        context_tokens: tokens read, the first <|endoftext|> included.
        window_start: first of them that the model sees; above 0 where the context is too long.
        seed: the seed in use, drawn anew where the request left it out; sample i adds i to it.
        is_hurried: whether there was too little time to choose it well, so that the seed may bring
            another text the next time.
    """

    id: int
    context_tokens: int
    window_start: int
    seed: int
    is_hurried: bool = False


@dataclass(frozen=True, slots=True)
class Chunks:
    """New text of generation `id`: at least one piece."""

    id: int
    chunks: tuple[TextChunk, ...]
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Ended:
    """A sample of generation `id` is over; every chunk of it has been sent before."""

    id: int
    finished: Finished
    sample: int = 0


@dataclass(frozen=True, slots=True)
class Seen:
    """What request `id` wanted to look at."""

    id: int
    distribution: Distribution


@dataclass(frozen=True, slots=True)
class Measured:
    """What request `id` wanted to have counted; `context_tokens` as in `Started`."""

    id: int
    context_tokens: int


@dataclass(frozen=True, slots=True)
class Ranked:
    """What request `id` wanted to have ranked.

    Attributes:
        scores: of each candidate the mean log-probability of its tokens, in nats.
    """

    id: int
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """What request `id` wanted to have told: all of the text at once, and how it ended."""

    id: int
    text: str
    finished: Finished


@dataclass(frozen=True, slots=True)
class Bridged:
    """Ways over the gap of request `id`.

    Attributes:
        ways: the best by now that differ, the best first.
        now: what stands there now is worth, in bits as `Way.bits`.
        weighed: how many ways have been.
        more: whether another answer follows.
    """

    id: int
    ways: tuple[Way, ...]
    now: float
    weighed: int
    more: bool = False


@dataclass(frozen=True, slots=True)
class Inspected:
    """What request `id` wanted to look at.

    Attributes:
        answer: all that is known by now.
        more: whether another answer follows, as for views that are `LONG`.
    """

    id: int
    answer: Answer
    more: bool = False


@dataclass(frozen=True, slots=True)
class Replaced:
    """Request `id` is not answered, or no further: a newer one for its view came, or a `Stop`."""

    id: int


@dataclass(frozen=True, slots=True)
class Failed:
    """A request could not be served (`id`), or the engine not be started (`id` None).

    After the latter the process is gone, without `Died`; starting it again tries once more.
    """

    id: int | None
    message: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Died:
    """The engine process ended without being asked to; made by the client, never sent.

    What it was asked and has not answered is lost with it: no more is said of that.

    Attributes:
        exit_code: as the operating system gives it; negative for a signal.
    """

    exit_code: int


Question = Generate | Look | Measure | Rank | Tell | Bridge | Inspect
"""What an engine answers, one after the other; the short ones also between tokens."""
Request = Question | Stop
Answered = Seen | Measured | Ranked | Told | Bridged | Inspected | Replaced
Event = Ready | Started | Chunks | Ended | Answered | Failed | Died
Message = Request | Event
