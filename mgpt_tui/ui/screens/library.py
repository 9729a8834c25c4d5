"""The saved stories: to open one, and to rename, duplicate, delete and bring in others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import ClassVar

from textual import on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList

from mgpt_tui.errors import UserError
from mgpt_tui.paths import expanded
from mgpt_tui.stories.library import Entry, StoryLibrary
from mgpt_tui.text import clean_text
from mgpt_tui.ui.screens.picker import Picker

DAY = 86400
UNITS = ((DAY, "day"), (3600, "hour"), (60, "minute"))


def ago(seconds: float) -> str:
    """A time span as people say it: `3 hours ago`."""
    for size, unit in UNITS:
        count = int(seconds // size)
        if count > 0:
            return f"{count} {unit}{'s' if count > 1 else ''} ago"
    return "just now"


def date(written: float, now: float) -> str:
    """When a story was written last: of late how long ago, else the day."""
    if now - written < 7 * DAY:
        return ago(now - written)
    return f"{datetime.fromtimestamp(written).astimezone():%Y-%m-%d}"


class LibraryScreen(Picker[Entry, Path]):
    """Answers with the document to open, or None.

    Args:
        library: the stories.
        in_use: the document of the story that is open; the room itself renames that one.
    """

    heading: ClassVar[str] = "Your stories"
    ways: ClassVar[str] = "enter open · f2 rename · f3 duplicate · del delete · f4 bring in"
    hint: ClassVar[str] = "find in names and texts"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "rename", show=False, priority=True),
        Binding("f3", "duplicate", show=False, priority=True),
        Binding("f4", "bring_in", show=False, priority=True),
        Binding("delete", "delete", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    LibraryScreen #answer {
        display: none;
    }
    """

    def __init__(self, library: StoryLibrary, in_use: Path | None = None) -> None:
        super().__init__()
        self._library = library
        self._in_use = in_use
        self._now = time.time()
        self._take_answer: Callable[[str], None] | None = None
        self._doomed: Path | None = None
        self._place = 0
        self._done = ""

    def more(self) -> ComposeResult:
        yield Input(id="answer", compact=True)

    def foot(self) -> str:
        return str(self._library.folder)

    def on_mount(self) -> None:
        self.show((), "Looking for stories…")
        self.find("")

    def find(self, wanted: str) -> None:
        """Show the stories that hold what was typed."""
        self._place = 0
        self.load(partial(self._library.search, wanted))

    def loaded(self, rows: Sequence[Entry]) -> None:
        self._now = time.time()
        wanted = self.query_one("#find", Input).value.strip()
        self.show(rows, "No story has this." if wanted else "No story yet.", at=self._place)
        if self._done:
            if self._take_answer is not None:
                self._close_answer()
            self.say(self._done)
            self._done = ""

    def row(self, row: Entry) -> Content:
        size = f"{row.words:,} word{'' if row.words == 1 else 's'}"
        facts = f"{size} · {date(row.modified, self._now)}"
        if row.path == self._in_use:
            facts += " · open now"
        line = f"✗ {row.trouble}" if row.trouble else row.first_line
        return Content.assemble(
            (clean_text(row.name), "bold"), "  ", facts, "\n  ", (clean_text(line), "dim")
        )

    def answer(self, row: Entry) -> Path | None:
        return row.path

    # Changing what is there.

    def action_rename(self) -> None:
        self.when_shown(self._ask_name)

    def _ask_name(self) -> None:
        entry = self._changeable("/rename gives it another name")
        if entry is not None:
            self._ask("Another name, then enter.", entry.name, partial(self._rename, entry))

    def _rename(self, entry: Entry, name: str) -> None:
        self._change(lambda: f"Renamed: {self._library.rename(entry, name).name}")

    def action_duplicate(self) -> None:
        self.when_shown(self._duplicate)

    def _duplicate(self) -> None:
        entry = self.at
        if entry is not None:
            self._change(lambda: f"Copied: {self._library.duplicate(entry).name}")

    def action_delete(self) -> None:
        field = self.focused
        if isinstance(field, Input) and field.cursor_position < len(field.value):
            raise SkipAction()  # there is a letter to delete
        self.when_shown(self._delete)

    def _delete(self) -> None:
        entry = self._changeable("it cannot be deleted meanwhile")
        if entry is None:
            return
        if self._doomed != entry.path:
            self._doomed = entry.path
            self.say(f"Delete {entry.name}? Press delete again; it goes to the trash folder.")
            return
        self._place = self.query_one(OptionList).highlighted or 0
        self._change(lambda: f"Moved to {self._library.delete(entry)}", keep_place=True)

    def action_bring_in(self) -> None:
        self._ask("Path of a .txt, .md or .json to make a story of, then enter.", "", self._import)

    def _import(self, path: str) -> None:
        self._change(
            lambda: f"Brought in: {self._library.import_text(expanded(path.strip())).name}"
        )

    def _changeable(self, why_not: str) -> Entry | None:
        """The story under the cursor, unless it is the open one."""
        entry = self.at
        if entry is not None and entry.path == self._in_use:
            self.say(f"This story is open now; {why_not}.", bad=True)
            return None
        return entry

    def _change(self, change: Callable[[], str], *, keep_place: bool = False) -> None:
        """Change something and say it; then everything is listed anew."""
        field = self.query_one("#find", Input)
        if not keep_place:
            self._place = 0
            with field.prevent(Input.Changed):
                field.value = ""
        wanted = field.value

        def work() -> list[Entry]:
            self._done = change()
            return self._library.search(wanted)

        self._doomed = None
        self.load(work, must=True)

    # Asking.

    def _ask(self, question: str, offered: str, take: Callable[[str], None]) -> None:
        field = self.query_one("#answer", Input)
        field.value = offered
        field.display = True
        field.focus()
        self._take_answer = take
        self.say(question)

    @on(Input.Submitted, "#answer")
    def answered(self, event: Input.Submitted) -> None:
        """Do what was asked about; where that fails, the answer can be mended."""
        event.stop()
        if self._take_answer is not None and event.value.strip():
            self._take_answer(event.value)

    def _close_answer(self) -> None:
        self._take_answer = None
        self.query_one("#answer", Input).display = False
        self.query_one("#find", Input).focus()

    def action_cancel(self) -> None:
        """Leave the question, else the dialog."""
        if self._take_answer is None:
            self.dismiss(None)
            return
        self._close_answer()
        self.say(self.foot())

    def action_move(self, how: str) -> None:
        self._doomed = None
        if self._take_answer is None:
            super().action_move(how)

    def complain(self, error: UserError) -> None:
        self._done = ""
        super().complain(error)
