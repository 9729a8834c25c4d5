"""What is drawn to fit the room that there is, and so says when that becomes another."""

from __future__ import annotations

from dataclasses import dataclass

from textual.message import Message
from textual.widget import Widget


class Roomy(Widget):
    """A widget whose screen draws it for its size, which words around it change."""

    @dataclass
    class Resized(Message):
        """There is another room."""

    def on_resize(self) -> None:
        self.post_message(self.Resized())
