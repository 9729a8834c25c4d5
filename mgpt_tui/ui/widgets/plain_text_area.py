"""A field to type text in, in which nothing is styled or obeyed."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from textual import events
from textual.document._edit import Edit
from textual.document._history import EditHistory
from textual.widgets import TextArea

from mgpt_tui.text import clean_text

MOST_UNDONE = 1000
"""Words, pastes and other changes that can be taken back."""
LONGEST_WORD = 100
"""Characters; more are taken back in parts."""


class WordByWord(EditHistory):
    """Takes back what was typed a word at a time, however fast or slowly it was typed.

    Textual's own goes by the clock: a pause of two seconds ends what is taken back at once.
    """

    def __init__(self) -> None:
        super().__init__(MOST_UNDONE, math.inf, LONGEST_WORD)
        self._after_blank = False

    def record(self, edit: Edit) -> None:
        """Take in a change; the first letter after a blank begins a word."""
        if self._after_blank and not edit.text.isspace():
            self.checkpoint()
        super().record(edit)
        self._after_blank = edit.text.isspace()


class PlainTextArea(TextArea):
    """A text area that takes in what is pasted cleaned, whole, and at the cursor."""

    _going_back = False  # while edits are undone or redone

    def __init__(self, text: str = "", *, id: str) -> None:
        super().__init__(text, id=id, soft_wrap=True, highlight_cursor_line=False)
        self.match_cursor_bracket = False
        self.history = WordByWord()

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

    # Textual (8.2.8, Textual#6687) shows the scrollbars for a text that was undone or redone
    # before it moves the cursor into that text; where the one resizes the other, it ends the app.

    def _undo_batch(self, edits: Sequence[Edit]) -> None:
        self._go_back(super()._undo_batch, edits)

    def _redo_batch(self, edits: Sequence[Edit]) -> None:
        self._go_back(super()._redo_batch, edits)

    def _go_back(self, way: Callable[[Sequence[Edit]], None], edits: Sequence[Edit]) -> None:
        self._going_back = True
        try:
            way(edits)
        finally:
            self._going_back = False
        self._refresh_size()

    def _refresh_size(self) -> None:
        if not self._going_back:
            super()._refresh_size()
