"""What stands at the top, and the numbers above the prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from textual.app import ComposeResult
from textual.containers import Horizontal

from mgpt_tui.inference.process.messages import Ready
from mgpt_tui.inference.request import SamplingSettings
from mgpt_tui.stories.story import Author, Story
from mgpt_tui.text import clean_text, counted
from mgpt_tui.ui.keymap import KeyNames
from mgpt_tui.ui.session.meter import Meter
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.session.supervisor import Phase
from mgpt_tui.ui.widgets.plain import Plain

FULL, EMPTY = "▰", "▱"
BAR_WIDTHS = (10, 5, 0)
SPARED = (1, 4, 0)
"""What gives way where no bar is left, one after the other: the pace, the seed, the version."""
GAP = "   "
CAME, TO_COME = "✓", "○"
MUTED = 20
"""Characters of what is muted."""


def short_count(number: int) -> str:
    """A count of parameters as people say it: 15M, 260K, 1.2B."""
    for unit, size in (("B", 10**9), ("M", 10**6), ("K", 10**3)):
        if number >= size:
            count = number / size
            return f"{count:.1f}{unit}" if count < 9.95 and unit == "B" else f"{count:.0f}{unit}"
    return str(number)


class TopBar(Horizontal):
    """The story's name at the left; at the right who wrote how much, what learns and the model."""

    ALLOW_SELECT = False

    def compose(self) -> ComposeResult:
        yield Plain(classes="title")
        yield Plain(classes="words")
        yield Plain(classes="learning")
        yield Plain(classes="model")

    def show(self, title: str, model: str, ready: Ready | None) -> None:
        """Show the names; the model's size once it is known."""
        size = f" {short_count(ready.parameters)}" if ready else ""
        name = Path(model).name if Path(model).is_absolute() else model
        for place, said in ((".title", title), (".model", f"{name}{size}")):
            self.query_one(place, Plain).say(clean_text(said))

    def learning(self, said: str) -> None:
        """Say how it is with the model that learns."""
        line = self.query_one(".learning", Plain)
        line.set_class(bool(said), "-said")
        line.say(clean_text(said))

    def count(self, words: dict[Author, int]) -> None:
        """Show how many words each has written; nothing before there are any."""
        yours, models = words[Author.WRITER], words[Author.MODEL]
        said = f"you {yours:,}, model {models:,} words" if yours or models else ""
        shown = self.query_one(".words", Plain)
        shown.say(said, layout=len(said) != len(shown.said))


class StatusLine(Plain):
    """How full the context is, how fast the model writes, and with which settings.

    Args:
        names: what the keys in force are called.
    """

    def __init__(self, names: KeyNames, **attributes: Any) -> None:
        super().__init__(**attributes)
        self._names = names

    def show(self, session: Session, line: str = "") -> None:
        """Show how `session` stands; `line` is what is said of the line that is typed."""
        self.say(status(session, self.content_size.width or 78, self._names, line), layout=False)


def status(session: Session, width: int, names: KeyNames, line: str = "") -> str:
    """The status in one line of `width` cells; on a narrow screen the bar gives way.

    What is said of the line that is typed takes the place of the settings.
    """
    if session.phase is Phase.LOADING:
        waiting = " It will go on with your story in a moment." if session.is_waiting else ""
        return f"the model is loading…{waiting}"
    if session.phase is Phase.DOWN:
        return f"{session.trouble} {names.fill('{Send} tries again.')}"
    where, aim, parts = version(session.story), goal(session.story), without(session)
    numbers = [where, rate(session.meter), aim, parts, seed(session), settings(session.settings)]
    if wished := checklist(session):
        numbers = [where, "", "", parts, "", wished]
    if line:
        numbers = [where, "", aim, parts, "", line]
    for bar in BAR_WIDTHS:
        for gap in (GAP, GAP[1:]):
            if len(shown := joined(gap, context(session, bar), *numbers)) <= width:
                return shown
    for spared in SPARED:
        numbers[spared] = ""
        if len(shown := joined(GAP[1:], context(session, 0), *numbers)) <= width:
            break
    return shown


def joined(gap: str, *parts: str) -> str:
    """The parts that say something, with `gap` in between."""
    return gap.join(part for part in parts if part)


def context(session: Session, bar: int) -> str:
    """`context ▰▰▱▱ 132/256`, of how many where the model no longer reads all, and the note's."""
    meter = session.meter
    size, length, start = meter.block_size, meter.context_tokens, meter.window_start
    if length is None and not session.story.spans:
        length = 0
    seen = 0 if length is None else length - start
    full = min(bar, round(bar * seen / size))
    picture = f"{FULL * full}{EMPTY * (bar - full)} " if bar else ""
    number = "–" if length is None else str(seen)
    note = f", note {meter.note_tokens}" if meter.note_tokens else ""
    return f"context {picture}{number}/{size}" + (f" of {length}" if start else "") + note


def version(story: Story) -> str:
    """Which of the versions of the last passage is shown, where there are several."""
    siblings = story.siblings
    place = siblings.index(story.here) + 1
    return f"version {place} of {len(siblings)}" if len(siblings) > 1 else ""


def goal(story: Story) -> str:
    """How many of the words that the writer wants the story has."""
    return f"{sum(story.words.values()):,} of {counted(story.goal, 'word')}" if story.goal else ""


def rate(meter: Meter) -> str:
    """Tokens per second, or nothing before any were made."""
    return f"{meter.rate:.0f} tok/s" if meter.rate else ""


def without(session: Session) -> str:
    """What of the model is muted from the next passage on."""
    muted = session.muted
    return f"without {muted if len(muted) <= MUTED else f'{muted[: MUTED - 1]}…'}" if muted else ""


def seed(session: Session) -> str:
    """The seed that is set, else the one that wrote what is shown last."""
    value = session.settings.seed if session.settings.seed is not None else session.story.seed
    return "" if value is None else f"seed {value}"


def checklist(session: Session) -> str:
    """The words that are to come, those that did ticked off; nothing where there are none."""
    listed = session.wishes.listed(session.settings)
    return " ".join(f"{CAME if came else TO_COME} {word}" for word, came in listed)


def settings(sampling: SamplingSettings) -> str:
    """The settings of the next generation."""
    top_k = "off" if sampling.top_k is None else sampling.top_k
    return f"T {sampling.temperature:g}  k {top_k}  len {sampling.max_tokens}"
