"""The story: a widget a line, so that a token redraws one line and not the story."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.containers import Vertical, VerticalScroll
from textual.message import Message

from mgpt_tui.stories.story import Spans
from mgpt_tui.ui.widgets.paragraph import Paragraph, split_lines
from mgpt_tui.ui.widgets.plain import Plain

HINT = """\
Write how a story begins, in the line below, and press enter.
The model goes on from there. Enter on an empty line: it goes on again.
Esc stops it, ctrl+r has it try again, ctrl+z takes a step back.
F1 shows every key. What you write is kept."""


class StoryPane(VerticalScroll, can_focus=False):
    """Shows a story and follows its end, unless the reader has scrolled up."""

    class Moved(Message):
        """The end came into view or left it."""

        def __init__(self, at_end: bool) -> None:
            super().__init__()
            self.at_end = at_end

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._lines: list[Paragraph] = []
        self._was_at_end = True

    def compose(self) -> ComposeResult:
        # The column is never shorter than the pane: an anchored pane hangs less text from its
        # bottom.
        with Vertical(classes="column"):
            yield Plain(HINT, classes="hint")

    def on_mount(self) -> None:
        self.anchor()

    @property
    def at_end(self) -> bool:
        """Whether the last line is in view."""
        return self.scroll_y >= self.max_scroll_y

    def show(self, spans: Spans, *, caret: bool = False) -> None:
        """Show a story; lines that are as they were are left alone.

        Args:
            spans: the story.
            caret: whether the model is writing at its end.
        """
        lines = split_lines(spans)
        for paragraph in self._lines[len(lines) :]:
            paragraph.remove()
        del self._lines[len(lines) :]
        added = [Paragraph(runs) for runs in lines[len(self._lines) :]]
        self._lines += added
        for paragraph, runs in zip(self._lines, lines, strict=True):
            paragraph.show(runs, caret and paragraph is self._lines[-1])
        if added:
            self.query_one(".column").mount(*added)
        self.query_one(".hint").display = not caret and not any(span.text for span in spans)
        self.call_after_refresh(self._tell)

    def jump_end(self) -> None:
        """Go to the end and follow it from now on."""
        self.anchor()

    def watch_scroll_y(self, old_value: float, new_value: float) -> None:
        super().watch_scroll_y(old_value, new_value)
        self._tell()

    def on_resize(self) -> None:
        self.call_after_refresh(self._tell)

    def _tell(self) -> None:
        if self.at_end != self._was_at_end:
            self._was_at_end = self.at_end
            self.post_message(self.Moved(self.at_end))
