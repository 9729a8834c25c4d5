"""Plain text that is not part of the story."""

from __future__ import annotations

from typing import Any

from textual.content import Content
from textual.widgets import Static


class Plain(Static):
    """Text without markup, which marking the story with the mouse passes over."""

    ALLOW_SELECT = False

    def __init__(self, text: str = "", **attributes: Any) -> None:
        super().__init__(text, markup=False, **attributes)
        self._said = text

    @property
    def said(self) -> str:
        """What was shown last with `say`."""
        return self._said

    def say(self, text: str, *, layout: bool = True) -> None:
        """Show other text; where it is the same, the screen need not be laid out anew.

        Args:
            layout: whether another text may need another place.
        """
        if text != self._said:
            self._said = text
            self.update(Content(text), layout=layout)
