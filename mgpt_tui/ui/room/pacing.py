"""Pacing: what the model writes is shown no faster than somebody reads, if that is wanted."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from mgpt_tui.stories.story import Spans, Story

_WORD = re.compile(r"\S+")


class Pacing:
    """How much of a story is shown while its last passage is read.

    The story itself is whole all the time; only what is shown of it waits.

    Args:
        speed: words a second; None shows everything at once.
        clock: seconds, monotonic.

    Attributes:
        speed: as above; what is shown already stays, whatever it is changed to.
        is_behind: whether there is more than is shown.
    """

    def __init__(
        self, speed: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed = speed
        self.is_behind = False
        self._clock = clock
        self._passage: tuple[str, int] | None = None  # that is read, or was: its story and number
        self._words = 0.0  # of it that are read
        self._since = 0.0  # when that was so
        self._is_read = False

    def shown(self, story: Story, *, writing: bool) -> Spans:
        """What is to be seen of a story now.

        Args:
            story: all of it.
            writing: whether the model writes at its end; else a passage that nobody has begun
                to read is shown at once, as after undo.
        """
        now, passage = self._clock(), (story.created, story.here)
        if writing and passage != self._passage:
            self._passage, self._words, self._is_read = passage, 0.0, False
            self._since = now
        self.is_behind = False
        if self._is_read or passage != self._passage:
            return story.spans
        own = story.nodes[story.here].span.text
        ends = [word.end() for word in _WORD.finditer(own)]
        if self.speed is None:
            self._words = len(ends)
        else:
            self._words += (now - self._since) * self.speed
        self._since = now
        read = int(self._words)
        self._is_read = not writing and (self.speed is None or read > len(ends))
        left = len(own) - ends[read - 1] if 0 < read <= len(ends) else 0 if read else len(own)
        if self.speed is None or self._is_read or not left:
            self._words = min(self._words, len(ends))
            return story.spans
        self.is_behind = True
        before = story.spans[:-1] if own else story.spans
        return before + (story.spans[-1].before(len(own) - left) if own else ())

    def catch_up(self) -> None:
        """Show all of it from now on."""
        self._is_read = True
