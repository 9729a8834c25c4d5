"""Work beside the event loop: reading the engine's events, keeping the story on disk.

Both run in threads and only ever post messages. A thread cannot be cancelled, so the reader
polls, and is gone within `POLL` seconds of the end.
"""

from __future__ import annotations

import queue
import time
from collections.abc import Callable

from textual.message_pump import MessagePump

from mgpt_tui.errors import UserError
from mgpt_tui.inference.process.messages import Event
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.stories.story import Story
from mgpt_tui.ui.messages import EngineSpoke, KeepFailed, Kept

POLL = 0.1
"""Seconds after which the reader looks whether it should go."""

INTERVAL = 0.05
"""Seconds between two messages at least: 20 updates a second, however fast the model is."""


def read_engine(
    events: queue.Queue[Event], target: MessagePump, is_over: Callable[[], bool]
) -> None:
    """Pass events on to `target`, a batch at a time, until it is over.

    The first event after a pause goes out at once. Every event goes out, in order.
    """
    due = 0.0
    while not is_over():
        try:
            batch = [events.get(timeout=POLL)]
        except queue.Empty:
            continue
        time.sleep(max(0.0, due - time.monotonic()))
        while True:
            try:
                batch.append(events.get_nowait())
            except queue.Empty:
                break
        due = time.monotonic() + INTERVAL
        target.post_message(EngineSpoke(batch))


def keep_story(
    keeper: Keeper, story: Story, turn: int, target: MessagePump, then: Callable[[], None]
) -> None:
    """Write a story to disk, unless it is an old one by now, and say how it went.

    Args:
        then: what is to be written once the story is; it may raise a `UserError`, too.
    """
    try:
        keeper.keep(story, turn)
        then()
    except UserError as error:
        target.post_message(KeepFailed(error.message, error.remedy))
    else:
        target.post_message(Kept())
