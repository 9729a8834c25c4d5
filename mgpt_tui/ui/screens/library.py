"""The saved stories: to open one, and to rename, duplicate, delete, bring in and back others."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import ClassVar, TypeVar

from textual import on
from textual.actions import SkipAction
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.widgets import Input, OptionList

from mgpt_tui.errors import UserError
from mgpt_tui.stories.library import Entry, StoryLibrary
from mgpt_tui.stories.shelf.imports import Brought, typed_paths
from mgpt_tui.text import clean_text, counted
from mgpt_tui.ui.screens.picker import Picker

Answer = TypeVar("Answer")

MOST_NAMED = 5
"""Names of stories that were brought in together."""
DAY = 86400
UNITS = ((DAY, "day"), (3600, "hour"), (60, "minute"))


def ago(seconds: float) -> str:
    """A time span as people say it: `3 hours ago`."""
    for size, unit in UNITS:
        count = int(seconds // size)
        if count > 0:
            return f"{counted(count, unit)} ago"
    return "just now"


def date(written: float, now: float) -> str:
    """When a story was written last: of late how long ago, else the day."""
    if now - written < 7 * DAY:
        return ago(now - written)
    return f"{datetime.fromtimestamp(written).astimezone():%Y-%m-%d}"


class Stories(Picker[Entry, Answer]):
    """A list of stories, each with the passage that holds what was typed.

    Attributes:
        in_use: the document of the story that is open.
    """

    hint: ClassVar[str] = "find in names and texts"
    in_use: Path | None = None
    none: ClassVar[str] = ""  # there at all

    def __init__(self, library: StoryLibrary) -> None:
        super().__init__()
        self._library = library
        self._now = time.time()

    def stories(self, wanted: str) -> list[Entry]:
        """The stories that hold what was typed."""
        raise NotImplementedError

    def on_mount(self) -> None:
        self.show((), "Looking for stories…")
        self.find("")

    def find(self, wanted: str) -> None:
        """Show the stories that hold what was typed."""
        self.load(partial(self.stories, wanted))

    def loaded(self, rows: Sequence[Entry]) -> None:
        self._show_stories(rows)

    def _show_stories(self, rows: Sequence[Entry], at: int = 0) -> None:
        self._now = time.time()
        wanted = self.query_one("#find", Input).value.strip()
        self.show(rows, "No story has this." if wanted else self.none, at=at)

    def row(self, row: Entry) -> Content:
        facts = f"{counted(row.words, 'word')} · {date(row.modified, self._now)}"
        if row.path == self.in_use:
            facts += " · open now"
        line = Content(clean_text(f"✗ {row.trouble}" if row.trouble else row.first_line))
        if row.passage is not None and not row.trouble:
            line = Content(row.passage.text)
            for start, end in row.passage.marks:
                line = line.stylize("bold reverse", start, end)
        return Content.assemble(
            (clean_text(row.name), "bold"), "  ", facts, "\n  ", line.stylize_before("dim")
        )


class LibraryScreen(Stories[Path]):
    """Answers with the document to open, or None.

    Args:
        library: the stories.
        in_use: the document of the story that is open; the room itself renames that one.
    """

    heading: ClassVar[str] = "Your stories"
    ways: ClassVar[str] = "enter open · f2 rename · f3 copy · del delete · f4 bring in · f5 trash"
    none: ClassVar[str] = "No story yet."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f2", "rename", show=False, priority=True),
        Binding("f3", "duplicate", show=False, priority=True),
        Binding("f4", "bring_in", show=False, priority=True),
        Binding("f5", "trash", show=False, priority=True),
        Binding("delete", "delete", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    LibraryScreen #answer {
        display: none;
    }
    """

    def __init__(self, library: StoryLibrary, in_use: Path | None = None) -> None:
        super().__init__(library)
        self.in_use = in_use
        self._take_answer: Callable[[str], None] | None = None
        self._doomed: Path | None = None
        self._place = 0
        self._sought: Path | None = None  # what the cursor goes to when it is listed
        self._done = ""

    def more(self) -> ComposeResult:
        yield Input(id="answer", compact=True)

    def foot(self) -> str:
        return str(self._library.folder)

    def stories(self, wanted: str) -> list[Entry]:
        return self._library.search(wanted)

    def find(self, wanted: str) -> None:
        self._place = 0
        super().find(wanted)

    def loaded(self, rows: Sequence[Entry]) -> None:
        paths = [row.path for row in rows]
        sought, self._sought = self._sought, None
        self._show_stories(rows, paths.index(sought) if sought in paths else self._place)
        if self._done:
            if self._take_answer is not None:
                self._close_answer()
            self.say(self._done)
            self._done = ""

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
        entry = self._changeable("it can be deleted once another is open")
        if entry is None:
            return
        if self._doomed != entry.path:
            self._doomed = entry.path
            self.say(f"Delete {entry.name}? Press delete again; it goes to the trash.")
            return
        self._place = self.query_one(OptionList).highlighted or 0

        def delete() -> str:
            self._library.delete(entry)
            return f"{entry.name} is in the trash; f5 brings it back."

        self._change(delete, keep_place=True)

    def action_bring_in(self) -> None:
        self._ask(
            "Paths of .txt, .md or .json, a folder or a pattern (*), then enter.", "", self._import
        )

    def _import(self, line: str) -> None:
        self._change(lambda: said_of(self._library.bring_in(typed_paths(line))))

    def action_trash(self) -> None:
        if self._take_answer is None:
            self.app.push_screen(TrashScreen(self._library), self._restore)

    def _restore(self, entry: Entry | None) -> None:
        if entry is None:
            return

        def restore() -> str:
            back = self._library.restore(entry)
            self._sought = back.path
            return f"Back from the trash: {back.name}"

        self._change(restore)

    def _changeable(self, why_not: str) -> Entry | None:
        """The story under the cursor, unless it is the open one."""
        entry = self.at
        if entry is not None and entry.path == self.in_use:
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
        self.query_one(".box").border_subtitle = "enter does it · esc leaves it"
        self.say(question)

    @on(Input.Submitted, "#answer")
    def answered(self, event: Input.Submitted) -> None:
        """Do what was asked about; where that fails, the answer can be mended."""
        event.stop()
        if self._take_answer is not None and event.value.strip():
            self._take_answer(event.value)

    def _close_answer(self) -> None:
        self._take_answer = None
        self.query_one(".box").border_subtitle = self.ways
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


class TrashScreen(Stories[Entry]):
    """Answers with the story to bring back, or None."""

    heading: ClassVar[str] = "The trash"
    ways: ClassVar[str] = "enter brings back · esc your stories"
    none: ClassVar[str] = "The trash is empty."

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("f5", "cancel", show=False, priority=True),
    ]

    def foot(self) -> str:
        return str(self._library.folder / "trash")

    def stories(self, wanted: str) -> list[Entry]:
        return self._library.trashed(wanted)

    def answer(self, row: Entry) -> Entry | None:
        return row


def said_of(brought: Brought) -> str:
    """What became of files, in a line.

    Raises:
        UserError: where there is no story of any of them.
    """
    names = [entry.name for entry in brought.taken]
    first = next(iter(brought.refused), None)
    if first is not None and not names:
        more = f" And {len(brought.refused) - 1} more." if brought.refused[1:] else ""
        raise UserError(first.message, f"{first.remedy}{more}")
    listed = ", ".join(names[:MOST_NAMED]) + (", …" if names[MOST_NAMED:] else "")
    said = f"Brought in: {listed}" if len(names) == 1 else f"Brought in {len(names)}: {listed}"
    if first is None:
        return said
    others = f"{len(brought.refused)} not: {first.message}" + (" …" if brought.refused[1:] else "")
    return f"{said} · ✗ {others}"
