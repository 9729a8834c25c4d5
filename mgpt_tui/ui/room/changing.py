"""Changing the story: steps back, other versions, and the story as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.actions import SkipAction

from mgpt_tui.errors import UserError
from mgpt_tui.ui.room.desk import Desk
from mgpt_tui.ui.room.drafting import Drafting
from mgpt_tui.ui.room.reading import Reading
from mgpt_tui.ui.screens.another_word import (
    Again,
    AnotherWordScreen,
    Answer,
    Inside,
    Otherwise,
    OtherWord,
    OwnWord,
)
from mgpt_tui.ui.screens.branches import BranchesScreen
from mgpt_tui.ui.screens.compare import CompareScreen
from mgpt_tui.ui.session.comparison import MOST

if TYPE_CHECKING:
    from mgpt_tui.ui.screens.bridge.bridging import Stretch

SAMPLES = 3
"""Continuations side by side, where no number is given."""


class Changing:
    """The part of the room where one story becomes another, or several."""

    def __init__(self, desk: Desk, drafting: Drafting, reading: Reading) -> None:
        self._reading = reading
        self._desk = desk
        self._drafting = drafting
        self._session = desk.session

    def action_undo(self) -> None:
        self._unless_typing()
        self._session.undo()
        self._desk.show_end()

    def action_redo(self) -> None:
        self._unless_typing()
        self._session.redo()
        self._desk.show_end()

    def _unless_typing(self) -> None:
        """Leave the key to the prompt where a line is being typed."""
        prompt = self._desk.prompt
        if prompt.has_focus and not prompt.is_empty:
            raise SkipAction()

    def action_edit(self) -> None:
        self._session.stop()
        self._desk.show()
        self._drafting.edit()

    # Several continuations.

    def action_compare(self, number: str = str(SAMPLES)) -> None:
        samples = int(number) if number.isdecimal() and len(number) < 3 else 0
        if not 2 <= samples <= MOST:
            raise UserError(f"{number} cannot be compared.", f"Give a number from 2 to {MOST}.")
        if not self._desk.is_ready():
            return
        self._desk.write_typed()
        self._session.compare(samples)
        self._desk.ask(CompareScreen(self._session, samples), self._keep)

    def _keep(self, choice: int | None) -> None:
        notices = self._session.keep(choice)
        self._desk.show_end()
        self._desk.tell(notices)

    # Another word.

    def action_another_word(self) -> None:
        if self._desk.is_ready():
            self._session.stop()
            self._desk.show_end()
            self._desk.ask(AnotherWordScreen(self._session), self._put_word)

    def picked(self, offset: int) -> None:
        """A word was clicked: what else the model could have said there, or how it reads yours."""
        if not self._desk.screen.is_current or not self._desk.is_ready():
            return
        tokens = self._session.story.boundaries
        if not any(start <= offset < end for start, end, _ in tokens):
            self._reading.look_at(offset)
        else:
            self._session.stop()
            self._desk.show()
            self._desk.ask(AnotherWordScreen(self._session, offset), self._put_word)

    def _put_word(self, word: Answer | None) -> None:
        if isinstance(word, Inside):
            self._reading.look_at(word.offset)
        elif isinstance(word, Otherwise):
            self._bridge_at(word.offset)
        elif word is not None and self._desk.is_ready():
            match word:
                case OtherWord():
                    self._session.choose(*word)
                case OwnWord():
                    self._session.put(*word)
                case Again():
                    self._session.retry_at(*word)
            self._desk.show_end()

    # A bridge.

    def action_bridge(self) -> None:
        self._bridge_at(None)

    def _bridge_at(self, offset: int | None) -> None:
        """Have a bridge marked, from a character of the story on, and look for it."""
        from mgpt_tui.ui.screens.bridge.bridging import places_of
        from mgpt_tui.ui.screens.bridge.marking import MarkScreen

        if not self._desk.is_ready():
            return
        self._session.stop()
        self._desk.show_end()
        text = self._session.story.text
        if places_of(text):
            self._desk.ask(MarkScreen(text, offset), self._bridge)
        else:
            self._desk.say("A bridge needs a sentence before it and a sentence after it.")

    def _bridge(self, stretch: Stretch | None) -> None:
        from mgpt_tui.ui.screens.bridge.bridging import Bridging
        from mgpt_tui.ui.screens.bridge.ways import WaysScreen

        if stretch is None or not self._desk.is_ready():
            return
        bridging = Bridging(self._session, stretch)

        def keep(number: int | None) -> None:
            if number is not None:
                bridging.keep(number)
                self._desk.show()

        self._desk.ask(WaysScreen(bridging), keep)

    # Other branches.

    def action_branches(self) -> None:
        self._session.stop()
        self._desk.show_end()
        self._desk.ask(BranchesScreen(self._session.story), self._go)

    def _go(self, node: int | None) -> None:
        if node is not None and node != self._session.story.here:
            self._session.go(node)
            self._desk.show_end()

    def action_sibling(self, step: int) -> None:
        session, before = self._session, self._session.story.here
        session.move(step)
        self._desk.show_end()
        if session.story.here == before:
            edge, back = ("first", "later") if step < 0 else ("last", "earlier")
            many = len(session.story.siblings)
            said = f"This is the {edge} of {many} versions; {{{back}_branch}} goes back."
            self._desk.say(self._desk.names.fill(said))
