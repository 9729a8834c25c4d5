"""What views are asked about a text, and the words in which they answer.

Nothing here needs numpy, which the app's process does without.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mgpt_tui.inference.request import ContextPart, SamplingSettings, Until


class View(StrEnum):
    """What can be looked at."""

    TOKENS = "tokens"
    SURPRISE = "surprise"
    DRAW = "draw"
    ATTENTION = "attention"
    LENS = "lens"
    PARTS = "parts"
    NEURONS = "neurons"
    MUTE = "mute"
    COSTS = "costs"
    WHAT_IF = "what_if"
    TRACE = "trace"
    AGAIN = "again"
    FIRING = "firing"
    BESIDE = "beside"


LONG = (View.COSTS, View.TRACE, View.AGAIN)
"""What takes a second or more and is told bit by bit."""

WAITING = (*LONG, View.BESIDE)
"""What is not answered between the tokens of a text: also what may have to load a model first."""


LETTERS = {"previous": "p", "first": "f", "same": "s", "induction": "i", "none": "·"}
"""Of the kinds of heads."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """A passage up to the token whose draw is asked for; the context is what stands before it.

    Attributes:
        settings: with which it was drawn.
        tokens: of the passage, that token the last; none for what could come next, undrawn.
        lead: text of the passage that no token brought, see `held_back`.
        seed: of the passage; None where nobody drew the token, as it is the writer's.
        muted: what was muted while it was written, see `names.spell_muted`.
        until: how far the passage was to go.
        note: what the model had in view before the story then.
    """

    settings: SamplingSettings
    tokens: tuple[int, ...]
    lead: str = ""
    seed: int | None = None
    muted: str = ""
    until: Until = Until.LENGTH
    note: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked about a text; what a view has no use for is not looked at.

    Attributes:
        view: what to look at.
        token: the number of the token whose choice is asked for; None is what could come next.
        target: the token whose chance or logit is told, by its id or its text; left out, the
            token that was chosen, or the likeliest.
        minus: another one, whose logit is taken off.
        layer, index: which head's weights are told, or which neuron's activations.
        count: how many guesses of a station, neurons of a layer, neighbours ... to tell of.
        draw: which draw; of a passage that is written again, its last.
        mute: names of parts, as `names` reads them; "" for none.
        mean: mute them by their mean over the shipped stories rather than by zero.
        instead: the changed story, beside which the context is the original.
        model: another model, whose look is asked for, as `--model` takes it; the context is text.
        at: character of the text at which that one is to choose.
        rival: take off the logit of the likeliest other token, where `minus` names none.
    """

    view: View
    token: int | None = None
    target: int | str | None = None
    minus: int | str | None = None
    layer: int = 1
    index: int = 1
    count: int = 5
    draw: Drawing | None = None
    mute: str = ""
    mean: bool = False
    instead: tuple[ContextPart, ...] = ()
    rival: bool = False
    model: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class Said:
    """A token.

    Attributes:
        token: its id.
        text: what it says; a part of a character is U+FFFD, `<|endoftext|>` nothing.
    """

    token: int
    text: str


@dataclass(frozen=True, slots=True)
class Guess:
    """A token that could come, and how likely it is."""

    token: int
    text: str
    p: float


@dataclass(frozen=True, slots=True)
class Interval:
    """The part of [0, 1) in which a number draws a token."""

    token: int
    text: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Merge:
    """A pair that byte-pair encoding joined.

    Attributes:
        left, right: what they say.
        rank: of what they became; the lower, the earlier it is joined.
    """

    left: str
    right: str
    rank: int


@dataclass(frozen=True, slots=True)
class Near:
    """A token or a position whose embedding is near to another.

    Attributes:
        number: of the token, or of the position from 0.
        text: what the token says.
        cosine: of the angle between the two.
    """

    number: int
    text: str
    cosine: float
