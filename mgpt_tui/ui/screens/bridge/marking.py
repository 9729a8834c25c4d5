"""Marking where a bridge is to be: between two sentences, or in place of some."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.content import Content
from textual.style import Style

from mgpt_tui.ui.screens.another_word import around, set_apart
from mgpt_tui.ui.screens.bridge.bridging import Stretch, places_of
from mgpt_tui.ui.screens.dialog import STEPS, Dialog
from mgpt_tui.ui.widgets.plain import Plain

BEFORE, AFTER = 500, 400
"""Characters of the story that are shown around the end of what is marked that moves."""
HERE = " … "
"""What marks a place where nothing stands."""
BETWEEN = "Between two sentences: enter has the model write what leads from one to the other."
OTHERWISE = "Enter has the model say this otherwise, so that it leads to what comes after."


class MarkScreen(Dialog[Stretch | None]):
    """Answers with what was marked, or None.

    Args:
        text: the story, in which there is a place for a bridge.
        offset: a character of the sentence to begin at; before the last one where left out.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "dismiss(None)", "cancel", show=False),
        Binding("enter", "mark", "bridge", show=False),
        Binding("shift+left", "more(-1)", "mark more", show=False),
        Binding("shift+right", "more(1)", "mark more", show=False),
        *STEPS,
    ]

    def __init__(self, text: str, offset: int | None = None) -> None:
        super().__init__()
        self._text = text
        self._places = places_of(text)
        self._anchor = self._at = len(self._places) - 1
        if offset is not None:
            within = (place for place, (_, end) in enumerate(self._places) if offset < end)
            self._anchor = self._at = next(within, self._at)

    @property
    def stretch(self) -> Stretch:
        """What is marked."""
        first, last = sorted((self._anchor, self._at))
        return Stretch(self._places[first].start, self._places[last].end)

    def compose(self) -> ComposeResult:
        box = Vertical(classes="box whole")
        box.border_title = "Where is a bridge to be?"
        box.border_subtitle = "← → walk · shift+← → mark more · enter bridges · esc"
        with box:
            with VerticalScroll():
                yield Plain(id="marked")
            yield Plain(classes="help")

    def on_mount(self) -> None:
        self._show()

    def action_step(self, by: int) -> None:
        """Go to the place before or after."""
        self.action_more(by)
        self._anchor = self._at
        self._show()

    def action_more(self, by: int) -> None:
        """Mark up to the place before or after, too."""
        self._at = min(max(0, self._at + by), len(self._places) - 1)
        self._show()

    def action_place(self, at: int) -> None:
        """Go to a place by its number; clicks on sentences do so."""
        self._anchor = self._at = at
        self._show()

    def action_mark(self) -> None:
        """Answer with what is marked."""
        self.dismiss(self.stretch)

    def _show(self) -> None:
        start, end = self.stretch
        self.query_one("#marked", Plain).update(self._passage(start, end))
        self.query_one(".help", Plain).say(OTHERWISE if end > start else BETWEEN)

    def _passage(self, start: int, end: int) -> Content:
        """The story around what is marked, in which sentences can be clicked."""
        first, last = around(self._text, *self._places[self._at], BEFORE, AFTER)
        content = Content(self._text)
        for number, (begin, stop) in enumerate(self._places):
            if first <= begin < stop and begin < last:
                click = Style.from_meta({"@click": f"screen.place({number})"})
                content = content.stylize(click, begin, stop)
        start, end = max(first, start), min(end, last)
        marked = content[start:end] if end > start else Content(HERE)
        marked = marked.stylize("reverse bold")
        return set_apart(Content.assemble(content[first:start], marked, content[end:last]))
