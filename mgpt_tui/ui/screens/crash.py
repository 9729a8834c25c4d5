"""After a crash: the story that was open is offered again."""

from __future__ import annotations

from typing import ClassVar

from textual import events
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical

from mgpt_tui.stories.library import Entry
from mgpt_tui.text import clean_text
from mgpt_tui.ui.screens.dialog import Dialog
from mgpt_tui.ui.widgets.plain import Plain


def is_text(event: events.Key | events.Paste) -> bool:
    """Whether this is typing, which is no answer to the offer: it is meant for the prompt."""
    return isinstance(event, events.Paste) or event.is_printable


class CrashScreen(Dialog[bool]):
    """Answers whether to go on with a story.

    Args:
        entry: the story.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "dismiss(True)", "open", show=False),
        Binding("escape", "dismiss(False)", "later", show=False),
    ]

    def __init__(self, entry: Entry) -> None:
        super().__init__()
        self._entry = entry

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box")
        box.border_title = "You were writing"
        box.border_subtitle = "enter opens it · esc leaves it for later"
        with box:
            words = f"{self._entry.words} words" if self._entry.words != 1 else "1 word"
            yield Plain(
                f"The app ended before it could put a story away. It is kept:\n\n"
                f"  {clean_text(self._entry.name)}  ({words})\n"
                f"  {clean_text(self._entry.first_line)}"
            )
