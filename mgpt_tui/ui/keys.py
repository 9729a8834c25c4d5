"""Every key of the app, declared once.

The bindings, the footer, the palette, the help screen and the README all read this table. An
id names what a key does, so that `settings.json` can give it another key.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from textual.binding import Binding, BindingType


class Where(StrEnum):
    """Which part of the app answers to a key."""

    PROMPT = "prompt"
    ROOM = "room"
    APP = "app"
    TEXTUAL = "textual"  # bound by Textual itself, listed for people


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What one key does.

    Attributes:
        id: its name in `settings.json`.
        keys: the keys, comma-separated, as Textual names them.
        action: the Textual action.
        label: a word or two, for the footer and the palette.
        help: one line, for the help screen and the README.
        where: the part that answers to it.
        footer: whether the footer shows it.
        palette: whether the palette offers it.
        priority: whether it goes before the keys of the field that has the focus.
    """

    id: str
    keys: str
    action: str
    label: str
    help: str
    where: Where = Where.ROOM
    footer: bool = False
    palette: bool = False
    priority: bool = True

    @property
    def shown(self) -> str:
        """The keys as people write them."""
        return show_keys(self.keys)


KEYS = (
    Key(
        id="send", keys="enter", action="send", label="go on", where=Where.PROMPT, footer=True,
        help="send the line and let the model go on; on an empty line it just goes on",
    ),
    Key(
        id="newline", keys="ctrl+j,shift+enter", action="newline", label="new line",
        where=Where.PROMPT, help="begin a new line without sending",
    ),
    Key(
        id="stop", keys="escape", action="stop", label="stop", footer=True,
        help="stop the model and keep what it wrote", priority=False,
    ),
    Key(
        id="retry", keys="ctrl+r", action="retry", label="retry", footer=True, palette=True,
        help="let the model write its last passage anew",
    ),
    Key(
        id="undo", keys="ctrl+z", action="undo", label="undo", footer=True, palette=True,
        help="take back the last step of the story (in a line being typed: the typing)",
    ),
    Key(
        id="redo", keys="ctrl+y", action="redo", label="redo", palette=True,
        help="bring back what undo took",
    ),
    Key(
        id="save", keys="ctrl+s", action="save", label="save", footer=True, palette=True,
        help="save the story; the first time, say under which name",
    ),
    Key(
        id="save_as", keys="f3", action="save_as", label="save as", palette=True,
        help="save the story under another name or somewhere else",
    ),
    Key(
        id="open", keys="ctrl+o", action="open", label="open", footer=True, palette=True,
        help="open a saved story",
    ),
    Key(
        id="new", keys="ctrl+n", action="new", label="new", palette=True,
        help="begin a new story; this one is kept",
    ),
    Key(
        id="settings", keys="ctrl+t,f2", action="settings", label="settings", footer=True,
        palette=True, help="show or hide the settings",
    ),
    Key(
        id="end", keys="end,ctrl+end", action="jump_end", label="to the end", palette=True,
        help="jump to the end of the story and follow it again",
    ),
    Key(
        id="top", keys="ctrl+home", action="jump_top", label="to the top", palette=True,
        help="jump to the beginning of the story",
    ),
    Key(
        id="page_up", keys="pageup", action="page_up", label="page up",
        help="scroll back; the story goes on below",
    ),
    Key(
        id="page_down", keys="pagedown", action="page_down", label="page down",
        help="scroll on",
    ),
    Key(
        id="copy", keys="ctrl+c", action="copy", label="copy", where=Where.TEXTUAL,
        help="copy the text marked with the mouse",
    ),
    Key(
        id="help", keys="f1", action="app.help", label="help", footer=True, palette=True,
        help="show this help",
    ),
    Key(
        id="palette", keys="ctrl+p", action="command_palette", label="palette",
        where=Where.APP, help="find a command by name, and change the theme",
    ),
    Key(
        id="quit", keys="ctrl+q", action="quit", label="quit", where=Where.APP, palette=True,
        help="leave; the story is kept",
    ),
)  # fmt: skip


def bindings(where: Where) -> list[BindingType]:
    """The Textual bindings of one part of the app."""
    return [
        Binding(
            key.keys,
            key.action,
            key.label,
            show=key.footer,
            key_display=show_key(key.keys.partition(",")[0], short=True),
            priority=key.priority,
            tooltip=key.help,
            id=key.id,
        )
        for key in KEYS
        if key.where is where
    ]


def show_keys(keys: str) -> str:
    """Comma-separated keys as people write them: `ctrl+t or f2`."""
    return " or ".join(show_key(key.strip()) for key in keys.split(","))


def show_key(key: str, *, short: bool = False) -> str:
    """One key as people write it; `short` says `^r` for `ctrl+r`, as footers do."""
    name = {"escape": "esc", "pageup": "page up", "pagedown": "page down"}.get(key, key)
    return name.replace("ctrl+", "^") if short else name


def keymap(changed: dict[str, str]) -> dict[str, str]:
    """The changes that mean something: of ids that there are, to keys that are not empty."""
    movable = {key.id for key in KEYS if key.where is not Where.TEXTUAL}
    return {id: keys for id, keys in changed.items() if id in movable and keys.strip(" ,")}
