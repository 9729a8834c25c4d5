"""One line of a story, wrapped, with a bar beside what the writer wrote."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from rich.segment import Segment
from textual.content import Content
from textual.content import Span as StyledSpan
from textual.css.styles import RulesMap
from textual.selection import Selection
from textual.strip import Strip
from textual.style import Style
from textual.visual import RenderOptions, Visual
from textual.widget import Widget

from mgpt_tui.stories.story import Author, Span

BAR = "│ "
CARET = "▌"

Run = tuple[Author, str]
"""A piece of a line that one author wrote."""


def split_lines(spans: Iterable[Span]) -> list[tuple[Run, ...]]:
    """The story cut at its newlines; a line that is empty has no runs."""
    lines: list[list[Run]] = [[]]
    for span in spans:
        for number, piece in enumerate(span.text.split("\n")):
            if number:
                lines.append([])
            if piece:
                lines[-1].append((span.author, piece))
    return [tuple(line) for line in lines]


class BarredText(Visual):
    """Text with a column at its left, where lines that hold any of the writer's have a bar."""

    def __init__(self, text: Content, bar: Style) -> None:
        self.text = text
        self.bar = bar

    def render_strips(
        self, width: int, height: int | None, style: Style, options: RenderOptions
    ) -> list[Strip]:
        inner = max(1, width - len(BAR))
        strips = self.text.render_strips(inner, height, style, options)
        lines = self.text.wrap(inner)
        barred = Segment(BAR, (style + self.bar).rich_style)
        blank = Segment(" " * len(BAR), style.rich_style)
        return [
            Strip([barred if line.spans else blank, *strip], strip.cell_length + len(BAR))
            for line, strip in zip(lines, strips, strict=False)
        ]

    def get_optimal_width(self, rules: RulesMap, container_width: int) -> int:
        return self.text.get_optimal_width(rules, container_width) + len(BAR)

    def get_minimal_width(self, rules: RulesMap) -> int:
        return self.text.get_minimal_width(rules) + len(BAR)

    def get_height(self, rules: RulesMap, width: int) -> int:
        return self.text.get_height(rules, max(1, width - len(BAR)))


class Paragraph(Widget):
    """A line of the story; the writer's words are marked in weight and by a bar."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {"paragraph--writer", "paragraph--bar"}

    DEFAULT_CSS = """
    Paragraph {
        width: 100%;
        height: auto;
    }
    """

    def __init__(self, runs: tuple[Run, ...]) -> None:
        super().__init__()
        self._runs = runs
        self._caret = False

    @property
    def text(self) -> str:
        """The line, without its newline."""
        return "".join(text for _, text in self._runs)

    def show(self, runs: tuple[Run, ...], caret: bool) -> None:
        """Show other text; nothing is drawn anew where nothing changed.

        Args:
            runs: the line.
            caret: whether the model is writing at its end.
        """
        if (runs, caret) == (self._runs, self._caret):
            return
        self._runs, self._caret = runs, caret
        self.refresh()
        size = self.size
        if self.get_content_height(size, size, size.width) != size.height:
            self.refresh(layout=True)

    def render(self) -> Visual:
        writer = self.get_visual_style("paragraph--writer", partial=True)
        start, marked = 0, []
        for author, text in self._runs:
            end = start + len(text)
            if author is Author.WRITER:
                marked.append(StyledSpan(start, end, writer))
            start = end
        content = Content(self.text + (CARET if self._caret else ""), spans=marked)
        return BarredText(content, self.get_visual_style("paragraph--bar", partial=True))

    def get_selection(self, selection: Selection) -> tuple[str, str] | None:
        # A selection that reaches to the line's end would take the caret along.
        return selection.extract(self.text), "\n"
