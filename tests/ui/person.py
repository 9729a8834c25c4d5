"""A person at an app, for tests: what they press, what they see, and how they wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from textual.app import App
from textual.events import Key, Paste
from textual.pilot import Pilot
from textual.widget import Widget

SomeApp = TypeVar("SomeApp", bound=App[None])


class Person(Generic[SomeApp]):
    """Whoever sits before an app."""

    def __init__(self, app: SomeApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def screen(self) -> str:
        """The whole screen as text."""
        strips = self.app.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in strips)

    async def press(self, *keys: str) -> None:
        """Press keys, each once what came before it is taken in."""
        for key in keys:
            character = {"space": " "}.get(key, key if len(key) == 1 else None)
            self.app.post_message(Key(key, character))
            await self.settle()

    async def type(self, text: str) -> None:
        """Press a key for each letter."""
        await self.press(*("space" if letter == " " else letter for letter in text))

    async def paste(self, text: str) -> None:
        """Put text where the cursor is, as a terminal's paste does."""
        self.app.post_message(Paste(text))
        await self.settle()

    async def drag(self, over: Widget, start: tuple[int, int], end: tuple[int, int]) -> None:
        """Press the mouse's button in one place and let go of it in another."""
        await self.pilot.mouse_down(over, offset=start)
        await self.pilot.hover(over, offset=end)
        await self.pilot.mouse_up(over, offset=end)

    async def settle(self, rounds: int = 3) -> None:
        """Let every widget take in what was sent, and what they sent each other then.

        A pilot waits for an idle processor instead, which a busy machine does not have.
        """
        for _ in range(rounds):
            await self.pilot.pause(0)

    async def sees(self, text: str) -> None:
        """Wait until the screen says `text`."""
        await self.until(lambda: text in self.screen)

    async def misses(self, text: str) -> None:
        """Wait until the screen no longer says `text`."""
        await self.until(lambda: text not in self.screen)

    async def until(self, holds: Callable[[], object], seconds: float = 20.0) -> None:
        """Wait until `holds`, or fail."""
        limit = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < limit, f"waited in vain; the screen says\n{self.screen}"
            await asyncio.sleep(0.02)
        await self.settle()
