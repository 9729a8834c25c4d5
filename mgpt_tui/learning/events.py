"""What `mgpt-tui learn --json` prints: one JSON object a line, and what the app reads of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, get_args

from mgpt_tui.inference.process.lines import ProtocolError, build
from mgpt_tui.text import clean_text, counted


@dataclass(frozen=True, slots=True)
class Planned:
    """What learning takes, told before it begins.

    Attributes:
        name: of the model that comes of it.
        model: the one that it begins with.
        stories: to learn from; `held_out` are kept apart to see how well it does.
        words: of all of them together.
        tokens: to learn from.
        steps: that there will be, unless it learns no more before.
        passes: how often the text will be read then.
        seconds: that the steps to come take; None where they are too few to tell.
        memory, disk: bytes that it takes, and how many are free (None where nobody tells).
        told: time, memory and disk in one line for people.
    """

    name: str
    model: str
    stories: int
    held_out: int
    words: int
    tokens: int
    steps: int
    passes: float
    seconds: float | None
    memory: int
    memory_free: int | None
    disk: int
    disk_free: int
    told: str


@dataclass(frozen=True, slots=True)
class Doing:
    """What goes on beside the steps, in a few words."""

    what: str


@dataclass(frozen=True, slots=True)
class Stepped:
    """A step was done.

    Attributes:
        step: how many were, of `steps`.
        loss: on the stories that are learnt, of the last few steps, in nats a token.
        left: seconds that the rest takes; None while that cannot be told.
    """

    step: int
    steps: int
    loss: float
    left: float | None


@dataclass(frozen=True, slots=True)
class Scored:
    """How well the model does on the stories that are held out.

    Attributes:
        step: after which; 0 is the model that it began with.
        bits_per_byte: that it needs for them; less is better.
        best: whether it was never better.
        sample: what it writes by now; "" at step 0.
    """

    step: int
    bits_per_byte: float
    best: bool
    sample: str


@dataclass(frozen=True, slots=True)
class Recited:
    """A story of which the model says more by heart than chance has it.

    Attributes:
        beginning: what it was given of the story.
        words: how many of the story's own words came then, in a row.
        text: those.
    """

    beginning: str
    words: int
    text: str


@dataclass(frozen=True, slots=True)
class Learnt:
    """It is done.

    Attributes:
        model: what to write with, as `--model` takes it.
        step: of the best checkpoint, which is kept.
        before, after: bits a byte on the stories held out.
        asked: how many stories' beginnings it was given.
        recited: those that it went on with by heart.
    """

    model: str
    step: int
    before: float
    after: float
    asked: int
    recited: tuple[Recited, ...]


@dataclass(frozen=True, slots=True)
class Stopped:
    """It was stopped; what was learnt up to that step is kept, and can be gone on with.

    Attributes:
        name: of the run.
        step: the last one that was done.
        signal: the number of the signal that asked for it.
    """

    name: str
    step: int
    signal: int


@dataclass(frozen=True, slots=True)
class Dropped:
    """What was learnt under that name is gone."""

    name: str


@dataclass(frozen=True, slots=True)
class Refused:
    """It cannot be, or not go on: why, and what helps."""

    message: str
    remedy: str


Event = Planned | Doing | Stepped | Scored | Learnt | Stopped | Dropped | Refused
_KINDS: dict[str, type] = {kind.__name__.casefold(): kind for kind in get_args(Event)}


def encode(event: Event) -> str:
    """An event as a line of JSON, without its end."""
    return json.dumps({"event": type(event).__name__.casefold(), **asdict(event)})


def decode(line: str | bytes) -> Event | None:
    """The inverse of `encode`; None for what is no such line, such as a library's own words."""
    try:
        content = json.loads(line)
        kind: Any = _KINDS[content.pop("event")]
        event: Event = build(kind, content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, ProtocolError):
        return None
    return event


def outcome(learnt: Learnt) -> Iterator[str]:
    """What came of it, in lines for the writer."""
    yield (
        f"{learnt.model} has learnt your stories. Those held out took {learnt.before:.3f} bits a "
        f"byte before, and take {learnt.after:.3f} now."
    )
    if learnt.after >= learnt.before:
        yield "It has not become better at stories like these: more of them would help."
    stories = counted(learnt.asked, "story", "stories")
    if learnt.recited:
        yield (
            f"It knows {len(learnt.recited)} of {stories} by heart, so whoever has this model can "
            "have them out of it:"
        )
        for one in learnt.recited:
            yield f"  {clean_text(one.beginning)}… ({counted(one.words, 'word')})"
    elif learnt.asked:
        yield f"Given the beginning of {stories}, it says none by heart."
