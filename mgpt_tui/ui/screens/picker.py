"""A dialog with a list of which one is picked; typing narrows it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Generic, TypeVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, OptionList
from textual.widgets.option_list import Option

from mgpt_tui.errors import UserError
from mgpt_tui.text import clean_text, without_middle
from mgpt_tui.ui.screens.dialog import Dialog
from mgpt_tui.ui.widgets.options import Options
from mgpt_tui.ui.widgets.plain import Plain

Row = TypeVar("Row")
Answer = TypeVar("Answer")


class Picker(Dialog[Answer | None], Generic[Row, Answer]):
    """Answers with what was picked, or None. What differs between lists is said by a subclass.

    Attributes:
        heading: over the dialog.
        ways: under it, what can be pressed.
        hint: in the field, while nothing is typed.
        listed: the rows in the list.
    """

    heading: ClassVar[str] = ""
    ways: ClassVar[str] = "type to find · enter picks · esc cancels"
    hint: ClassVar[str] = "find by name"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "cancel", show=False),
        Binding("down", "move('cursor_down')", show=False, priority=True),
        Binding("up", "move('cursor_up')", show=False, priority=True),
        Binding("pagedown", "move('page_down')", show=False, priority=True),
        Binding("pageup", "move('page_up')", show=False, priority=True),
    ]
    DEFAULT_CSS = """
    Picker {
        align: center middle;
        background: $background 60%;
    }
    Picker .heads {
        text-style: bold;
        color: $text-muted;
    }
    Picker OptionList {
        height: 1fr;
        background: $surface;
        text-wrap: nowrap;
        text-overflow: ellipsis;
    }
    Picker .said {
        color: $text-muted;
    }
    Picker .said.-bad {
        color: $text-error;
    }
    """

    class Loaded(Message):
        """A thread has read what it was asked for, or could not."""

        def __init__(self, rows: Sequence[Any], error: UserError | None, turn: int) -> None:
            super().__init__()
            self.rows = rows
            self.error = error
            self.turn = turn

    def __init__(self) -> None:
        super().__init__()
        self.listed: Sequence[Row] = ()
        self._turn = self._shown = 0
        self._then: Callable[[], None] | None = None  # what was asked for before the list came
        self._reading = threading.Lock()

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box tall")
        box.border_title = self.heading
        box.border_subtitle = self.ways
        with box:
            yield Input(placeholder=self.hint, id="find", compact=True)
            if self.heads():
                yield Plain(self.heads(), classes="heads")
            yield Options(id="list", compact=True)
            yield from self.more()
            yield Plain(self.foot(), classes="said")

    def more(self) -> ComposeResult:
        """What stands between the list and the foot."""
        return ()

    def heads(self) -> str:
        """The headings of the rows."""
        return ""

    def foot(self) -> str:
        """What stands under the list."""
        return ""

    def row(self, row: Row) -> Content:
        """A row as the list shows it."""
        raise NotImplementedError

    def answer(self, row: Row) -> Answer | None:
        """What picking a row answers; None where it cannot be picked."""
        raise NotImplementedError

    def find(self, wanted: str) -> None:
        """Bring the rows that what is typed asks for into the list, with `show`."""
        raise NotImplementedError

    def loaded(self, rows: Sequence[Row]) -> None:
        """Take in what `load` has read."""
        raise NotImplementedError

    def load(self, read: Callable[[], Sequence[Row]], *, must: bool = False) -> None:
        """Read rows in a thread, so that the screen never waits; then comes `loaded`.

        Args:
            read: gives the rows.
            must: whether `read` has to run even where it is overtaken by another.
        """
        self._turn += 1
        self.run_worker(partial(self._load, read, self._turn, must), thread=True)

    def _load(self, read: Callable[[], Sequence[Row]], turn: int, must: bool) -> None:
        with self._reading:
            if turn != self._turn and not must:
                return
            try:
                self.post_message(self.Loaded(read(), None, turn))
            except UserError as error:
                self.post_message(self.Loaded((), error, turn))

    @on(Loaded)
    def _take(self, event: Loaded) -> None:
        event.stop()
        if event.error is not None:
            self.complain(event.error)
        if event.turn != self._turn:
            return
        self._shown = self._turn
        then, self._then = self._then, None
        if event.error is not None:
            return
        self.loaded(event.rows)
        if then is not None:
            then()

    def show(self, rows: Sequence[Row], nothing: str, at: int = 0) -> None:
        """Show rows, the cursor on the one at `at`; without any, say `nothing`."""
        self.listed = rows
        options = self.query_one(OptionList)
        options.clear_options()
        if rows:
            options.add_options(Option(self.row(row)) for row in rows)
            options.highlighted = min(at, len(rows) - 1)
        else:
            options.add_option(Option(Content(nothing), disabled=True))

    @property
    def at(self) -> Row | None:
        """The row under the cursor."""
        cursor = self.query_one(OptionList).highlighted
        return self.listed[cursor] if cursor is not None and cursor < len(self.listed) else None

    def say(self, text: str, *, bad: bool = False) -> None:
        """Say something under the list."""
        said = self.query_one(".said", Plain)
        said.set_class(bad, "-bad")
        said.update(clean_text(without_middle(f"✗ {text}" if bad else text)))

    def complain(self, error: UserError) -> None:
        """Say what went wrong."""
        self.say(f"{error.message} {error.remedy}".rstrip(), bad=True)

    def when_shown(self, act: Callable[[], None]) -> None:
        """Do something once what was typed has narrowed the list: not to the row of before."""
        if self._shown == self._turn:
            act()
        else:
            self._then = act

    @on(Input.Changed, "#find")
    def typed(self, event: Input.Changed) -> None:
        """Narrow the list."""
        self.find(event.value)

    @on(Input.Submitted, "#find")
    def submitted(self) -> None:
        """Pick the row under the cursor."""
        self.when_shown(self.pick)

    @on(OptionList.OptionSelected)
    def clicked(self) -> None:
        """Pick the row that was clicked."""
        self.pick()

    def pick(self) -> None:
        """Answer with the row under the cursor."""
        row = self.at
        answer = None if row is None else self.answer(row)
        if answer is not None:
            self.dismiss(answer)

    def action_cancel(self) -> None:
        """Answer with nothing."""
        self.dismiss(None)

    def action_move(self, how: str) -> None:
        """Move the cursor in the list while something is being typed."""
        getattr(self.query_one(OptionList), f"action_{how}")()
