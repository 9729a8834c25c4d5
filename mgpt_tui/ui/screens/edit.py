"""Editing: the whole story as text, to change anything in it."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from mgpt_tui.stories.paragraphs import apart, together
from mgpt_tui.text import clean_text
from mgpt_tui.ui.screens.dialog import Dialog
from mgpt_tui.ui.screens.finding import FindLine
from mgpt_tui.ui.widgets.plain import Plain
from mgpt_tui.ui.widgets.plain_text_area import PlainTextArea

YOURS = "What you change is yours; the model's words around it stay its own."
BACK = "The app ended while you changed this; it is not in the story yet."
FINDING = (
    "enter next · up the one before · in the second field enter replaces · "
    "ctrl+r replaces all · esc closes. Only a capital letter makes case matter."
)


class StoryEditor(PlainTextArea):
    """The whole story, the cursor at its end."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+home", "jump(False)", "to the top", show=False),
        Binding("ctrl+end", "jump(True)", "to the end", show=False),
    ]

    def on_mount(self) -> None:
        self.move_cursor(self.document.end)

    def action_jump(self, end: bool) -> None:
        self.move_cursor(self.document.end if end else (0, 0))


class EditScreen(Dialog[str | None]):
    """Answers with the text as the writer left it, or None where it is to stay as it was.

    Its paragraphs are set apart here; the empty lines that this put in are no part of the answer.

    Leaving keeps what was changed: one undo in the room takes it all back, whereas typing that
    a stray key threw away would be gone.

    Args:
        text: the story.
        typed: what the writer had made of it when the app ended; "" for nothing.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "done", show=False, priority=True),
        Binding("f4,ctrl+s", "done", "done", show=False, priority=True),
        Binding("ctrl+f", "find", "find", show=False, priority=True),
        Binding("ctrl+r", "replace_all", "replace all", show=False, priority=True),
        Binding("f10", "dismiss(None)", "forget", show=False, priority=True),
    ]

    def __init__(self, text: str, typed: str = "") -> None:
        super().__init__()
        self._text = text
        self._about = BACK if typed else YOURS
        self._editor = StoryEditor(typed or apart(text), id="editor")
        self._find_line = FindLine(self._editor)
        self._help = Plain(self._about, classes="help")

    @property
    def typed(self) -> str:
        """What stands there: the story as it is being changed, set apart."""
        return clean_text(self._editor.text)

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box whole")
        box.border_title = "Change anything in the story"
        box.border_subtitle = "ctrl+f finds · esc keeps the changes · f10 forgets them"
        with box:
            yield self._editor
            yield self._find_line
            yield self._help

    def action_find(self) -> None:
        """Ask for what is to be found, and for what is to stand in its place."""
        self._find_line.open()
        self._help.say(FINDING)

    def action_replace_all(self) -> None:
        """Replace all that is found."""
        if self._find_line.display:
            self._find_line.put_all()

    def action_leave(self) -> None:
        """Close what is open of it: the line to find with, or else all."""
        if self._find_line.display:
            self._find_line.close()
            self._help.say(self._about)
        else:
            self.action_done()

    def action_done(self) -> None:
        self.dismiss(together(self._text, self.typed))
