"""Finding in a text that is edited, and putting something else in its place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
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


@dataclass(slots=True)
class Round:
    """Replacing one match after the other, once around the text.

    Attributes:
        begun: where the first one was, in characters of the text as it is by now.
        count: how many were replaced.
        text: as the last one left it; another one begins another round.
    """

    begun: int
    count: int = 0
    text: str = ""

    def replaced(self, match: Match, by: str, text: str) -> Match:
        """A match was replaced, which left this text; gives where the next may begin and end."""
        start, end = match
        is_around, put = start < self.begun, start + len(by)
        self.begun += (put - end) * is_around
        self.count, self.text = self.count + 1, text
        return put, self.begun if is_around else len(text)


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
        self._round: Round | None = None
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
        # A match may have capitals that what was wanted has not; with them, it would find less.
        if selected and "\n" not in selected and self._selected() not in self._matches():
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
        self._round = None
        start, _ = self._selected()
        self._select_next(start)

    @on(Input.Submitted, "#wanted")
    def _go_on(self) -> None:
        self.action_step(True)

    @on(Input.Submitted, "#by")
    def _put(self) -> None:
        """Replace the match that is selected, if one is, and go to the next, once around."""
        match, by = self._selected(), clean_text(self._by.value)
        if match not in self._matches():
            self._select_next(match[1])
            return
        if self._round is None or self._round.text != self._area.text:
            self._round = Round(begun=match[0])
        self._change(by, *match)
        start, end = self._round.replaced(match, by, self._area.text)
        matches = self._matches()
        left = [each for each in matches if each[0] >= start and each[1] <= end]
        if end > self._round.begun:
            left += [each for each in matches if each[1] <= self._round.begun]
        if left:
            self._select(left[:1])
        else:
            self._told.say(f" {self._round.count} replaced")
            self._round = None

    def action_step(self, on: bool) -> None:
        """Go to the next match or the one before; behind the last comes the first."""
        start, end = self._selected()
        if on:
            self._select_next(end)
        else:
            self._round = None
            before = [match for match in self._matches() if match[1] <= start]
            self._select((before or self._matches())[-1:])

    def put_all(self) -> None:
        """Replace every match, as one change."""
        text, matches, by = self._area.text, self._matches(), clean_text(self._by.value)
        start, _ = self._selected()
        if matches:
            changed = replace_all(matches, by, text)
            self._change(changed, 0, len(text))
            ahead = replace_all([match for match in matches if match[1] <= start], by, text[:start])
            self._area.move_cursor(_location(changed, len(ahead)))
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
