"""Another word: walk over the model's words, see what else could have come, and choose it."""

from __future__ import annotations

import re
from itertools import pairwise
from typing import ClassVar, NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.style import Style
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from mgpt_tui.inference.process.messages import Seen
from mgpt_tui.inference.request import Alternative
from mgpt_tui.stories.paragraphs import are_close
from mgpt_tui.stories.story import Story
from mgpt_tui.text import clean_text
from mgpt_tui.ui.screens.dialog import STEPS, LiveDialog
from mgpt_tui.ui.session.questions import Question
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.session.supervisor import Phase
from mgpt_tui.ui.widgets.options import Options
from mgpt_tui.ui.widgets.plain import Plain

BEFORE, AFTER = 220, 160
"""Characters of the story that are shown around the chosen word."""
BAR = 16
"""Cells of the longest bar."""
EIGHTHS = " ▏▎▍▌▋▊▉"
"""What is drawn of a cell of which so many eighths are filled."""


def bar(share: float) -> str:
    """A bar of `BAR` cells, filled to a share, to the eighth of a cell; nothing is no bar."""
    full, eighths = divmod(round(8 * BAR * share), 8)
    return ("█" * full + (EIGHTHS[eighths] if eighths else "")).ljust(BAR)


def percent(share: float) -> str:
    """A share as it is told: one that is not nothing is not told as nothing."""
    return "<0.1 %" if 0 < share < 0.0005 else f"{100 * share:.1f} %"


def around(
    text: str, start: int, end: int, before: int = BEFORE, after: int = AFTER
) -> tuple[int, int]:
    """The part of a text to show with the stretch from `start` to `end`: whole words of it."""
    first, last = max(0, start - before), min(len(text), end + after)
    while 0 < first < start and not text[first - 1].isspace():
        first += 1
    while end < last < len(text) and not text[last].isspace():
        last -= 1
    # A word longer than what is shown is cut, for there is no other place.
    return (
        first if first < start else max(0, start - before),
        last if last > end else min(len(text), end + after),
    )


def set_apart(content: Content) -> Content:
    """Styled text as `apart` has it plain."""
    lines = content.split(include_separator=True)
    pairs = pairwise([*lines, Content("")])
    return Content.assemble(
        *(line + "\n" * are_close(line.plain, following.plain) for line, following in pairs)
    )


_WORD = re.compile(r"\s*\S+")


def places_of(story: Story) -> list[tuple[int, int]]:
    """Start and end of what each token of the model's brought, and of every other word.

    A word has the blanks before it, as tokens have.
    """
    places: list[tuple[int, int]] = []
    at, end = 0, len(story.text)
    for start, stop in (*((start, stop) for start, stop, _ in story.boundaries), (end, end)):
        places += [found.span() for found in _WORD.finditer(story.text, at, start)]
        places += [(start, stop)] if stop > start else []
        at = stop
    return places


class OtherWord(NamedTuple):
    """What was chosen: a place in the story, in characters, and what is to stand there."""

    offset: int
    text: str
    token: int


class OwnWord(NamedTuple):
    """What was typed: a place in the story, in characters, and what is to stand there."""

    offset: int
    text: str


class Again(NamedTuple):
    """That the model is to write anew what comes from a character of the story on."""

    offset: int


class Otherwise(NamedTuple):
    """That the model is to say otherwise what stands at a character of the story."""

    offset: int


class Inside(NamedTuple):
    """That one wants to look inside instead, at a character of the story."""

    offset: int


Answer = OtherWord | OwnWord | Again | Otherwise | Inside


class AnotherWordScreen(LiveDialog[Answer | None]):
    """Answers with the word that was chosen or typed, where to write anew or look inside, or None.

    Args:
        session: whose story it is; there is some.
        offset: a character of the word to begin at; the last one where left out.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel", show=False),
        Binding("f9", "inside", "look inside", show=False),
        Binding("ctrl+r", "again", "retry from here", show=False),
        Binding("alt+o", "otherwise", "bridge", show=False),
        *STEPS,
        *(
            Binding(key, f"choose('{key}')", show=False, priority=True)
            for key in ("up", "down", "enter")
        ),
    ]

    def __init__(self, session: Session, offset: int | None = None) -> None:
        super().__init__()
        self._session = session
        self._text = session.story.text
        self._places = places_of(session.story)
        at = len(self._text) if offset is None else offset
        before = (place for place, (start, _) in enumerate(self._places) if start <= at)
        self._place = max(before, default=0)
        self._question: Question[Seen] | None = None
        self._alternatives: tuple[Alternative, ...] = ()
        self._early: list[str] = []  # keys that wait for the alternatives

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box whole")
        box.border_title = "Another word"
        box.border_subtitle = (
            "←→ walk · ↑↓ enter picks · ctrl+r retries · alt+o bridge · f9 inside · esc"
        )
        with box:
            yield Plain(id="passage")
            yield Options(id="alternatives", compact=True)
            yield Input(
                placeholder="or type a word of your own",
                id="own",
                compact=True,
                select_on_focus=False,  # the letter that began it stays
            )
            yield Plain(
                "How likely each word is to the model; · marks what the settings leave out.",
                classes="help",
            )

    def on_mount(self) -> None:
        self.query_one(OptionList).focus()
        self._ask()

    def on_key(self, event: events.Key) -> None:
        """A letter begins a word of one's own."""
        if self._own is None and event.is_printable and event.character not in (None, " "):
            event.stop()
            own = self.query_one("#own", Input)
            own.focus()
            own.insert_text_at_cursor(event.character or "")

    @property
    def _own(self) -> Input | None:
        """The field for a word of one's own, while it is typed in."""
        return self.focused if isinstance(self.focused, Input) else None

    def action_step(self, by: int) -> None:
        """Go to the word before or after; in what is typed, by a letter."""
        if self._own is not None and self._own.value:
            self._own.cursor_position += by
        else:
            self.action_place(self._place + by)

    def action_again(self) -> None:
        """Have the model write anew from here on."""
        self.dismiss(Again(self._places[self._place][0]))

    def action_otherwise(self) -> None:
        """Have the model say the sentence otherwise."""
        self.dismiss(Otherwise(self._places[self._place][1] - 1))

    def action_place(self, place: int) -> None:
        """Go to a token by its number; clicks on the passage do so."""
        place = min(max(0, place), len(self._places) - 1)
        if place != self._place:
            self._place = place
            self._early.clear()
            if self.is_mounted:  # else that is still to come, and asks
                self._ask()

    def action_inside(self) -> None:
        """Look inside at the token."""
        self.dismiss(Inside(self._places[self._place][0]))

    def _ask(self) -> None:
        """Show the place, and ask the model what else could come there."""
        self._alternatives = ()
        self._question = self._session.look(self._places[self._place][0])
        self.query_one("#passage", Plain).update(self._passage())
        self._list([Option(Content("the model thinks…"), disabled=True)])

    def _passage(self) -> Content:
        """The story around the place, in which the model's tokens can be clicked."""
        start, end = self._places[self._place]
        first, last = around(self._text, start, end)
        content = Content(self._text[first:last])
        for place, (begin, stop) in enumerate(self._places):
            if first <= begin < last:
                click = Style.from_meta({"@click": f"screen.place({place})"})
                content = content.stylize(click, begin - first, min(stop, last) - first)
        return set_apart(content.stylize("reverse bold", start - first, end - first))

    def show_session(self) -> None:
        """Show the answer, once it is there; ask again where the engine died over it."""
        question = self._question
        if question is None:
            return
        if question.is_lost and self._session.phase is Phase.READY:
            question = self._question = self._session.look(self._places[self._place][0])
        if question.answer is None or self._alternatives:
            return
        self._alternatives = question.answer.distribution.alternatives
        start, end = self._places[self._place]
        now = self._text[start:end]
        best = max((choice.before for choice in self._alternatives), default=1.0) or 1.0
        options = []
        for choice in self._alternatives:
            mark = "·" if choice.after == 0 else " "
            here = "  (now)" if choice.text == now else ""
            word = repr(clean_text(choice.text))[1:-1]
            options.append(
                Option(
                    Content.assemble(
                        f"{percent(choice.before):>7} {mark} ",
                        (bar(choice.before / best), "$accent"),
                        "  ",
                        (word.replace(" ", "␣", 1) if word.startswith(" ") else word, "bold"),
                        here,
                    )
                )
            )
        self._list(options)
        early, self._early = self._early, []
        for key in early:
            self.action_choose(key)

    def _list(self, options: list[Option]) -> None:
        alternatives = self.query_one(OptionList)
        alternatives.clear_options()
        alternatives.add_options(options)
        alternatives.highlighted = None if options[0].disabled else 0

    def action_choose(self, key: str) -> None:
        """Walk over the alternatives, or take one; what is pressed too early waits for them."""
        if self._own is not None:
            word = self._own.value.strip()
            if key == "enter" and word:
                self._take(word)
                return
            self.query_one(OptionList).focus()
        if not self._alternatives:
            self._early.append(key)
            return
        alternatives = self.query_one(OptionList)
        if key == "enter":
            alternatives.action_select()
        elif key == "up":
            alternatives.action_cursor_up()
        else:
            alternatives.action_cursor_down()

    @on(OptionList.OptionSelected)
    def choose(self, event: OptionList.OptionSelected) -> None:
        """Answer with the word under the cursor."""
        if self._alternatives:
            choice = self._alternatives[event.option_index]
            start, _ = self._places[self._place]
            self.dismiss(OtherWord(start, choice.text, choice.token))

    def _take(self, word: str) -> None:
        """Answer with a word of one's own, behind the blanks that stood there."""
        start, end = self._places[self._place]
        now = self._text[start:end]
        blanks = now[: len(now) - len(now.lstrip())]
        self.dismiss(OwnWord(start, blanks + clean_text(word)))
