"""Finding in a text that is edited, and putting something else in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.document._document import Location, Selection
from textual.widgets import Input

from mgpt_tui.text import clean_text
from mgpt_tui.ui.widgets.plain import Plain
from mgpt_tui.ui.widgets.plain_text_area import PlainTextArea

Match = tuple[int, int]
"""Where a match begins and where it ends, in characters of the text."""


def find_all(wanted: str, text: str) -> list[Match]:
    """Every place that holds what is wanted, from left to right; none overlaps another.

    Case does not matter, unless a letter of what is wanted is a capital.
    """
    if not wanted:
        return []
    case = re.NOFLAG if wanted != wanted.lower() else re.IGNORECASE
    return [found.span() for found in re.finditer(re.escape(wanted), text, case)]


def replace_all(matches: Sequence[Match], by: str, text: str) -> str:
    """The text with something else in the place of every match."""
    bounds = [0, *(bound for match in matches for bound in match), len(text)]
    return by.join(text[start:end] for start, end in [*pairwise(bounds)][::2])


class FindLine(Horizontal):
    """A line to type into what is wanted and what is to stand in its place; at first hidden.

    Which match one is at is told by what is selected in the text, and by nothing else.

    Args:
        area: the text.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,shift+enter", "step(False)", "the match before", show=False),
        Binding("down", "step(True)", "the next match", show=False),
        Binding("ctrl+z", "undo", "undo", show=False),
        Binding("ctrl+y", "redo", "redo", show=False),
    ]

    def __init__(self, area: PlainTextArea) -> None:
        super().__init__(id="find-line")
        self._area = area
        self._wanted = Input(compact=True, id="wanted")
        self._by = Input(compact=True, id="by")
        self._told = Plain(id="told")
        self.display = False

    def compose(self) -> ComposeResult:
        yield Plain("find ")
        yield self._wanted
        yield Plain(" replace by ")
        yield self._by
        yield self._told

    def open(self) -> None:
        """Ask what is wanted: at first what is selected, or else what was wanted before."""
        selected = self._area.selected_text
        if selected and "\n" not in selected:
            self._wanted.value = selected
        self.display = True
        self._wanted.focus()
        self._wanted.action_select_all()
        self._tell()

    def close(self) -> None:
        """Hide; the text has the focus again, and what was found is selected in it."""
        self.display = False
        self._area.focus()

    @on(Input.Changed, "#wanted")
    def _find(self) -> None:
        """Go to the first match from where one is."""
        start, _ = self._selected()
        self._select_next(start)

    @on(Input.Submitted, "#wanted")
    def _go_on(self) -> None:
        self.action_step(True)

    @on(Input.Submitted, "#by")
    def _put(self) -> None:
        """Replace the match that is selected, if one is, and go to the next."""
        start, end = self._selected()
        if (start, end) in self._matches():
            self._change(clean_text(self._by.value), start, end)
            _, end = self._selected()
        self._select_next(end)

    def action_step(self, on: bool) -> None:
        """Go to the next match or the one before; behind the last comes the first."""
        start, end = self._selected()
        if on:
            self._select_next(end)
        else:
            before = [match for match in self._matches() if match[1] <= start]
            self._select((before or self._matches())[-1:])

    def put_all(self) -> None:
        """Replace every match, as one change."""
        text, matches = self._area.text, self._matches()
        if matches:
            self._change(replace_all(matches, clean_text(self._by.value), text), 0, len(text))
            self._told.say(f" {len(matches)} replaced")
        else:
            self._tell()

    def action_undo(self) -> None:
        """Take back the last change of the text."""
        self._area.undo()
        self._tell()

    def action_redo(self) -> None:
        """Bring it back."""
        self._area.redo()
        self._tell()

    def _matches(self) -> list[Match]:
        return find_all(clean_text(self._wanted.value), self._area.text)

    def _selected(self) -> Match:
        text, selection = self._area.text, sorted(self._area.selection)
        start, end = (_index(text, location) for location in selection)
        return start, end

    def _select_next(self, start: int) -> None:
        matches = self._matches()
        self._select(([match for match in matches if match[0] >= start] or matches)[:1])

    def _select(self, matches: Sequence[Match]) -> None:
        """Select a match, if there is one, and tell how that stands."""
        for start, end in matches:
            text = self._area.text
            self._area.selection = Selection(_location(text, start), _location(text, end))
            self._area.history.checkpoint()
        self._tell()

    def _change(self, by: str, start: int, end: int) -> None:
        """Replace a part of the text, to be taken back by itself."""
        text, history = self._area.text, self._area.history
        history.checkpoint()
        self._area.replace(
            by, _location(text, start), _location(text, end), maintain_selection_offset=False
        )
        history.checkpoint()

    def _tell(self) -> None:
        matches, selected = self._matches(), self._selected()
        if not self._wanted.value:
            self._told.say("")
        elif selected in matches:
            self._told.say(f" {matches.index(selected) + 1} of {len(matches)}")
        else:
            self._told.say(f" {len(matches)} found" if matches else " nothing found")


def _location(text: str, index: int) -> Location:
    """The row and the column of a character."""
    return text.count("\n", 0, index), index - (text.rfind("\n", 0, index) + 1)


def _index(text: str, location: Location) -> int:
    """The place of a character that stands at a row and a column."""
    row, column = location
    return sum(len(line) + 1 for line in text.split("\n")[:row]) + column
