"""Reading: moving through the story, and looking into how it came about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.actions import SkipAction

from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write
from mgpt_tui.paths import expanded
from mgpt_tui.stories.documents import check_folder
from mgpt_tui.stories.paragraphs import apart
from mgpt_tui.ui.arguments import COPIES
from mgpt_tui.ui.room.desk import Desk

# What looks inside is a seventh of all that the app imports, so it is imported when it is opened.
if TYPE_CHECKING:
    from mgpt_tui.ui.screens.lessons.screen import Bookmark


class Reading:
    """The part of the room where the story is read."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._bookmark: Bookmark | None = None

    def moved(self, *, at_end: bool) -> None:
        """The end came into view or left it: say that there is more below where it is not."""
        self._desk.screen.query_one("#below").display = not at_end

    def action_jump_end(self) -> None:
        prompt = self._desk.prompt
        in_prompt = prompt.has_focus and not prompt.cursor_at_end_of_line
        if in_prompt or self._desk.panel.has_focus_within:
            raise SkipAction()
        self._desk.story_pane.jump_end()

    def action_jump_top(self) -> None:
        self._desk.story_pane.scroll_home(animate=False)

    def action_page_up(self) -> None:
        self._desk.story_pane.scroll_page_up(animate=False)

    def action_page_down(self) -> None:
        self._desk.story_pane.scroll_page_down(animate=False)

    def action_copy_text(self, what: str = "story") -> None:
        which, _, file = what.partition(" ")
        if which not in COPIES:
            raise UserError(
                f"{which} cannot be copied.", "Give story or passage, and a file if you want one."
            )
        story = self._desk.session.story
        text = apart(story.text if which == "story" else story.spans[-1].text.strip())
        if file:
            path = expanded(file.strip())
            check_folder(path)
            atomic_write(path, f"{text}\n", new=True)
            self._desk.say(f"Copied to {path}")
        else:
            self._desk.screen.app.copy_to_clipboard(text)

    def action_inside(self) -> None:
        self.look_at(None)

    def look_at(self, offset: int | None) -> None:
        """Look inside at a character of the story, or at its end."""
        from mgpt_tui.ui.screens.inside.screen import InsideScreen

        if self._desk.is_ready():
            self._desk.ask(InsideScreen(self._desk.session, offset))

    def action_lessons(self) -> None:
        from mgpt_tui.ui.screens.lessons.screen import Bookmark, LessonsScreen

        if self._desk.is_ready():
            self._bookmark = self._bookmark or Bookmark()
            self._desk.ask(LessonsScreen(self._desk.session, self._bookmark))
