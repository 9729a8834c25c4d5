"""A field to type text in, in which nothing is styled or obeyed."""

from __future__ import annotations

from textual import events
from textual.widgets import TextArea

from mgpt_tui.text import clean_text


class PlainTextArea(TextArea):
    """A text area that takes in what is pasted cleaned, whole, and at the cursor."""

    def __init__(self, text: str = "", *, id: str) -> None:
        super().__init__(text, id=id, soft_wrap=True, highlight_cursor_line=False)
        self.match_cursor_bracket = False

    def action_paste(self) -> None:
        self.take(self.app.clipboard)

    async def _on_paste(self, event: events.Paste) -> None:
        # Textual's own handler would take in what the terminal sent, controls and all.
        event.prevent_default()
        event.stop()
        self.take(event.text)
        self.focus()

    def take(self, text: str) -> None:
        """Put text, cleaned, in the place of what is selected."""
        start, end = sorted(self.selection)
        result = self.replace(clean_text(text), start, end, maintain_selection_offset=False)
        self.move_cursor(result.end_location)
