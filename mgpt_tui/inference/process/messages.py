"""What the app and the engine process say to each other: one JSON object a line.

Requests go to the child's standard input, events come from its standard output. Every message
is a plain dataclass; `encode` and `decode` are the whole protocol. Decoding is strict: a line
that is not exactly a message means that the other side is broken, and is never guessed at.
"""

from __future__ import annotations

import json
import sys
import types
from dataclasses import asdict, dataclass, is_dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any, NoReturn, Union, get_args, get_origin, get_type_hints

from mgpt_tui.errors import UserError
from mgpt_tui.inference.inspection.asked import Asked
from mgpt_tui.inference.request import (
    ContextPart,
    Distribution,
    Finished,
    SamplingSettings,
    Until,
)
from mgpt_tui.settings_fields import LARGEST_INT
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

    What looks inside stops too, where it is told bit by bit, and ends with `Replaced`.
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

    Raises:
        UserError: where there is no room for a context.
    """

    model: str
    parameters: int
    block_size: int
    fingerprint: str
    decoding: str
    aliases: tuple[str, ...] = ()

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
    """

    id: int
    context_tokens: int
    window_start: int
    seed: int


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


Question = Generate | Look | Measure | Inspect
"""What an engine answers, one after the other; the short ones also between tokens."""
Request = Question | Stop
Event = Ready | Started | Chunks | Ended | Seen | Measured | Inspected | Replaced | Failed | Died
Message = Request | Event

_SENT: dict[str, type] = {kind.__name__: kind for kind in get_args(Message) if kind is not Died}


class ProtocolError(ValueError):
    """A line that is no message."""


def encode(message: Message) -> bytes:
    """`message` as one line of ASCII JSON, newline included: its type's name and its fields."""
    content = {"type": type(message).__name__, **asdict(message)}
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """The inverse of `encode`.

    Raises:
        ProtocolError: where `line` is not one message with exactly its fields and their types.
    """
    try:
        content = json.loads(line, parse_constant=_not_finite)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"no JSON: {line[:80]!r}") from error
    name = content.pop("type", None) if isinstance(content, dict) else None
    if not isinstance(name, str) or name not in _SENT:
        raise ProtocolError(f"no message: {line[:80]!r}")
    try:
        message: Message = _build(_SENT[name], content)
    except RecursionError as error:  # in telling of a value that JSON has just managed
        raise ProtocolError("nested too deeply") from error
    return message


def _not_finite(constant: str) -> NoReturn:
    raise ValueError(constant)


def _build(hint: Any, value: Any) -> Any:
    """`value` from JSON as the type `hint`, or a `ProtocolError`."""
    if get_origin(hint) in (types.UnionType, Union):
        for option in get_args(hint):
            try:
                return _build(option, value)
            except ProtocolError:
                continue
    elif get_origin(hint) is tuple and isinstance(value, list):
        return tuple(_build(get_args(hint)[0], item) for item in value)
    elif is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        hints = _field_types(hint)
        if hints.keys() == value.keys():
            arguments = {name: _build(hints[name], item) for name, item in value.items()}
            try:
                return hint(**arguments)
            except UserError as error:
                raise ProtocolError(str(error)) from error
    elif isinstance(hint, type) and issubclass(hint, StrEnum):
        if isinstance(value, str) and value in list(hint):
            return hint(value)
    elif hint is float and type(value) in (int, float):
        # JSON's numbers have no bounds: 1e999 is read as infinity.
        if abs(value) <= sys.float_info.max:
            return float(value)
    elif hint is int and type(value) is int:  # not isinstance: True is no token
        if 0 <= value <= LARGEST_INT:  # ids, tokens, counts, seeds
            return value
    elif type(value) is hint:
        return value
    raise ProtocolError(f"{value!r:.80} is no {hint}")


@cache
def _field_types(message_type: type) -> dict[str, Any]:
    views: dict[str, Any] = {}
    if message_type is Inspected:
        # Thirty types that views are made of, imported when the first view is told.
        from mgpt_tui.inference.inspection.answers import Answer

        views = {"Answer": Answer}
    return get_type_hints(message_type, localns=views)
