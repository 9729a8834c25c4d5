"""The help screen: what this is, and every key."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import ModalScreen

from mgpt_tui.ui.keys import KEYS, keymap, show_keys
from mgpt_tui.ui.widgets.plain import Plain

ABOUT = """\
Write the beginning of a story; the model goes on from there. Then it is your turn, or its own \
again. Lines with a bar at the left hold words of yours, and those words are bold.

Every story is kept while you write, under its first words, until you save it under a name of \
your own; that also writes a readable copy. A seed makes the model write the same again; without \
one, every try is new. Mark text with the mouse to copy it (shift and the mouse where the \
terminal should do it)."""


class HelpScreen(ModalScreen[None]):
    """Lists the keys in force.

    Args:
        changed: keys that the settings change, by id.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,q,enter", "dismiss(None)", "close", show=False),
        Binding("down,j", "scroll('down')", show=False),
        Binding("up,k", "scroll('up')", show=False),
    ]

    def __init__(self, changed: dict[str, str]) -> None:
        super().__init__()
        self._changed = changed

    def compose(self) -> ComposeResult:
        box = VerticalScroll(classes="box", can_focus=True)
        box.border_title = "Help"
        box.border_subtitle = "esc closes"
        with box:
            changed = keymap(self._changed)
            for key in KEYS:
                with Horizontal(classes="row"):
                    shown = show_keys(changed.get(key.id, key.keys))
                    yield Plain(shown, classes="key")
                    yield Plain(key.help, classes="what")
            yield Plain(ABOUT, classes="about")
