"""Other versions: side by side, word by word, and the map of them all."""

from __future__ import annotations

from textual import on

from mgpt_tui.errors import UserError
from mgpt_tui.ui.comparison import MOST
from mgpt_tui.ui.conversation import Phase
from mgpt_tui.ui.messages import EngineSpoke
from mgpt_tui.ui.screens.another_word import AnotherWordScreen, OtherWord
from mgpt_tui.ui.screens.branches import BranchesScreen
from mgpt_tui.ui.screens.compare import CompareScreen
from mgpt_tui.ui.screens.desk import Desk
from mgpt_tui.ui.widgets.story_pane import StoryPane

SAMPLES = 3
"""Continuations side by side, where no number is given."""


class Branching(Desk):
    """The part of the room where one story becomes several."""

    def action_compare(self, number: str = str(SAMPLES)) -> None:
        samples = int(number) if number.isdecimal() and len(number) < 3 else 0
        if not 2 <= samples <= MOST:
            raise UserError(f"{number} cannot be compared.", f"Give a number from 2 to {MOST}.")
        if not self._is_ready():
            return
        self.session.compare(samples)
        self.app.push_screen(CompareScreen(self.session, samples), self._keep_candidate)

    @on(EngineSpoke)
    def show_versions(self) -> None:
        """What came may be for a dialog in front."""
        front = self.app.screen
        if isinstance(front, CompareScreen | AnotherWordScreen) and front.is_mounted:
            front.show_session()

    def _keep_candidate(self, choice: int | None) -> None:
        self.session.keep(choice)
        self.act()

    def action_another_word(self) -> None:
        if not self.session.story.boundaries:
            self.say("The model has written nothing here yet.")
        elif self._is_ready():
            self.session.stop()
            self.act()
            self.app.push_screen(AnotherWordScreen(self.session), self._put_word)

    @on(StoryPane.Picked)
    def pick_word(self, message: StoryPane.Picked) -> None:
        """Look for other words where the model's text was clicked; the story stays where it is."""
        tokens = self.session.story.boundaries
        if not any(start <= message.offset < end for start, end, _ in tokens):
            self.query_one(StoryPane).text_select_all()  # an edit has broken the token there
        elif self.is_current and self._is_ready():
            self.session.stop()
            self.show_session()
            screen = AnotherWordScreen(self.session, message.offset)
            self.app.push_screen(screen, self._put_word)

    def _put_word(self, word: OtherWord | None) -> None:
        if word is not None and self._is_ready():
            self.session.choose(word.offset, word.text, word.token)
            self.act()

    def action_branches(self) -> None:
        self.session.stop()
        self.act()
        self.app.push_screen(BranchesScreen(self.session.story), self._go)

    def _go(self, node: int | None) -> None:
        if node is not None and node != self.session.story.here:
            self.session.go(node)
            self.act()

    def action_sibling(self, step: int) -> None:
        if not self.session.can_move:
            self.say("There is no other version of this passage. Retry makes one.")
            return
        self.session.move(step)
        self.act()

    def _is_ready(self) -> bool:
        if self.session.phase is not Phase.READY:
            self.say("The model is not ready yet.")
        return self.session.phase is Phase.READY
