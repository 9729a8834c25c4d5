"""A few words of which one is chosen, with the keys or the mouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from mgpt_tui.ui.widgets.plain import Plain


class RadioLine(Plain, can_focus=True):
    """Shows all words in a line, the chosen one in brackets, so that no colour is needed.

    Args:
        words: what there is to choose among.
        chosen: one of them, or anything else for none of them.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", "move(-1)", show=False),
        Binding("right,space", "move(1)", show=False),
        Binding("enter", "submit", show=False),
    ]
    DEFAULT_CSS = """
    RadioLine {
        width: 1fr;
        height: 1;
    }
    RadioLine:focus {
        background: $foreground 20%;
        text-style: bold;
    }
    """

    class Changed(Message):
        """Another word was chosen."""

        def __init__(self, word: str) -> None:
            super().__init__()
            self.word = word

    class Submitted(Message):
        """Enter was pressed."""

    def __init__(self, words: Sequence[str], chosen: str, id: str) -> None:
        super().__init__(id=id)
        self._words = tuple(words)
        self._chosen = chosen

    @property
    def chosen(self) -> str:
        """The word in brackets; where none is, whatever was set."""
        return self._chosen

    @chosen.setter
    def chosen(self, word: str) -> None:
        self._chosen = word
        self.update(self._line())

    def on_mount(self) -> None:
        self.update(self._line())

    def action_move(self, step: int) -> None:
        """Choose the word beside, around the end."""
        words = self._words
        if self._chosen in words:
            self._choose(words[(words.index(self._chosen) + step) % len(words)])
        else:
            self._choose(words[0 if step > 0 else -1])

    def action_submit(self) -> None:
        """Be done."""
        self.post_message(self.Submitted())

    def on_click(self, event: events.Click) -> None:
        """Choose the word under the mouse."""
        end = 0
        for word in self._words:
            end += len(word) + 2
            if event.x < end:
                self._choose(word)
                return

    def _choose(self, word: str) -> None:
        if word != self._chosen:
            self.chosen = word
            self.post_message(self.Changed(word))

    def _line(self) -> str:
        return "".join(f"[{word}]" if word == self._chosen else f" {word} " for word in self._words)
