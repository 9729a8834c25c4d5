"""The line that the writer types in; it grows to a few lines."""

from __future__ import annotations

from textual import events
from textual.content import Content
from textual.message import Message
from textual.widgets import TextArea

from mgpt_tui.inference.request import FinishReason
from mgpt_tui.text import clean_text
from mgpt_tui.ui.keys import Where, bindings
from mgpt_tui.ui.session import Session


class Prompt(TextArea):
    """A text field whose enter sends, and in which nothing is styled or obeyed."""

    BINDINGS = bindings(Where.PROMPT)

    class Sent(Message):
        """The writer pressed enter.

        Attributes:
            text: what stood in the field, cleaned; the field is empty again.
        """

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    def __init__(self, id: str) -> None:
        super().__init__(id=id, soft_wrap=True, highlight_cursor_line=False)
        self.match_cursor_bracket = False

    @property
    def is_empty(self) -> bool:
        """Whether nothing is typed."""
        return not self.text

    def invite(self, session: Session) -> None:
        """Say, while nothing is typed, what can be typed now."""
        if session.is_writing:
            words = "The model is writing; esc stops it"
        elif not session.story.spans:
            words = "How does the story begin?"
        elif session.meter.reason is FinishReason.END:
            words = "The model ended the story here; you need not"
        else:
            words = "And then? Enter lets the model go on"
        self.placeholder = Content(words)

    def action_send(self) -> None:
        # A priority binding runs ahead of keys still on their way to this field; queued behind
        # them, enter cannot overtake the last letters of a fast typist.
        self.call_later(self._send)

    def _send(self) -> None:
        text = clean_text(self.text)
        self.clear()
        self.history.clear()
        self.post_message(self.Sent(text))

    def action_newline(self) -> None:
        self.call_later(self.insert, "\n")

    def action_paste(self) -> None:
        self._take(self.app.clipboard)

    async def _on_paste(self, event: events.Paste) -> None:
        # Textual's own handler would take in what the terminal sent, controls and all.
        event.prevent_default()
        event.stop()
        self._take(event.text)
        self.focus()

    def _take(self, text: str) -> None:
        start, end = self.selection
        result = self.replace(clean_text(text), start, end, maintain_selection_offset=False)
        self.move_cursor(result.end_location)
