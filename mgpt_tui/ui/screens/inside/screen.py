"""The look inside: the story, and how the token under the cursor was chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.css.query import NoMatches

from mgpt_tui.errors import UserError
from mgpt_tui.inference.inspection.answers import Answer, SurpriseView
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.ui.screens.dialog import STEPS, LiveDialog
from mgpt_tui.ui.screens.inside import attention, layers, neurons, parts, surprise
from mgpt_tui.ui.screens.inside.asking import Asking
from mgpt_tui.ui.screens.inside.finding import found
from mgpt_tui.ui.screens.inside.line import Line
from mgpt_tui.ui.screens.inside.sight import Chosen, Field, Place, Sight, bits, said
from mgpt_tui.ui.screens.inside.walk import Walk
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.session.supervisor import Phase
from mgpt_tui.ui.widgets.plain import Plain

SIGHTS = {
    sight.digit: sight
    for sight in (surprise.SIGHT, attention.SIGHT, layers.SIGHT, parts.SIGHT, neurons.SIGHT)
}
OWN_KEYS = sorted({key for sight in SIGHTS.values() for key in (*sight.keys, *sight.fields)})
WIDE = 110
"""Columns from which the view stands beside the story."""


class InsideScreen(LiveDialog[None]):
    """Walks over the tokens of the story.

    Args:
        session: whose story it is, with a model that is ready.
    """

    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (WIDE, "-wide")]  # noqa: RUF012
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f9,q", "dismiss(None)", "close", show=False),
        *STEPS,
        Binding("up", "rise(1)", show=False, priority=True),
        Binding("down", "rise(-1)", show=False, priority=True),
        Binding("question_mark", "about", show=False),
        Binding("slash", "find", show=False),
        Binding("n", "find_next", show=False),
        *(Binding(digit, f"sight('{digit}')", show=False) for digit in SIGHTS),
        *(Binding(key, f"own('{key}')", show=False, priority=True) for key in OWN_KEYS),
    ]

    def __init__(self, session: Session) -> None:
        super().__init__()
        self._session = session
        self._asking = Asking(session)
        self._text: SurpriseView | None = None
        self._story = session.story  # that it is about
        self._sight: Sight = surprise.SIGHT
        self._word = ""  # that was looked for
        self._number = 10**9  # the end; made to fit once it is known
        self._chosen = Chosen()
        self._about = False
        self._answer: Answer | None = None
        self._trouble = ""  # why there is none

    def compose(self) -> ComposeResult:
        box = Container(id="inside", classes="box whole")
        box.border_subtitle = "←→↑↓ walk · / finds · digits: views · ? how · esc leaves"
        with box:
            yield Walk(id="walk")
            with Container(id="view"):
                yield Plain(id="token")
                yield Plain(id="plainly", classes="help")
                with VerticalScroll(id="seen", can_focus=False):
                    yield Plain(id="numbers")
            yield Line(id="foot")

    def on_mount(self) -> None:
        self.query_one(Walk).focus()
        self.show_session()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    @property
    def is_told(self) -> bool:
        """Whether nothing more is on its way."""
        return self._answer is not None and not self._asking.is_waiting

    # What is pressed.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While something is typed, keys go there."""
        if self.is_mounted and self._line.is_open:
            return False
        return super().check_action(action, parameters)

    def action_step(self, by: int) -> None:
        """Go to the token before or after."""
        self._go(self._number + by)

    def action_rise(self, lines: int) -> None:
        """Go to the token a line above or below."""
        self._go(self.query_one(Walk).above(lines))

    @on(Walk.Pointed)
    def point(self, message: Walk.Pointed) -> None:
        """Go to the token that was clicked."""
        self._go(message.number)

    def _go(self, number: int) -> None:
        self._number = self._within(number)
        self.show_session()

    def _within(self, number: int) -> int:
        last = len(self._text.tokens) + 1 if self._text else number
        return min(max(1, number), last)

    def action_sight(self, digit: str) -> None:
        """Choose a view."""
        if SIGHTS[digit] is not self._sight:
            self._answer = None
        self._sight, self._about = SIGHTS[digit], False
        self.show_session()

    def action_about(self) -> None:
        """Show what the view computes instead of it, or it again."""
        self._about = not self._about
        self._draw()

    def action_own(self, key: str) -> None:
        """A key of the view's own."""
        if self._answer is not None and key in self._sight.keys:
            self._choose(self._sight.keys[key](self._answer, self._chosen))
        elif self._text is not None and key in self._sight.fields:
            field, place = self._sight.fields[key], self._place(self._text)
            self._line.open(field.label, field.begin(place), lambda text: self._fill(field, text))

    def _fill(self, field: Field, typed: str) -> None:
        """Take what was typed for a view; where that cannot be, say why, so that it is mended."""
        assert self._text is not None
        try:
            chosen = field.take(typed, self._place(self._text))
        except UserError as error:
            self._line.say(f"{error.message} {field.label}")
            return
        self._line.action_close()
        self._choose(chosen)

    def action_head(self, layer: int, head: int) -> None:
        """Choose a head; clicks on one do so."""
        self._choose(replace(self._chosen, layer=layer, head=head))

    @property
    def _line(self) -> Line:
        return self.query_one(Line)

    @on(Line.Closed)
    def walk_on(self) -> None:
        """Keys are for the story again."""
        self.query_one(Walk).focus()

    def action_find(self) -> None:
        """Ask for a word to go to."""
        self._line.open("find", self._word, self._find)

    def action_find_next(self) -> None:
        """Go to the next place of the word that was asked for."""
        self._find(self._word) if self._word else self.action_find()

    def _find(self, word: str) -> None:
        if not word or self._text is None:
            return
        self._word = word
        ends = [token.end for token in self._text.tokens]
        number = found(word, self._story.text, ends, self._number)
        self._line.say("find" if number else "nowhere")
        self._go(number or self._number)

    def _choose(self, chosen: Chosen) -> None:
        self._chosen = chosen
        self.show_session()

    # What is shown.

    def show_session(self) -> None:
        """Ask what is not known yet, and show what is; where the story grew, follow it."""
        if not self.query("#seen"):  # it is closed
            return
        if self._session.phase is Phase.READY:
            self._ask()
        elif self._session.phase is Phase.DOWN:
            self._trouble = self._session.trouble
        self._draw()

    def _ask(self) -> None:
        asking = self._asking
        if self._session.story.text != asking.story.text and not asking.is_waiting:
            asking = self._asking = Asking(self._session)
        question = asking.ask(surprise.WANTED)
        if question.answer is not None and isinstance(question.answer.answer, SurpriseView):
            self._take(question.answer.answer)
            wanted = self._sight.ask(self._place(question.answer.answer))
            if isinstance(wanted, str):
                self._trouble = wanted
                return
            question = asking.ask(wanted)
        self._trouble = question.trouble
        if question.answer is not None and self._text is not None:
            self._answer = question.answer.answer

    def _take(self, told: SurpriseView) -> None:
        at_end = self._text is None or self._number > len(self._text.tokens)
        self._text, self._story = told, self._asking.story
        self._number = len(told.tokens) + 1 if at_end else self._within(self._number)

    def _place(self, text: SurpriseView) -> Place:
        model = self._session.model
        rows, width = self._room
        return Place(
            text=text,
            number=self._number,
            chosen=self._chosen,
            story=self._story,
            settings=self._session.settings,
            fingerprints=model.fingerprints if model is not None else (),
            rows=rows,
            width=width,
        )

    def _draw(self) -> None:
        try:
            numbers = self.query_one("#numbers", Plain)
        except NoMatches:  # it is closed
            return
        self.query_one("#inside").border_title = self._tabs()
        text, sight = self._text, self._sight
        if text is None:
            numbers.update(Content(self._trouble or "the model reads…"))
            return
        self._show_story(text)
        place = self._place(text)
        self.query_one("#token", Plain).update(_title(place))
        self.query_one("#plainly", Plain).say(sight.line)
        if self._about:
            numbers.update(Content(_flowing(sight.about)))
        elif self._answer is not None and not self._trouble:
            numbers.update(Content("\n").join(sight.draw(self._answer, place)))
        else:
            numbers.update(Content(self._trouble or "the model looks…"))

    @property
    def _room(self) -> tuple[int, int]:
        """Rows and cells that a view has."""
        width, height = self.query_one("#seen").size
        return max(6, height), max(30, width - 1)

    def _tabs(self) -> Content:
        tabs = [
            (f" {each.digit} {each.title} ", "reverse bold" if each is self._sight else "")
            for each in SIGHTS.values()
        ]
        return Content.assemble(*tabs)

    def _show_story(self, text: SurpriseView) -> None:
        """The story, and below it the bars of the view or those of all views."""
        bars = surprise.of_text(text)
        if self._sight.bars is not None and self._answer is not None:
            bars = self._sight.bars(self._answer, self._chosen)
        ends, unseen = [token.end for token in text.tokens], self._window_start()
        walk = self.query_one(Walk)
        walk.show(self._story.text, ends, self._number, bars.levels, bars.first, unseen)

    def _window_start(self) -> int:
        model = self._session.model
        if model is None:
            return 0
        return replace(GPTConfig(), block_size=model.block_size).window_start(self._number)


def _flowing(text: str) -> str:
    """A text with a line for each paragraph."""
    return "\n\n".join(" ".join(part.splitlines()) for part in text.split("\n\n"))


def _title(place: Place) -> Content:
    """Which token it is, and how surprising."""
    token, last = place.token, len(place.text.tokens)
    if token is None:
        return Content.assemble(("What could come next", "bold"), f", after {last} tokens")
    return Content.assemble(
        (said(token.text), "bold reverse"),
        f" token {place.number} of {last}, {bits(token.logprob)}",
    )
