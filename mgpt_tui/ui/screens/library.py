"""The saved stories, to open one."""

from __future__ import annotations

import time
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from mgpt_tui.stories.library import Entry
from mgpt_tui.text import clean_text
from mgpt_tui.ui.widgets.plain import Plain

UNITS = ((86400, "day"), (3600, "hour"), (60, "minute"))


def ago(seconds: float) -> str:
    """A time span as people say it: `3 hours ago`."""
    for size, unit in UNITS:
        count = int(seconds // size)
        if count:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


class LibraryScreen(ModalScreen[Path | None]):
    """Answers with the document to open, or None.

    Args:
        entries: the saved stories, in the order to show.
        folder: where they are, to tell the writer.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel", show=False),
        Binding("down", "move('cursor_down')", show=False, priority=True),
        Binding("up", "move('cursor_up')", show=False, priority=True),
        Binding("pagedown", "move('page_down')", show=False, priority=True),
        Binding("pageup", "move('page_up')", show=False, priority=True),
    ]

    def __init__(self, entries: list[Entry], folder: Path) -> None:
        super().__init__()
        self._entries = entries
        self._folder = folder
        self._now = time.time()
        self._shown: list[Entry] = []

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box tall")
        box.border_title = "Open a story"
        box.border_subtitle = "type to find · enter opens · esc cancels"
        with box:
            yield Input(placeholder="find by name", id="find", compact=True)
            yield OptionList(id="stories", compact=True)
            yield Plain(str(self._folder), classes="help")

    def on_mount(self) -> None:
        self._list("")

    @on(Input.Changed)
    def find(self, event: Input.Changed) -> None:
        """Show the stories whose names hold what was typed."""
        self._list(event.value)

    @on(Input.Submitted)
    def choose(self) -> None:
        """Open the story under the cursor."""
        cursor = self.query_one(OptionList).highlighted
        if self._shown and cursor is not None:
            self.dismiss(self._shown[cursor].path)

    @on(OptionList.OptionSelected)
    def choose_with_mouse(self, event: OptionList.OptionSelected) -> None:
        """Open the story that was clicked."""
        if self._shown:
            self.dismiss(self._shown[event.option_index].path)

    def action_move(self, how: str) -> None:
        """Move the cursor in the list while the name is being typed."""
        getattr(self.query_one(OptionList), f"action_{how}")()

    def _list(self, wanted: str) -> None:
        words = wanted.casefold().split()
        self._shown = [
            entry for entry in self._entries if all(word in entry.name.casefold() for word in words)
        ]
        stories = self.query_one(OptionList)
        stories.clear_options()
        if self._shown:
            stories.add_options(self._option(entry) for entry in self._shown)
            stories.highlighted = 0
        else:
            text = "No story has such a name." if self._entries else "No story is saved yet."
            stories.add_option(Option(Content(text), disabled=True))

    def _option(self, entry: Entry) -> Option:
        when = ago(self._now - entry.modified)
        return Option(Content.assemble(clean_text(entry.name), "  ", (when, "dim")))
