"""What the writer is told, in a place of its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from mgpt_tui.text import clean_text, without_middle
from mgpt_tui.ui.notices import Notice, Severity
from mgpt_tui.ui.widgets.plain import Plain

MARKS = {Severity.INFORMATION: "", Severity.WARNING: "! ", Severity.ERROR: "✗ "}
READ = 25.0
"""Characters a second that anyone reads."""
SEEN = 1.0
"""Seconds until one looks."""


class NoticeLine(Plain):
    """Shows the newest notice; what stands around it makes room.

    It goes with the first key after there was time to read it, or with a click on it: never
    before it was read, and never in the way of the next thing done.

    Args:
        clock: seconds, monotonic.

    Attributes:
        notice: what is told; None where nothing is.
    """

    DEFAULT_CSS = """
    NoticeLine {
        display: none;
        height: auto;
        max-height: 50%;
        padding: 0 2;
        color: $text;
        background: $surface;
        border-top: solid $foreground 20%;
    }
    NoticeLine.-warning {
        color: $text-warning;
    }
    NoticeLine.-error {
        color: $text-error;
    }
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.notice: Notice | None = None
        self._clock = clock
        self._since = 0.0

    def tell(self, notice: Notice) -> None:
        """Show this in the place of what was told before."""
        self.notice = notice = replace(notice, text=without_middle(notice.text))
        for severity in Severity:
            self.set_class(severity is notice.severity, f"-{severity.value}")
        self.say(clean_text(MARKS[notice.severity] + notice.text))
        self.display = True
        self.begin()

    def begin(self) -> None:
        """It is in view from now on."""
        self._since = self._clock()

    def pressed(self) -> None:
        """A key was pressed: the notice goes, if there was time to read it."""
        if self.notice and self._clock() - self._since >= SEEN + len(self.notice.text) / READ:
            self.clear()

    def clear(self) -> None:
        """Show nothing."""
        self.notice = None
        self.display = False

    def on_click(self) -> None:
        """It was read."""
        self.clear()
