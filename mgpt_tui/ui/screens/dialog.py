"""What every dialog is."""

from __future__ import annotations

from typing import TypeVar

from textual.await_complete import AwaitComplete
from textual.command import CommandPalette
from textual.screen import ModalScreen, Screen

Answer = TypeVar("Answer")


class ClosesOnce(Screen[Answer]):
    """A screen that was answered hears keys that were on their way; Textual would close the
    screen below in its stead, or fail where there is none.
    """

    def dismiss(self, result: Answer | None = None) -> AwaitComplete:
        """Close with an answer, the first time."""
        return super().dismiss(result) if self.is_active else AwaitComplete()


class Dialog(ClosesOnce[Answer], ModalScreen[Answer]):
    """A screen over the room that answers with something."""

    def on_mount(self) -> None:
        self.app.clear_notifications()  # they would cover it


class Palette(CommandPalette, ClosesOnce[None]):
    """Textual's palette of commands; a widget's styles come from the first of its bases."""
