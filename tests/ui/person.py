"""A person at an app, for tests: what they press, what they see, and how they wait for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from textual._compositor import visible_screen_stack
from textual.app import App
from textual.events import Key, Paste
from textual.pilot import Pilot
from textual.strip import Strip
from textual.widget import Widget

from mgpt_tui.ui.terminal.in_order import InOrder
from tests.waiting import PATIENCE, meaning

SomeApp = TypeVar("SomeApp", bound=App[None])


def _is_dirty(widget: Widget) -> bool:
    """Whether a widget is to be laid out or painted, which it is once it has nothing else to do."""
    return widget._layout_required or widget._repaint_required or widget._scroll_required


class Person(Generic[SomeApp]):
    """Whoever sits before an app."""

    def __init__(self, app: SomeApp, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    @property
    def strips(self) -> list[Strip]:
        """The whole screen, line by line."""
        visible_screen_stack.set(self.app._background_screens)  # what shows through is painted, too
        return self.app.screen._compositor.render_strips()

    @property
    def screen(self) -> str:
        """The whole screen as text."""
        return "\n".join(strip.text for strip in self.strips)

    async def press(self, *keys: str) -> None:
        """Press keys, each once what came before it is taken in."""
        for key in keys:
            character = {"space": " "}.get(key, key if len(key) == 1 else None)
            self.app.post_message(Key(key, character))
            if isinstance(self.app, InOrder):
                await self._acted(self.app)
            else:
                await self.settle()
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
        """Let all widgets take in what was sent, and what they sent each other then.

        A pilot waits for an idle processor instead, which a busy machine does not have, or asks
        every widget, most of which have nothing to take in.
        """
        for _ in range(rounds):
            await self._while(self._taking())
            if isinstance(self.app, InOrder):
                await self._acted(self.app)
            self.app.screen._on_timer_update()

    def _taking(self) -> Callable[[], object]:
        """Asks whether something is left of all that is on its way by now."""
        screen, left = self.app.screen, 0

        def taken() -> None:
            nonlocal left
            left -= 1

        left += self.app.call_later(taken)
        for widget in (screen, *screen.walk_children(Widget)):
            has_messages = widget._next_callbacks or not widget._message_queue.empty()
            if widget is screen or has_messages or _is_dirty(widget):
                left += widget.call_later(taken)
        return lambda: left > 0 and self.app.is_running

    async def _acted(self, app: InOrder[None]) -> None:
        """Wait until an app that does so by itself has taken in a key."""
        taken = asyncio.Event()
        if app.call_later(taken.set):  # what is sent after a key is heard after it
            await self._while(lambda: not taken.is_set() and app.is_running)
        await self._while(lambda: app.is_acting)

    async def _while(self, holds: Callable[[], object]) -> None:
        """Let others run while something holds."""
        limit = time.monotonic() + PATIENCE
        while holds():
            assert time.monotonic() < limit, "a widget takes nothing in"
            await asyncio.sleep(0)

    async def still(self) -> None:
        """Wait until nothing is left to lay out, to paint or to move, behind a dialog, too."""
        for _ in range(3):  # what is laid out may have others laid out
            await self.until(lambda: not self.moves, "a screen that is still")

    @property
    def moves(self) -> bool:
        """Whether something is left to do that changes the screen."""
        app = self.app
        return bool(
            app.animator._animations
            or app.animator._scheduled
            or app.screen._dirty_widgets
            or app.screen._repaint_required  # one behind a dialog (Textual 8.2) asks for ever
            or any(
                screen._layout_required
                or screen._scroll_required
                or any(map(_is_dirty, screen.walk_children(Widget)))
                for screen in (app.screen, *app._background_screens)
            )
        )

    async def sees(self, text: str) -> None:
        """Wait until the screen says `text`."""
        await self.until(lambda: text in self.screen, repr(text))

    async def misses(self, text: str) -> None:
        """Wait until the screen no longer says `text`."""
        await self.until(lambda: text not in self.screen, f"a screen without {text!r}")

    async def until(self, holds: Callable[[], object], what: str = "") -> None:
        """Wait until something holds, or fail.

        Args:
            holds: is asked again and again.
            what: that is, in words; its source, if left out.
        """
        limit = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < limit, (
                f"waited in vain for {what or meaning(holds)}; the screen says\n{self.screen}"
            )
            await asyncio.sleep(0.005)
        await self.settle()
