"""Writing: sending lines, having the model go on, undo, and reading what is there."""

from __future__ import annotations

from textual import on
from textual.actions import SkipAction

from mgpt_tui.inference.request import Until
from mgpt_tui.ui.messages import EngineSpoke
from mgpt_tui.ui.screens.desk import Desk
from mgpt_tui.ui.screens.edit import EditScreen
from mgpt_tui.ui.widgets.prompt import Prompt
from mgpt_tui.ui.widgets.settings_panel import SettingsPanel
from mgpt_tui.ui.widgets.story_pane import StoryPane


class Writing(Desk):
    """The part of the room where the story grows, and is read."""

    @on(EngineSpoke)
    def hear(self, message: EngineSpoke) -> None:
        """Take in what the engine said."""
        self.tell(self.session.handle(message.events))
        self.show_session()

    @on(Prompt.Sent)
    def send(self, message: Prompt.Sent) -> None:
        """Add the line and let the model go on."""
        self.session.submit(message.text)
        self.act()

    def action_go_on(self, until: str) -> None:
        self.session.go_on(Until(until))
        self.act()

    def action_stop(self) -> None:
        self.session.stop()
        self.show_session()

    def action_retry(self) -> None:
        session = self.session
        last = session.story.spans[-1] if session.story.spans else None
        if session.settings.seed is not None and last and last.settings == session.settings:
            self.say("A seed is set, so the model writes the same again.")
        session.retry()
        self.act()

    def action_undo(self) -> None:
        self._unless_typing()
        self.session.undo()
        self.act()

    def action_redo(self) -> None:
        self._unless_typing()
        self.session.redo()
        self.act()

    def _unless_typing(self) -> None:
        """Leave the key to the prompt where a line is being typed."""
        prompt = self.query_one(Prompt)
        if prompt.has_focus and not prompt.is_empty:
            raise SkipAction()

    def action_edit(self) -> None:
        self.session.stop()
        self.show_session()
        self.app.push_screen(EditScreen(self.session.story.text), self._edited)

    def _edited(self, text: str | None) -> None:
        if text is not None:
            self.session.edit(text)
            self.act()

    # Reading.

    def action_jump_end(self) -> None:
        prompt = self.query_one(Prompt)
        in_prompt = prompt.has_focus and not prompt.cursor_at_end_of_line
        if in_prompt or self.query_one(SettingsPanel).has_focus_within:
            raise SkipAction()
        self.query_one(StoryPane).jump_end()

    def action_jump_top(self) -> None:
        self.query_one(StoryPane).scroll_home(animate=False)

    def action_page_up(self) -> None:
        self.query_one(StoryPane).scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        self.query_one(StoryPane).scroll_page_down(animate=False)

    @on(StoryPane.Moved)
    def moved(self, message: StoryPane.Moved) -> None:
        """Say that there is more below, where it is out of view."""
        self.query_one("#below").display = not message.at_end
