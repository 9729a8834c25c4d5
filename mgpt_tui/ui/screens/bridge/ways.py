"""The best ways over a gap side by side, to keep one of them."""

from __future__ import annotations

from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from mgpt_tui.inference.request import MOST_WAYS
from mgpt_tui.stories.paragraphs import apart
from mgpt_tui.text import clean_text
from mgpt_tui.ui.screens.another_word import around
from mgpt_tui.ui.screens.bridge.bridging import SAMPLES, Bridging
from mgpt_tui.ui.screens.compare import Candidate
from mgpt_tui.ui.screens.dialog import LiveDialog
from mgpt_tui.ui.widgets.plain import Plain

SEEN = 140
"""Characters of what is before, and of what comes after, that are shown."""


def bits(number: float) -> str:
    """How much less surprising something is, with its sign; more, where that is a minus."""
    return f"{number:+.1f} bits"


class WaysScreen(LiveDialog[int | None]):
    """Answers with the number of the one to keep, or None.

    Args:
        bridging: looks for them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "none", show=False),
        Binding("left", "app.focus_previous", show=False, priority=True),
        Binding("right", "app.focus_next", show=False, priority=True),
        Binding("ctrl+r", "others", "others", show=False),
        *(Binding(str(number + 1), f"keep({number})", show=False) for number in range(MOST_WAYS)),
    ]

    def __init__(self, bridging: Bridging) -> None:
        super().__init__()
        self._bridging = bridging

    def compose(self) -> ComposeResult:
        text, (start, end) = self._bridging.text, self._bridging.stretch
        first, last = around(text, start, end, SEEN, SEEN)
        before, after = apart(text[first:start].strip()), apart(text[end:last].strip())
        box = Vertical(classes="box whole")
        box.border_title = "What leads from here to there?"
        box.border_subtitle = f"1–{MOST_WAYS} or enter keeps one · ctrl+r looks for others · esc"
        with box:
            yield Plain(f"…{before}" if first else before, classes="shore")
            with Horizontal(id="candidates"):
                for number in range(MOST_WAYS):
                    yield Candidate(number)
            yield Plain(f"{after}…" if last < len(text) else after, classes="shore")
            yield Plain(classes="help")

    def on_mount(self) -> None:
        self.show_session()

    def show_session(self) -> None:
        """Bring every column up to date; ask again where the engine died over it."""
        self._bridging.go_on()
        for candidate in self.query(Candidate):
            number, ways = candidate.number, self._bridging.ways
            if number < len(ways):
                way = ways[number]
                candidate.tell(bits(way.bits), apart(clean_text(way.text).strip()))
            else:
                candidate.tell("" if self._bridging.is_over else "…", "")
        self.query_one(".help", Plain).say(self._said())

    def _said(self) -> str:
        """How far it is, and what the numbers mean."""
        bridging, found = self._bridging, self._bridging.found
        if bridging.trouble:
            return f"✗ {bridging.trouble}"
        if not bridging.is_over:
            weighed = found.weighed if found else 0
            return f"{weighed} ways are weighed; esc stops." if weighed else "The model writes…"
        if bridging.is_stopped and not bridging.ways:
            return "Stopped before a way was weighed; ctrl+r looks for others."
        if found is None or not found.ways:
            return f"None of {SAMPLES} ways leads there; ctrl+r looks for others."
        start, end = bridging.stretch
        now = f" (what stands there now: {bits(found.now)})" if end > start else ""
        return (
            f"The best of {found.weighed} ways: what follows is so many bits less (-: more) "
            f"surprising behind each than behind nothing{now}."
        )

    @on(Candidate.Kept)
    def keep(self, message: Candidate.Kept) -> None:
        """Answer."""
        self.action_keep(message.number)

    def action_keep(self, number: int) -> None:
        """Keep one, once they come in no other order any more."""
        if self._bridging.is_over and number < len(self._bridging.ways):
            self.dismiss(number)

    def action_others(self) -> None:
        """Look for others."""
        self._bridging.others()
        self.show_session()

    def action_leave(self) -> None:
        """The first press stops the search, so that what it found can be read."""
        if self._bridging.is_over:
            self.dismiss(None)
        else:
            self._bridging.stop()
            self.show_session()
