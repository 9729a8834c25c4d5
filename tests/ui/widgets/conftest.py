"""One widget or dialog in an app of its own, and a way to wait for what should happen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.events import Key, Paste
from textual.message import Message
from textual.pilot import Pilot
from textual.screen import Screen
from textual.widget import Widget

import mgpt_tui.ui


class Host(App[None]):
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


class Hosted:
    """A person at the host."""

    def __init__(self, app: Host, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> str:
        """The whole screen as text."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in strips)

    def heard(self, kind: type[Message]) -> list[Any]:
        """What was posted, of one kind."""
        return [message for message in self.app.heard if isinstance(message, kind)]

    async def press(self, *keys: str) -> None:
        for key in keys:
            character = {"space": " "}.get(key, key if len(key) == 1 else None)
            self.app.post_message(Key(key, character))
            await self.settle()

    async def type(self, text: str) -> None:
        await self.press(*("space" if letter == " " else letter for letter in text))

    async def paste(self, text: str) -> None:
        self.app.post_message(Paste(text))
        await self.settle()

    async def settle(self, rounds: int = 3) -> None:
        for _ in range(rounds):
            await self.pilot.pause(0)

    async def sees(self, text: str) -> None:
        await self.until(lambda: text in self.screen)

    async def misses(self, text: str) -> None:
        await self.until(lambda: text not in self.screen)

    async def until(self, holds: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait until `holds`, or fail."""
        limit = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < limit, f"waited in vain; the screen says\n{self.screen}"
            await asyncio.sleep(0.02)
        await self.settle()


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


@pytest.fixture(params=[(80, 24), (160, 48)], ids=["80x24", "160x48"])
def size(request: pytest.FixtureRequest) -> tuple[int, int]:
    """The two sizes at which everything must work."""
    return request.param
