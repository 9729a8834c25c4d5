"""The story to walk in: a cursor on one token, and a bar below each."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import ClassVar

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from mgpt_tui.ui.screens.inside.sight import Bars
from mgpt_tui.ui.widgets.wrapping import Wrapping

BLOCKS, SHADES = "▁▂▃▄▅▆▇█", "░▒▓"
"""Of bars for more and for less of something."""
MARK = "^"
UNSEEN = "┊"
ROWS = 2
"""Of each line: its words, and their bars."""


class Walk(ScrollView, can_focus=True):
    """Shows a story whose tokens end at known characters.

    Attributes:
        number: of the token under the cursor, from 1; one more than there are at the end.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "walk--cursor",
        "walk--bar",
        "walk--less",
        "walk--unseen",
    }

    class Pointed(Message):
        """A token was clicked."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._wrapping = Wrapping()
        self._text, self._ends = "", [0]
        self.number = 1
        self._bars = Bars(())
        self._unseen = 0

    def show(
        self,
        text: str,
        ends: Sequence[int],
        number: int,
        bars: Bars,
        unseen: int,
    ) -> None:
        """Show a story.

        Args:
            text: the story.
            ends: where its tokens end, in characters.
            number: of the token under the cursor.
            bars: what stands below its tokens.
            unseen: how many tokens the model could not see.
        """
        self._text, self._ends, self.number = text, [0, *ends], number
        self._bars, self._unseen = bars, unseen
        self._fit()
        self.refresh()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        self._wrapping.wrap(self._text, max(2, self.container_size.width - 2))
        self.virtual_size = Size(
            self.container_size.width, max(1, len(self._wrapping.lines) * ROWS)
        )
        height, row = self.container_size.height, self._line * ROWS
        if not self.scroll_y <= row <= self.scroll_y + height - ROWS:
            self.scroll_to(y=max(0, row - height // 2), animate=False, force=True)

    # Where things are.

    def above(self, lines: int) -> int:
        """The token so many lines above the cursor; below it, for a number below 0."""
        places, line = self._wrapping.lines, self._line
        to = min(max(0, line - lines), len(places) - 1)
        if to == line:
            return self.number
        if self._wrapping.sets_apart(to):
            to += 1 if to > line else -1
        column = max(0, self._span()[0] - places[line][0])
        return self._token_at(min(places[to][0] + column, places[to][1]))

    def _span(self) -> tuple[int, int]:
        """The characters of the token under the cursor; a part of one has the whole."""
        if self.number >= len(self._ends):
            return len(self._text), len(self._text)
        start, end = self._ends[self.number - 1], self._ends[self.number]
        return start, max(end, min(start + 1, len(self._text)))

    def _token_at(self, character: int) -> int:
        """The number of the token that has a character."""
        return min(max(1, bisect_right(self._ends, character)), len(self._ends))

    @property
    def _line(self) -> int:
        """The line that the cursor is on: of a word whose blank fell at a line's end, the next."""
        start, end = self._span()
        starts = [first for first, _ in self._wrapping.lines]
        return max(0, bisect_right(starts, max(start, end - 1)) - 1)

    # Drawing.

    def render_line(self, y: int) -> Strip:
        """One row: words, or the bars below them."""
        line, is_bar = divmod(y + round(self.scroll_y), ROWS)
        if line >= len(self._wrapping.lines):
            return Strip.blank(self.size.width, self.rich_style)
        start, end = self._wrapping.lines[line]
        words = [Segment(" ", self.rich_style)]
        at = start
        while at < end:
            token = self._token_at(at)
            stop = min(end, self._ends[token] if token < len(self._ends) else end)
            stop = max(stop, at + 1)
            shown = self._text[at:stop].replace("\t", " ")
            words.append(self._bar(token, cell_len(shown)) if is_bar else self._word(token, shown))
            at = stop
        if not is_bar:
            words += self._at_the_end(line, end)
        return Strip(words).adjust_cell_length(self.size.width, self.rich_style)

    def _word(self, token: int, shown: str) -> Segment:
        if self._is_here(token):
            return Segment(shown, self._look("cursor"))
        return Segment(shown, self._look("unseen") if token < self._unseen else self.rich_style)

    def _is_here(self, token: int) -> bool:
        """Whether the cursor is on a token, or on a part of its last character."""
        if token >= len(self._ends):
            return token == self.number
        # Of a character that several tokens spell, all but the last end where it begins.
        first = bisect_left(self._ends, self._ends[token - 1], 0, token)
        return first + 1 <= self.number <= token

    def _at_the_end(self, line: int, end: int) -> list[Segment]:
        """The cursor where it is on what has no cell: a line's end, or the story's."""
        start, stop = self._span()
        lines = self._wrapping.lines
        following = lines[line + 1][0] if line + 1 < len(lines) else len(self._text) + 1
        if end <= start and stop < following + (start < stop):
            return [
                Segment("↵" if self._text[start : start + 1] == "\n" else " ", self._look("cursor"))
            ]
        return []

    def _bar(self, token: int, width: int) -> Segment:
        levels, at = self._bars.levels, token - self._bars.first
        if token < self._unseen:
            return Segment(UNSEEN * width, self._look("unseen"))
        if token in self._bars.marked:
            return Segment(MARK * width, self._look("bar"))
        level = levels[at] if 0 <= at < len(levels) else 0.0
        blocks, look = (BLOCKS, "bar") if level >= 0 else (SHADES, "less")
        steps = round(len(blocks) * min(1.0, abs(level)))
        return Segment((blocks[steps - 1] if steps else " ") * width, self._look(look))

    def _look(self, what: str) -> Style:
        return self.rich_style + self.get_component_rich_style(f"walk--{what}", partial=True)

    def on_click(self, event: events.Click) -> None:
        """Go to the token under the mouse; behind the last line's end, to the story's."""
        line = (event.y + round(self.scroll_y)) // ROWS
        if line >= len(self._wrapping.lines):
            return
        start, end = self._wrapping.lines[line]
        shown = self._text[start:end]
        at = next((at for at in range(len(shown)) if cell_len(shown[: at + 1]) > event.x - 1), None)
        character = end if at is None else start + at
        self.post_message(self.Pointed(self._token_at(character)))
