"""Pacing: what the model writes is shown no faster than somebody reads, if that is wanted."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from itertools import islice

from mgpt_tui.stories.story import Spans, Story

_WORD = re.compile(r"\S+")


class Pacing:
    """How much of a story is shown while its last passage is read.

    The story itself is whole all the time; only what is shown of it waits.

    Args:
        speed: words a second; None shows everything at once.
        clock: seconds, monotonic.

    Attributes:
        speed: as above; another one counts from the beginning of the passage.
        is_behind: whether there is more than is shown.
    """

    def __init__(
        self, speed: float | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.speed = speed
        self.is_behind = False
        self._clock = clock
        self._node: int | None = None  # the passage that is read, or was
        self._began = 0.0
        self._is_read = False

    def shown(self, story: Story, *, writing: bool) -> Spans:
        """What is to be seen of a story now.

        Args:
            story: all of it.
            writing: whether the model writes at its end; else a passage that nobody has begun
                to read is shown at once, as after undo.
        """
        if writing and story.here != self._node:
            self._node, self._began, self._is_read = story.here, self._clock(), False
        self.is_behind = False
        if self.speed is None or self._is_read or story.here != self._node:
            return story.spans
        own = story.nodes[story.here].span.text
        read = int((self._clock() - self._began) * self.speed)
        ends = [word.end() for word in islice(_WORD.finditer(own), read)]
        left = len(own) - (ends[-1] if ends else 0)
        if len(ends) < read and not writing:
            self._is_read = True
        if self._is_read or not left:
            return story.spans
        self.is_behind = True
        before = story.spans[:-1] if own else story.spans
        return before + (story.spans[-1].before(len(own) - left) if own else ())

    def catch_up(self) -> None:
        """Show all of it from now on."""
        self._is_read = True
