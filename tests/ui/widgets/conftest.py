"""One widget or dialog in an app of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.app import ComposeResult
from textual.message import Message
from textual.screen import Screen
from textual.widget import Widget

import mgpt_tui.ui
from mgpt_tui.ui.terminal.in_order import InOrder
from tests.ui.person import Person


class Host(InOrder[None]):
    """Holds the widgets, or opens the dialog, and hears what they post."""

    CSS_PATH = Path(mgpt_tui.ui.__file__).parent / "app.tcss"

    def __init__(self, parts: tuple[Widget, ...]) -> None:
        super().__init__()
        self.parts = parts
        self.heard: list[Message] = []
        self.answers: list[object] = []

    def compose(self) -> ComposeResult:
        yield from (part for part in self.parts if not isinstance(part, Screen))

    def on_mount(self) -> None:
        for part in self.parts:
            if isinstance(part, Screen):
                self.push_screen(part, self.answers.append)

    def hear(self, message: Message) -> None:
        """Note what was posted, once however many hear it."""
        if not any(message is known for known in self.heard):
            self.heard.append(message)


class Hosted(Person[Host]):
    """A person at the host."""

    def heard(self, kind: type[Message]) -> list[Any]:
        """What was posted, of one kind."""
        return [message for message in self.app.heard if isinstance(message, kind)]


OpenHost = Callable[..., AbstractAsyncContextManager[Hosted]]


@pytest.fixture
def host() -> OpenHost:
    """Opens an app with widgets, or with a dialog."""

    @asynccontextmanager
    async def opened(*parts: Widget, size: tuple[int, int] = (80, 24)) -> AsyncIterator[Hosted]:
        app = Host(parts)
        async with app.run_test(size=size, notifications=True, message_hook=app.hear) as pilot:
            hosted = Hosted(app, pilot)
            await hosted.settle()
            yield hosted

    return opened
