"""What a view of the look is, and how all of them say words, chances and amounts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from rich.cells import set_cell_size
from textual.content import Content

from mgpt_tui.inference.inspection import BITS
from mgpt_tui.inference.inspection.answers import Answer, Scored, SurpriseView
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.stories.story import Story
from mgpt_tui.text import one_line
from mgpt_tui.ui.session.asking import Sofar, Wanted
from mgpt_tui.ui.session.session import Session

EIGHTHS = " ▏▎▍▌▋▊▉"
START, END = "⟨start⟩", "⟨the end⟩"


@dataclass(frozen=True, slots=True)
class Put:
    """Words that are put in place of characters `start` to `end` of the story."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Chosen:
    """What one has chosen in the views, each of which looks at its own.

    Attributes:
        layer, head: from 1.
        carried: whether to show what attention brought rather than its weights.
        part: name of the part that the cursor of the map is on.
        muted: names of the parts that are muted, by their mean or by zero.
        costs: whether it is asked what each head costs.
        again: whether the passage is written again with what is muted.
        put: what stands in place of a word.
        traced: number of the token whose chance is traced, or that of what could come next.
        neuron: name of the neuron whose places are shown; "" for none.
        beside: name of another model that is looked into, too; "" for none.
        rival: whether to compare the token with the likeliest other one.
    """

    layer: int = 1
    head: int = 1
    carried: bool = False
    part: str = "L1H1"
    muted: tuple[str, ...] = ()
    mean: bool = False
    costs: bool = False
    again: bool = False
    put: Put | None = None
    traced: int | Literal["next"] | None = None
    neuron: str = ""
    beside: str = ""
    rival: bool = False


@dataclass(frozen=True, slots=True)
class Spot:
    """Where one looks.

    Attributes:
        text: all tokens of the story, and how surprising they were.
        number: of the token, from 1; one more than there are for what could come next.
        chosen: in the views.
        story: that `text` is about, as it stood; it may have grown since.
        settings: with which the model would go on.
        fingerprints: by which the story knows the model.
        muted: what the room writes without, see `names.spell_muted`.
        model: its name.
    """

    text: SurpriseView
    number: int
    chosen: Chosen
    story: Story
    settings: SamplingSettings
    fingerprints: tuple[str, ...]
    muted: str
    model: str

    @property
    def token(self) -> Scored | None:
        """The token; None at the end, where none has come yet."""
        return self.text.tokens[self.number - 1] if self.number <= len(self.text.tokens) else None

    @property
    def asked_number(self) -> int | None:
        """The number as `Asked.token` has it."""
        return None if self.token is None else self.number

    def word(self, number: int) -> str:
        """What a token of the story says; number 0 stands before it."""
        return said(self.text.tokens[number - 1].text) if number else START


@dataclass(frozen=True, slots=True)
class Place(Spot):
    """Where one looks, what is known there, and how much room there is to say it.

    Attributes:
        answer: the view's last one.
        is_stale: whether it is where one looked before, as what is asked now has no answer yet.
        slowly: what the view is told bit by bit.
        rows, width: rows of `width` cells.
    """

    answer: Answer | None
    is_stale: bool
    slowly: Sofar
    rows: int
    width: int


@dataclass(frozen=True, slots=True)
class Bars:
    """What stands below the story.

    Attributes:
        levels: from 0 to 1, a token each; below 0 where there is less of something, down to -1.
        first: number of the token that the first is of; 0 stands before the story.
        marked: numbers of tokens that are pointed at instead.
    """

    levels: Sequence[float]
    first: int = 1
    marked: Collection[int] = ()


@dataclass(frozen=True, slots=True)
class Field:
    """What can be typed for a view.

    Attributes:
        label: what it is for, a word or two.
        begin: what stands there at first; None where nothing can be typed.
        take: what is chosen once it was typed.

    Raises:
        UserError: of `take`, where that cannot be; it is told there and can be mended.
    """

    label: str
    begin: Callable[[Place], str | None]
    take: Callable[[str, Place], Chosen]


@dataclass(frozen=True, slots=True)
class Slow:
    """What a view is told bit by bit, once a key asks for it; the same key stops that.

    Attributes:
        keys: what is chosen by each.
        take_back: what is chosen without any.
        ask: what is asked of the engine; None where nothing was chosen.
    """

    keys: Mapping[str, Callable[[Place], Chosen]]
    take_back: Callable[[Chosen], Chosen]
    ask: Callable[[Spot], Wanted | None]


@dataclass(frozen=True, slots=True)
class Sight:
    """A view: what is asked, and how the answer is drawn.

    Attributes:
        digit: the key that chooses it.
        title: a word.
        line: what it shows, in plain words.
        about: its formula, where that is from, and where in gpt.py it happens.
        ask: what is asked of the engine at a spot; a text is said instead where nothing is to be
            asked. What was asked before is not asked again.
        draw: the answer, as lines; of what is told bit by bit, all that is known by now.
        bars: what stands below the story; how surprising its tokens are, where left out.
        keys: what a key changes in what is chosen, given the last answer.
        fields: what a key opens to be typed.
        slow: what takes long, beside that.
        acts: what a key does in the room.
    """

    digit: str
    title: str
    line: str
    about: str
    ask: Callable[[Spot], Wanted | str]
    draw: Callable[[Answer, Place], list[Content]]
    bars: Callable[[Answer, Place], Bars] | None = None
    keys: Mapping[str, Callable[[Answer, Chosen], Chosen]] = field(default_factory=dict)
    fields: Mapping[str, Field] = field(default_factory=dict)
    slow: Slow | None = None
    acts: Mapping[str, Callable[[Session, Place], None]] = field(default_factory=dict)

    @property
    def own_keys(self) -> tuple[str, ...]:
        """All keys that are the view's own."""
        return (*self.keys, *self.fields, *(self.slow.keys if self.slow else ()), *self.acts)


def said(text: str) -> str:
    """What a token says as part of a line: a blank in front is seen, and nothing is obeyed."""
    shown = one_line(text).replace("␊", "↵")
    bare = shown.lstrip(" ")
    return "␣" * (len(shown) - len(bare)) + bare if shown else END


def cells(text: str, width: int) -> str:
    """A text cut or filled to so many cells."""
    return set_cell_size(text, width)


def bits(nats: float) -> str:
    """A surprisal, given as a logarithm of a chance: 3.2 bits."""
    return f"{max(0.0, -nats * BITS):.1f} bits"


def percent(share: float) -> str:
    """A chance in 7 cells; one that is not nothing is not told as nothing."""
    return " <0.1 %" if 0 < share < 0.0005 else f"{100 * share:5.1f} %"


def bar(share: float, width: int) -> str:
    """So much of `width` cells, to an eighth of a cell; what is not nothing is seen."""
    eighths = max(round(8 * width * min(1.0, share)), int(share > 0))
    return "█" * (eighths // 8) + (EIGHTHS[eighths % 8] if eighths % 8 else "")


def signed(amount: float, largest: float, width: int) -> Content:
    """A bar from the middle: to the right for more, to the left for less."""
    half = width // 2
    full = round(half * abs(amount) / largest) if largest else 0
    if amount < 0:
        return Content.assemble(" " * (half - full), ("▒" * full, "$error"), "│", " " * half)
    return Content.assemble(" " * half, "│", ("█" * full, "$accent"), " " * (half - full))


def filter_name(name: str, settings: SamplingSettings) -> str:
    """A filter with what it is set to."""
    match name:
        case "bias":
            return "bias and bans"
        case "repetition_penalty":
            return f"penalty {settings.repetition_penalty:g}"
        case "allowed":
            return "what may come"
        case "model":
            return "the model alone"
        case _:
            return f"{name.replace('_', '-')} {getattr(settings, name):g}"
