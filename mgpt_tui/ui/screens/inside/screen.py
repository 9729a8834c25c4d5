"""The look inside: the story, and how the token under the cursor was chosen."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from textual import events, on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll
from textual.content import Content
from textual.css.query import NoMatches

from mgpt_tui.errors import UserError
from mgpt_tui.text import counted
from mgpt_tui.ui.screens.dialog import STEPS, LiveDialog
from mgpt_tui.ui.screens.inside import (
    attention,
    drawn,
    layers,
    neurons,
    parts,
    surprise,
    tokens,
)
from mgpt_tui.ui.screens.inside.experiments import mute, what_if
from mgpt_tui.ui.screens.inside.finding import found
from mgpt_tui.ui.screens.inside.line import Line
from mgpt_tui.ui.screens.inside.look import Look
from mgpt_tui.ui.screens.inside.sight import Chosen, Field, Place, bits, said
from mgpt_tui.ui.screens.inside.walk import Walk
from mgpt_tui.ui.screens.models import BesideScreen
from mgpt_tui.ui.session.session import Session
from mgpt_tui.ui.widgets.plain import Plain
from mgpt_tui.ui.widgets.roomy import Roomy

SIGHTS = {
    sight.digit: sight
    for sight in (
        tokens.SIGHT,
        surprise.SIGHT,
        drawn.SIGHT,
        attention.SIGHT,
        layers.SIGHT,
        parts.SIGHT,
        neurons.SIGHT,
        mute.SIGHT,
        what_if.SIGHT,
    )
}
OWN_KEYS = sorted({key for sight in SIGHTS.values() for key in sight.own_keys})
WIDE = 110
"""Columns from which the view stands beside the story."""


class Room(Roomy, VerticalScroll, can_focus=False):
    """Where a view stands."""


class InsideScreen(LiveDialog[None]):
    """Walks over the tokens of the story.

    Args:
        session: whose story it is, with a model that is ready.
        offset: a character of the token to begin at; the end where left out.
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
        Binding("f8", "beside", show=False),
        *(Binding(digit, f"sight('{digit}')", show=False) for digit in SIGHTS),
        *(Binding(key, f"own('{key}')", show=False, priority=True) for key in OWN_KEYS),
    ]

    def __init__(self, session: Session, offset: int | None = None) -> None:
        super().__init__()
        self._look = Look(session, surprise.SIGHT, offset)
        self._word = ""  # that was looked for
        self._about = False

    def compose(self) -> ComposeResult:
        box = Container(id="inside", classes="box whole")
        box.border_subtitle = "←→↑↓ walk · / finds · digits: views · ? how · esc leaves"
        with box:
            yield Walk(id="walk")
            with Container(id="view"):
                yield Plain(id="token")
                yield Plain(id="plainly", classes="help")
                with Room(id="seen"):
                    yield Plain(id="numbers")
            yield Line(id="foot")

    def on_mount(self) -> None:
        self.query_one(Walk).focus()
        self.show_session()

    def on_unmount(self) -> None:
        self._look.leave()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    @on(Room.Resized)
    def room_changed(self) -> None:
        """Fill the room that there is."""
        self._draw()

    @property
    def is_told(self) -> bool:
        """Whether nothing more is on its way."""
        return self._look.is_told

    # What is pressed.

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While something is typed, keys go there."""
        if self.is_mounted and self._line.is_open:
            return False
        return super().check_action(action, parameters)

    def action_step(self, by: int) -> None:
        """Go to the token before or after."""
        self._look.step(by)
        self.show_session()

    def action_rise(self, lines: int) -> None:
        """Go to the token a line above or below."""
        self._go(self.query_one(Walk).above(lines))

    @on(Walk.Pointed)
    def point(self, message: Walk.Pointed) -> None:
        """Go to the token that was clicked."""
        self._go(message.number)

    def _go(self, number: int) -> None:
        self._look.go(number)
        self.show_session()

    def action_sight(self, digit: str) -> None:
        """Choose a view."""
        self._look.use(SIGHTS[digit])
        self._about = False
        self.show_session()

    def action_about(self) -> None:
        """Show what the view computes instead of it, or it again."""
        self._about = not self._about
        self._draw()

    def action_own(self, key: str) -> None:
        """A key of the view's own."""
        look = self._look
        if look.press(key):
            self.show_session()
        elif look.text is not None and key in look.sight.fields:
            field = look.sight.fields[key]
            if (text := field.begin(look.place)) is not None:
                self._line.open(field.label, text, lambda typed: self._fill(field, typed))

    def _fill(self, field: Field, typed: str) -> None:
        """Take what was typed for a view; where that cannot be, say why, so that it is mended."""
        try:
            chosen = field.take(typed, self._look.place)
        except UserError as error:
            self._line.refuse(f"{error.message} {error.remedy}")
            return
        self._line.action_close()
        self._choose(chosen)

    def action_beside(self) -> None:
        """Choose another model to look into beside this one; where there is one, leave it."""
        look = self._look
        if look.chosen.beside:
            self._beside("")
        elif look.text is not None:
            self.app.push_screen(BesideScreen(look.place.model), self._beside)

    def _beside(self, name: str | None) -> None:
        if name is not None:
            self._choose(replace(self._look.chosen, beside=name))

    def action_head(self, layer: int, head: int) -> None:
        """Choose a head; clicks on one do so."""
        self._choose(replace(self._look.chosen, layer=layer, head=head))

    def action_part(self, part: str) -> None:
        """Choose a part of the map; clicks on one do so."""
        self._choose(replace(self._look.chosen, part=part))

    def action_neuron(self, neuron: str) -> None:
        """Choose a neuron; clicks on one do so."""
        self._choose(replace(self._look.chosen, neuron=neuron))

    def _choose(self, chosen: Chosen) -> None:
        self._look.chosen = chosen
        self.show_session()

    @property
    def _line(self) -> Line:
        return self.query_one(Line)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """A click on the story ends what is typed, as it takes the keys."""
        if isinstance(event.widget, Walk) and self._line.is_open:
            self._line.action_close()

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
        look = self._look
        if not word or look.text is None:
            return
        self._word = word
        ends = [token.end for token in look.text.tokens]
        number = found(word, look.story.text, ends, look.number)
        self._line.say("find" if number else "nowhere")
        self._go(number or look.number)

    # What is shown.

    def show_session(self) -> None:
        """Ask what is not known yet, and show what is; where the story grew, follow it."""
        if self.query("#seen"):  # else it is closed
            self._look.update()
            self._draw()

    def _draw(self) -> None:
        try:
            numbers, room = self.query_one("#numbers", Plain), self.query_one("#seen").size
        except NoMatches:  # it is closed
            return
        look = self._look
        look.room = max(6, room.height), max(30, room.width - 1)
        self.query_one("#inside").border_title = self._tabs()
        if look.text is None:
            numbers.update(Content(look.trouble or "the model reads…"))
            return
        self._show_story(look.place)
        shown = look.shown
        looks = " …" if shown.is_stale and not look.trouble else ""
        self.query_one("#token", Plain).update(Content.assemble(_title(look.place), looks))
        self.query_one("#plainly", Plain).say(look.sight.line)
        if self._about:
            numbers.update(Content(_flowing(look.sight.about)))
        elif look.told is not None and not look.trouble:
            numbers.update(Content("\n").join(look.sight.draw(look.told.answer, shown)))
        else:
            numbers.update(Content(look.trouble or "the model looks…"))

    def _tabs(self) -> Content:
        """All views; with fewer blanks where there is little room."""
        names = [f" {each.digit} {each.title} " for each in SIGHTS.values()]
        is_tight = sum(map(len, names)) > self.size.width - 4
        if is_tight:
            names = [f"{each.digit}{each.title}" for each in SIGHTS.values()]
        tabs = [
            Content.styled(name, "reverse bold" if each is self._look.sight else "")
            for name, each in zip(names, SIGHTS.values(), strict=True)
        ]
        return Content(" " if is_tight else "").join(tabs)

    def _show_story(self, place: Place) -> None:
        """The story, and below it the bars of the view or those of all views."""
        ends, look = [token.end for token in place.text.tokens], self._look
        walk = self.query_one(Walk)
        walk.show(look.story.text, ends, look.number, look.bars, look.window_start)


def _flowing(text: str) -> str:
    """A text with a line for each paragraph."""
    return "\n\n".join(" ".join(part.splitlines()) for part in text.split("\n\n"))


def _title(place: Place) -> Content:
    """Which token it is, and how surprising."""
    token, last = place.token, len(place.text.tokens)
    if token is None:
        return Content.assemble(
            ("What could come next", "bold"), f", after {counted(last, 'token')}"
        )
    return Content.assemble(
        (said(token.text), "bold reverse"),
        f" token {place.number} of {last}, {bits(token.logprob)}",
    )
