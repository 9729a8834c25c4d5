"""Keys act in the order in which they were typed, whatever they are.

In Textual (8.2, Textual#6605) the letters of one read act before its other keys: a letter acts in
the field that it is sent to, while what a binding does waits for the key to climb from that field
to the app, or acts at once, ahead of letters on their way. Here a key is sent on its way once the
one before has done all that it does. A window that loses or gets the focus waits its turn, too: it
takes the focus from the field that what was typed before is meant for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from textual import events
from textual.app import App, ReturnType, ScreenStackError
from textual.message_pump import MessagePump

Typed = events.InputEvent | events.Paste | events.AppFocus | events.AppBlur
Deed = Callable[[], Awaitable[None] | None]

ROUNDS = range(2, 8)
"""How often the widgets may send each other what follows from a key: at least, and at most."""
PATIENCE, LOOKS = 1.0, 10
"""Seconds after which a widget that takes nothing in holds up the keys no longer, and in how many
parts they pass: where the app itself stands still, as on a busy machine, that is one of them."""


class InOrder(App[ReturnType]):
    """An app in which one key acts after the other."""

    def __init__(self) -> None:
        super().__init__()
        self._typed: deque[Typed | Deed] = deque()
        self._acting: asyncio.Task[None] | None = None

    @property
    def is_acting(self) -> bool:
        """Whether something that was typed has not done all that it does."""
        return self._acting is not None

    async def on_event(self, event: events.Event) -> None:
        """Put what is typed into the queue; anything else is heard at once."""
        if isinstance(event, Typed) and not event.is_forwarded:
            self._typed.append(event)
            self._act()
            return
        try:
            await super().on_event(event)
        except ScreenStackError:
            if self.screen_stack or not isinstance(event, Typed):
                raise  # else it has climbed to an app that leaves

    def act_before(self, *typed: Typed | Deed) -> None:
        """Do something, or act on something, before what waits in the queue."""
        self._typed.extendleft(reversed(typed))
        self._act()

    async def act_on(self, event: Typed) -> None:
        """Send what was typed on its way.

        A key says that the window has the focus, and so does a paste, of which Textual (8.2) does
        not know it: what a terminal's menu pastes comes before the window has it again, and was
        lost. Until the field has heard of it, it would take no key for its own.
        """
        if not self.app_focus and isinstance(event, events.Key | events.Paste):
            self.app_focus = True
            await self._settle()
        await super().on_event(event)

    def _act(self) -> None:
        if self._acting is None and self._typed:
            self._acting = asyncio.create_task(self._act_on_all(), name="typed")

    async def _act_on_all(self) -> None:
        flows = True
        try:
            while self._typed:
                if not (flows and self._flows(self._typed[0])):
                    await self._settle()
                typed = self._typed.popleft()  # what settled may have put something before it
                flows = self._flows(typed)
                if isinstance(typed, Typed):
                    await self.act_on(typed)
                elif isawaitable(deed := typed()):
                    await deed
                if not (self._typed or flows):
                    await self._settle()
        except ScreenStackError:
            pass  # the app has left
        except Exception as error:
            self._handle_exception(error)
        finally:
            self._acting = None

    def _flows(self, typed: Typed | Deed) -> bool:
        """Whether this acts in the place it is sent to, like the letters before and after it."""
        if isinstance(typed, events.MouseMove):
            return True
        field = self.focused
        if field is None or not field.check_consume_key("a", "a"):
            return False
        if not isinstance(typed, events.Key):
            return isinstance(typed, events.Paste)
        return field.check_consume_key(typed.key, typed.character) and not any(
            binding.priority
            for _, bindings in self.screen._binding_chain
            for binding in bindings.key_to_bindings.get(typed.key, ())
        )

    async def _settle(self) -> None:
        """Wait until all has happened that follows from what was typed."""
        for number in range(ROUNDS.stop):
            first = self.focused or self.screen
            chain: list[MessagePump] = list(first.ancestors_with_self)
            for pump in chain:
                await self._take_in(pump)
            busy = (pump._next_callbacks or not pump._message_queue.empty() for pump in chain)
            same = first is (self.focused or self.screen)
            if number + 1 >= ROUNDS.start and same and not any(busy):
                return

    async def _take_in(self, pump: MessagePump) -> None:
        """Wait until a widget has taken in what was sent to it by now."""
        taken = asyncio.Event()
        if pump.call_later(taken.set):
            took = asyncio.create_task(taken.wait())
            ends = {pump._task} if pump._task else set()
            for _ in range(LOOKS):
                done, _ = await asyncio.wait(
                    {took, *ends}, timeout=PATIENCE / LOOKS, return_when="FIRST_COMPLETED"
                )
                if done:
                    break
            took.cancel()
