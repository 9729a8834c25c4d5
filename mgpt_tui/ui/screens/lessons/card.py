"""What a card of the lessons is, and what all of them are made with.

A card's `look` is a generator: it yields what it wants to be told, is sent the answer, and in the
end returns what is to be seen. So it knows nothing of the engine, and where an answer may be asked
for by what another one said, that is a line.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace

from textual.content import Content

from mgpt_tui.inference.inspection.answers import (
    Answer,
    Asked,
    DrawView,
    Scored,
    SurpriseView,
    View,
)
from mgpt_tui.inference.inspection.asked import Drawing
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.ui.screens.inside.sight import START, Bars, said
from mgpt_tui.ui.session.asking import Wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a learner is, and what they have turned.

    Attributes:
        text: all tokens of the story, and how surprising they were.
        number: of the token under the cursor, from 1.
        part: how often tab was pressed, less how often shift+tab.
        dial: how often up was pressed, less how often down, within the card's `dials`.
        tries: how often something was drawn again.
        settings: of the writer's.
        rows: how many there is room for; as many cells as `width` in each.
        width: cells.
    """

    text: SurpriseView
    number: int
    part: int = 0
    dial: int = 0
    tries: int = 0
    settings: SamplingSettings = field(default_factory=SamplingSettings)
    rows: int = 8
    width: int = 76

    @property
    def token(self) -> Scored:
        """The token under the cursor, up to which the model has read."""
        return self.text.tokens[self.number - 1]

    @property
    def next(self) -> Scored | None:
        """The one that came after it; None at the end."""
        return self.text.tokens[self.number] if self.number < len(self.text.tokens) else None

    @property
    def asked(self) -> int | None:
        """The number of the token that is guessed once the one under the cursor is read."""
        return None if self.next is None else self.number + 1

    def word(self, number: int) -> str:
        """What a token says; number 0 stands before the story."""
        return said(self.text.tokens[number - 1].text) if number else START


@dataclass(frozen=True, slots=True)
class Seen:
    """What a card shows.

    Attributes:
        lines: below its words.
        bars: below the story; those of surprise where left out.
    """

    lines: list[Content]
    bars: Bars | None = None


Look = Generator[Wanted, Answer, Seen]


def seen(look: Look, answer: Callable[[Wanted], Answer | None]) -> Seen | None:
    """What a card shows; None where something that it wants to know is not known yet.

    Args:
        look: the card's.
        answer: the answer to what it wants, or None.
    """
    try:
        wanted = next(look)
        while (told := answer(wanted)) is not None:
            wanted = look.send(told)
    except StopIteration as end:
        shown: Seen = end.value
        return shown
    return None


STILL = range(1)
"""A dial that cannot be turned."""


def _still(place: Place) -> range:
    return STILL


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A lesson of one screen.

    Attributes:
        title: a word or two.
        words: what is computed, and where in gpt.py.
        to_do: what to try, and what is seen then.
        look: the numbers of a place in the story.
        dials: how far up and down turn something.
    """

    title: str
    words: str
    to_do: str
    look: Callable[[Place], Look]
    dials: Callable[[Place], range] = _still


ALONE = SamplingSettings(temperature=1.0, top_k=None)
"""What leaves the model's chances as they are."""


def draw(place: Place, settings: SamplingSettings, *, seed: int = 0, count: int = 5) -> Wanted:
    """How the token after the one under the cursor would be drawn.

    Args:
        place: in the story.
        settings: to draw with.
        seed: whose first number decides.
        count: how many candidates to tell of after each filter.
    """
    read = tuple(token.token for token in place.text.tokens[: place.number])
    came = place.next.token if place.next else 0  # at the end its share is not looked at
    drawing = Drawing(replace(settings, seed=None), (came,), seed=seed)
    return Wanted(Asked(View.DRAW, count=count, draw=drawing), context=(read,))


def drawn(answer: Answer) -> DrawView:
    """The answer to `draw`."""
    assert isinstance(answer, DrawView)
    return answer


def vocabulary(answer: Answer) -> int:
    """How many tokens the model knows, by the answer to a draw that leaves them all."""
    return drawn(answer).stages[0].left


def flowing(text: str) -> str:
    """A text whose lines are only those of the source, as one paragraph."""
    return " ".join(text.split())
