"""A line at the foot of the look, to type into: what to find, or what a view is to take."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.widgets import Input

from mgpt_tui.text import clean_text
from mgpt_tui.ui.widgets.plain import Plain


class Line(Vertical):
    """Hidden until something is to be typed."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "close", show=False)]

    class Closed(Message):
        """Nothing is typed any more."""

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
        self._take: Callable[[str], None] | None = None

    def compose(self) -> ComposeResult:
        yield Plain(id="wrong")
        with Horizontal():
            yield Plain(id="asked")
            yield Input(compact=True, id="typed")

    def on_mount(self) -> None:
        self.display = False

    @property
    def is_open(self) -> bool:
        """Whether something is being typed."""
        return self._take is not None

    def open(self, label: str, text: str, take: Callable[[str], None]) -> None:
        """Ask for a text.

        Args:
            label: what it is for.
            text: that stands there at first; lines of it become one.
            take: called with what was typed, cleaned, at every enter.
        """
        self._take, self.display = take, True
        self.say(label)
        self.refuse("")
        field = self.query_one(Input)
        field.value = " ".join(text.splitlines())
        field.focus()

    def say(self, label: str) -> None:
        """Say something else in front of what is typed."""
        self.query_one("#asked", Plain).say(f"{label} ")

    def refuse(self, why: str) -> None:
        """Say above what is typed why that cannot be; "" for nothing."""
        wrong = self.query_one("#wrong", Plain)
        wrong.display = bool(why)
        wrong.say(why)

    def action_close(self) -> None:
        """Hide."""
        self._take, self.display = None, False
        self.post_message(self.Closed())

    @on(Input.Submitted)
    def entered(self, event: Input.Submitted) -> None:
        """Pass on what was typed."""
        event.stop()
        if self._take is not None:
            self._take(clean_text(event.value))
