"""Plain text that is not part of the story."""

from __future__ import annotations

from typing import Any

from textual.widgets import Static


class Plain(Static):
    """Text without markup, which marking the story with the mouse passes over."""

    ALLOW_SELECT = False

    def __init__(self, text: str = "", **attributes: Any) -> None:
        super().__init__(text, markup=False, **attributes)
