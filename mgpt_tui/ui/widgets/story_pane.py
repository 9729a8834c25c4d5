"""The story, line by line: what a token costs does not depend on how long the story is."""

from __future__ import annotations

import textwrap
from bisect import bisect_right
from itertools import pairwise
from typing import ClassVar, NamedTuple

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.selection import Selection
from textual.strip import Strip
from textual.widget import Widget

from mgpt_tui.stories.paragraphs import apart
from mgpt_tui.stories.story import Author, Spans
from mgpt_tui.ui.widgets.wrapping import Line, Wrapping

HINT = """\
Write how a story begins, in the line below, and press {send}.
The model goes on from there. {Send} on an empty line: it goes on again.
{Stop} stops it, {retry} has it try again, {undo} takes a step back.
{Help} shows every key, / every command.
What you write is kept; {open} finds it again."""

BAR, UNREAD, NO_BAR = "│ ", "┊ ", "  "
CARET = "▌"
WIDEST = 98
"""Cells of the longest line that is still pleasant to read."""
ABOVE = 1
"""Empty lines above the story."""


class Run(NamedTuple):
    """A stretch of the story, up to the character `end`, by one author.

    Attributes:
        seen: whether the model can see it.
    """

    end: int
    author: Author
    seen: bool


def runs_of(spans: Spans, unread: int) -> list[Run]:
    """The story as stretches that look alike; the first `unread` characters are out of view."""
    runs: list[Run] = []
    end = 0
    for span in spans:
        start, end = end, end + len(span.text)
        if start < unread < end:
            runs.append(Run(unread, span.author, seen=False))
        runs.append(Run(end, span.author, seen=end > unread))
    return runs


class StoryPane(ScrollView, can_focus=False):
    """Shows a story and follows its end, unless the reader has scrolled up.

    Args:
        id: the widget's.
        hint: what stands there while there is no story.

    Attributes:
        text: the story that is shown.
    """

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "story--writer",
        "story--bar",
        "story--unread",
        "story--hint",
    }

    class Moved(Message):
        """The end came into view or left it."""

        def __init__(self, at_end: bool) -> None:
            super().__init__()
            self.at_end = at_end

    class Picked(Message):
        """The story was clicked twice.

        Attributes:
            offset: at which character.
        """

        def __init__(self, offset: int) -> None:
            super().__init__()
            self.offset = offset

    def __init__(self, id: str, hint: str = "") -> None:
        super().__init__(id=id)
        self._hint_lines = hint.splitlines()
        self._wrapping = Wrapping()
        self._runs: list[Run] = []
        self._caret = False
        self._was_at_end = True
        self._strips: dict[tuple[object, ...], Strip] = {}

    @property
    def _is_empty(self) -> bool:
        """Whether there is a hint instead of a story."""
        return not self.text and not self._caret

    @property
    def text(self) -> str:
        """The story that is shown."""
        return self._wrapping.text

    @property
    def at_end(self) -> bool:
        """Whether the last line is in view."""
        return self.scroll_y >= self.max_scroll_y

    def show(self, spans: Spans, *, caret: bool = False, unread: int = 0) -> None:
        """Show a story; lines that are as they were are left alone.

        Args:
            spans: the story.
            caret: whether the model is writing at its end.
            unread: how many characters at its beginning the model no longer sees.
        """
        was_empty = self._is_empty
        text, runs = "".join(span.text for span in spans), runs_of(spans, unread)
        before, restyled = len(self._wrapping.lines), runs[:-1] != self._runs[:-1]
        first = self._wrapping.wrap(text, self._width)
        if first == before and not restyled and caret == self._caret and runs == self._runs:
            return
        self._runs, self._caret = runs, caret
        if was_empty != self._is_empty or restyled or len(self._wrapping.lines) != before:
            self._grow()
            self.refresh()
        else:
            first = min(first, before - 1)
            self.refresh_lines(first + ABOVE, len(self._wrapping.lines) - first)

    def jump_end(self) -> None:
        """Go to the end and follow it from now on."""
        self.scroll_to(y=self.max_scroll_y, animate=False, force=True)

    # Where things are.

    @property
    def _width(self) -> int:
        """Cells that a line of the story may have."""
        return max(2, min(self.container_size.width - 2 * len(BAR) - 1, WIDEST))

    def _grow(self) -> None:
        """Fit the height to the lines, and stay at the end where that was in view.

        Textual would lay out the whole screen for another `virtual_size`; nothing else moves
        here, so only the scrollbar is told.
        """
        follow = self._was_at_end  # before the pane became smaller, where it has
        size = Size(self.container_size.width, len(self._wrapping.lines) + ABOVE)
        self.set_reactive(Widget.virtual_size, size)
        self._scroll_update(size)
        if follow:
            self.jump_end()
        self._tell()

    def on_resize(self) -> None:
        follow = self._was_at_end
        top = self._wrapping.lines[self._line_at(0)][0]
        self._strips.clear()
        self._wrapping.wrap(self.text, self._width)
        self._grow()
        if follow:
            self.jump_end()
        else:  # what stood at the top stays there
            line = bisect_right([start for start, _ in self._wrapping.lines], top) - 1
            self.scroll_to(y=line + ABOVE, animate=False, force=True)
        self.refresh()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._tell()

    def _tell(self) -> None:
        if self.at_end != self._was_at_end:
            self._was_at_end = self.at_end
            self.post_message(self.Moved(self.at_end))

    def _line_at(self, y: int) -> int:
        """The line of the story nearest to a row of the pane."""
        line = y + round(self.scroll_y) - ABOVE
        return min(max(0, line), len(self._wrapping.lines) - 1)

    # Drawing.

    def notify_style_update(self) -> None:
        """Forget lines in other colours."""
        super().notify_style_update()
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        """One row of the pane."""
        width, line = self.size.width, y + round(self.scroll_y) - ABOVE
        if self._is_empty:
            return self._hint(line, width)
        if not 0 <= line < len(self._wrapping.lines):
            return Strip.blank(width, self.rich_style)
        start, end = self._wrapping.lines[line]
        selected = self._selected(line, end - start)
        caret = self._caret and line == len(self._wrapping.lines) - 1
        pieces = self._pieces(start, end)
        key = (line, self.text[start:end], pieces, selected, caret, width)
        strip = self._strips.get(key)
        if strip is None:
            if len(self._strips) > 1000:
                self._strips.clear()
            strip = self._strips[key] = self._drawn(line, (start, end), pieces, selected, caret)
        return strip

    def _pieces(self, start: int, end: int) -> tuple[Run, ...]:
        """The runs that a line has something of."""
        low, high = 0, len(self._runs)
        while low < high:  # the first run that ends behind the line's beginning
            middle = (low + high) // 2
            low, high = (low, middle) if self._runs[middle].end > start else (middle + 1, high)
        pieces = []
        for run in self._runs[low:]:
            pieces.append(run._replace(end=min(run.end, end) - start))
            if run.end >= end:
                break
        return tuple(pieces)

    def _drawn(
        self,
        line: int,
        place: Line,
        pieces: tuple[Run, ...],
        selected: tuple[int, int] | None,
        caret: bool,
    ) -> Strip:
        """A line of the story, with its bar."""
        base, text = self.rich_style, self.text[place[0] : place[1]].replace("\t", " ")
        looks = {
            (Author.WRITER, True): base + self._look("writer"),
            (Author.MODEL, True): base,
            (Author.WRITER, False): base + self._look("unread"),
            (Author.MODEL, False): base + self._look("unread"),
        }
        segments, start = [], 0
        for run in pieces:
            segments.append(Segment(text[start : run.end], looks[run.author, run.seen]))
            start = run.end
        words = Strip([segment for segment in segments if segment.text])
        if selected:
            style = self.screen.get_component_rich_style("screen--selection")
            words = _restyled(words, *selected, style)
        mark, look = NO_BAR, base
        if any(not run.seen for run in pieces):
            mark, look = UNREAD, base + self._look("unread")
        elif any(run.author is Author.WRITER and run.end for run in pieces):
            mark, look = BAR, base + self._look("bar")
        margin = " " * self._margin
        after = [Segment(CARET, base)] if caret else []
        bar = Strip([Segment(mark, look)])
        if not words:  # the mouse on an empty line would mark all that follows
            bar = bar.apply_offsets(0, line)
        strip = Strip.join([Strip([Segment(margin, base)]), bar, words.apply_offsets(0, line)])
        return Strip([*strip, *after]).adjust_cell_length(self.size.width, base)

    @property
    def _margin(self) -> int:
        """Cells left of the column."""
        free = self.container_size.width - self._width - 2 * len(BAR)
        return max(1, free // 2)

    def _hint(self, line: int, width: int) -> Strip:
        """What stands there while there is no story."""
        lines = [part for line in self._hint_lines for part in textwrap.wrap(line, self._width)]
        said = lines[line] if 0 <= line < len(lines) else ""
        style = self.rich_style + self._look("hint")
        margin = " " * (self._margin + len(BAR))
        return Strip([Segment(f"{margin}{said}", style)]).adjust_cell_length(width, style)

    def _look(self, what: str) -> Style:
        return self.get_component_rich_style(f"story--{what}", partial=True)

    # The mouse: picking a word, and marking.

    def on_click(self, event: events.Click) -> None:
        """The second click on a word picks it; Textual would mark everything."""
        if event.chain != 2 or event.widget is not self:
            return
        at = self._character_at(event)
        if at is not None and not self.text[at].isspace():
            event.prevent_default()
            self.post_message(self.Picked(at))

    def _character_at(self, event: events.Click) -> int | None:
        """The character of the story under the mouse, if there is one."""
        line = event.y + round(self.scroll_y) - ABOVE
        if not 0 <= line < len(self._wrapping.lines):
            return None
        start, end = self._wrapping.lines[line]
        cell = event.x - self._margin - len(BAR)
        shown = self.text[start:end].replace("\t", " ")
        reached = (at for at in range(len(shown)) if cell_len(shown[: at + 1]) > cell)
        at = next(reached, None) if cell >= 0 else None
        return None if at is None else start + at

    def _selected(self, line: int, length: int) -> tuple[int, int] | None:
        """Which characters of a line are marked."""
        selection = self.text_selection
        span = selection.get_span(line) if selection else None
        if span is None:
            return None
        start, end = span
        return start, length if end == -1 else end

    def selection_updated(self, selection: Selection | None) -> None:
        """Draw what is marked."""
        self.refresh()

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        """The marked part of the story, as it is shown."""
        lines = self._wrapping.lines

        def place(y: int, x: int) -> int:
            start, end = lines[min(y, len(lines) - 1)]
            return min(start + x, end) if y < len(lines) else end

        start = place(selection.start.y, selection.start.x) if selection.start else 0
        end = place(selection.end.y, selection.end.x) if selection.end else len(self.text)
        return apart(self.text[start:end]), "\n"


def _restyled(strip: Strip, start: int, end: int, style: Style) -> Strip:
    """A strip whose characters from `start` to `end` have another style over their own."""
    segments: list[Segment] = []
    at = 0
    for text, own, _ in strip:
        cuts = [0, *sorted({min(max(0, edge - at), len(text)) for edge in (start, end)}), len(text)]
        for begin, stop in pairwise(cuts):
            marked = start <= at + begin and at + stop <= end
            if begin < stop:
                look = (own or Style()) + style if marked else own
                segments.append(Segment(text[begin:stop], look))
        at += len(text)
    return Strip(segments)
