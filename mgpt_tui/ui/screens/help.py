"""The help screen: what this is, every key and every command."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical, VerticalScroll

from mgpt_tui.ui.declaration import Group, Key
from mgpt_tui.ui.keymap import KeyNames
from mgpt_tui.ui.keys import KEYS
from mgpt_tui.ui.screens.dialog import Dialog
from mgpt_tui.ui.widgets.plain import Plain

ABOUT = """\
Write the beginning of a story; the model goes on from there. Then it is your turn, or its own \
again. Lines with a bar at the left hold words of yours, and those words are bold.

A line that begins with / is a command. {Complete} completes it, {earlier_line} and {later_line} \
mark one of the list, {send} runs it, and esc closes the list. Begin with // to write a / into \
the story. Pasted text is always text.

Every story is kept while you write, under its first words, until you save it under a name of \
your own; that also writes a readable copy. A seed makes the model write the same again; without \
one, every try is new. Mark text with the mouse to copy it (shift and the mouse where the \
terminal should do it)."""


class HelpScreen(Dialog[None]):
    """Lists the keys in force and the commands.

    Args:
        names: what the keys in force are called.
    """

    DEFAULT_CSS = """
    HelpScreen .heading {
        text-style: bold underline;
    }
    HelpScreen .group {
        height: auto;
        padding-bottom: 1;
    }
    HelpScreen .ways {
        width: 27;
        padding-right: 1;
        text-style: bold;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,f1,q,enter", "dismiss(None)", "close", show=False),
        Binding("down,j", "scroll('down')", show=False),
        Binding("up,k", "scroll('up')", show=False),
    ]

    def __init__(self, names: KeyNames) -> None:
        super().__init__()
        self._names = names

    def compose(self) -> ComposeResult:
        box = VerticalScroll(classes="box", can_focus=True)
        box.border_title = "Help"
        box.border_subtitle = "esc closes"
        with box:
            for group in Group:
                with Vertical(classes="group"):
                    yield Plain(group.value, classes="heading")
                    for key in KEYS:
                        if key.group is group:
                            with Horizontal(classes="row"):
                                yield Plain(self._ways(key), classes="ways")
                                yield Plain(key.help, classes="what")
            yield Plain(self._names.fill(ABOUT), classes="about")

    def _ways(self, key: Key) -> str:
        """How to ask for it: `f6 · /compare [N]`."""
        return " · ".join(way for way in (self._names.all(key.id), key.usage) if way)
