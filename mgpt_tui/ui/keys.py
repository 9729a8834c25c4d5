"""Everything that the app can do, declared once.

The key bindings, the footer, the palette, the slash commands, the help screen and the README
all read this table. An id names what is done, so that `settings.json` can give it another key.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

from textual.binding import Binding, BindingType
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, key_to_character

_NAMED = {key.value for key in Keys} | set(KEY_NAME_REPLACEMENTS.values())
_MODIFIERS = {"alt", "ctrl", "hyper", "meta", "shift", "super"}


class Where(StrEnum):
    """Which part of the app answers."""

    PROMPT = "prompt"
    ROOM = "room"
    APP = "app"
    TEXTUAL = "textual"  # bound by Textual itself, listed for people


class Group(StrEnum):
    """What an entry is about: a heading of the help screen."""

    WRITING = "Writing"
    CHANGING = "Changing the story"
    STORIES = "Stories"
    SETTINGS = "Settings"
    READING = "Reading"
    APP = "The app"


class Footer(IntEnum):
    """Whether the footer shows a key."""

    NEVER = 0
    WIDE = 1  # where there is room for it
    ALWAYS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One thing that the app can do, and the ways to ask for it.

    Attributes:
        id: its name in `settings.json`.
        group: what it is about.
        action: the Textual action.
        label: a word or two, for the footer and the palette.
        help: one line, for the help screen and the README.
        keys: the keys, comma-separated, as Textual names them; "" where there is none.
        slash: the command in the prompt line, such as `/retry`; "" where there is none.
        aliases: other names of the command.
        argument: what stands after the command, in capitals; in brackets where it may be left
            out. The action gets it as a string.
        where: the part that answers.
        footer: whether the footer shows it.
        palette: whether the palette offers it.
        priority: whether its keys go before those of the field that has the focus.
    """

    id: str
    group: Group
    action: str
    label: str
    help: str
    keys: str = ""
    slash: str = ""
    aliases: tuple[str, ...] = ()
    argument: str = ""
    where: Where = Where.ROOM
    footer: Footer = Footer.NEVER
    palette: bool = False
    priority: bool = True

    @property
    def shown(self) -> str:
        """The keys as people write them."""
        return show_keys(self.keys)

    @property
    def usage(self) -> str:
        """The slash command with its argument: `/compare [N]`."""
        return f"{self.slash} {self.argument}".rstrip()

    @property
    def needs_argument(self) -> bool:
        """Whether the command means nothing without its argument."""
        return bool(self.argument) and not self.argument.startswith("[")

    def call(self, argument: str = "") -> str:
        """The Textual action with an argument, ready for `run_action`."""
        return f"{self.action}({argument!r})" if argument else self.action


KEYS = (
    Key(
        id="send", group=Group.WRITING, keys="enter", action="send", label="go on",
        where=Where.PROMPT, footer=Footer.ALWAYS,
        help="send the line and let the model go on; on an empty line it just goes on",
    ),
    Key(
        id="newline", group=Group.WRITING, keys="ctrl+j,shift+enter", action="newline",
        label="new line", where=Where.PROMPT, help="begin a new line without sending",
    ),
    Key(
        id="stop", group=Group.WRITING, keys="escape", action="stop", label="stop",
        slash="/stop", footer=Footer.ALWAYS, priority=False,
        help="stop the model and keep what it wrote",
    ),
    Key(
        id="retry", group=Group.WRITING, keys="ctrl+r", action="retry", label="retry",
        slash="/retry", footer=Footer.ALWAYS, palette=True,
        help="let the model write its last passage anew; the old one stays as a branch",
    ),
    Key(
        id="word", group=Group.WRITING, keys="alt+w", action="go_on('word')",
        label="go on by a word", slash="/word", palette=True,
        help="let the model write one word",
    ),
    Key(
        id="sentence", group=Group.WRITING, keys="alt+s", action="go_on('sentence')",
        label="go on by a sentence", slash="/sentence", palette=True,
        help="let the model write to the end of a sentence",
    ),
    Key(
        id="paragraph", group=Group.WRITING, keys="alt+p", action="go_on('paragraph')",
        label="go on by a paragraph", slash="/paragraph", palette=True,
        help="let the model write to the end of a paragraph",
    ),
    Key(
        id="whole", group=Group.WRITING, keys="alt+g", action="go_on('end')",
        label="go on to the end", slash="/whole", palette=True,
        help="let the model write until the story ends",
    ),
    Key(
        id="earlier_line", group=Group.WRITING, keys="up", action="earlier_line",
        label="earlier line", where=Where.PROMPT,
        help="in the first line: bring back what was typed before",
    ),
    Key(
        id="later_line", group=Group.WRITING, keys="down", action="later_line",
        label="later line", where=Where.PROMPT,
        help="in the last line: go back to what was typed later",
    ),
    Key(
        id="complete", group=Group.WRITING, keys="tab", action="complete", label="complete",
        where=Where.PROMPT, help="after a /: complete the command",
    ),
    Key(
        id="undo", group=Group.CHANGING, keys="ctrl+z", action="undo", label="undo",
        slash="/undo", footer=Footer.ALWAYS, palette=True,
        help="take back the last step of the story (in a line being typed: the typing)",
    ),
    Key(
        id="redo", group=Group.CHANGING, keys="ctrl+y", action="redo", label="redo",
        slash="/redo", palette=True, help="bring back what undo took",
    ),
    Key(
        id="edit", group=Group.CHANGING, keys="f4", action="edit", label="edit",
        slash="/edit", footer=Footer.WIDE, palette=True,
        help="change the story anywhere, as in a text editor",
    ),
    Key(
        id="another_word", group=Group.CHANGING, keys="f5", action="another_word",
        label="another word", slash="/other", footer=Footer.WIDE, palette=True,
        help="choose another word where the model wrote one",
    ),
    Key(
        id="compare", group=Group.CHANGING, keys="f6", action="compare", label="compare",
        slash="/compare", argument="[N]", footer=Footer.WIDE, palette=True,
        help="let the model write several continuations side by side, and keep one",
    ),
    Key(
        id="branches", group=Group.CHANGING, keys="f7", action="branches", label="branches",
        slash="/branches", aliases=("/branch",), footer=Footer.WIDE, palette=True,
        help="see every version of the story and go to one",
    ),
    Key(
        id="earlier_branch", group=Group.CHANGING, keys="alt+left", action="sibling(-1)",
        label="earlier branch", slash="/prev", palette=True,
        help="go to the version before this one, at the same place",
    ),
    Key(
        id="later_branch", group=Group.CHANGING, keys="alt+right", action="sibling(1)",
        label="later branch", slash="/next", palette=True,
        help="go to the version after this one, at the same place",
    ),
    Key(
        id="save", group=Group.STORIES, keys="ctrl+s", action="save", label="save",
        slash="/save", argument="[NAME]", footer=Footer.ALWAYS, palette=True,
        help="save the story; the first time, say under which name",
    ),
    Key(
        id="save_as", group=Group.STORIES, keys="f3", action="save_as", label="save as",
        palette=True, help="save the story under another name or somewhere else",
    ),
    Key(
        id="rename", group=Group.STORIES, action="rename", label="rename",
        slash="/rename", argument="NAME", palette=True, help="give the story another name",
    ),
    Key(
        id="export", group=Group.STORIES, action="export", label="export",
        slash="/export", argument="FILE", palette=True,
        help="copy the story to a file that ends in .md, .txt, .json or .html",
    ),
    Key(
        id="open", group=Group.STORIES, keys="ctrl+o", action="open", label="open",
        slash="/open", aliases=("/stories", "/library"), argument="[NAME]",
        footer=Footer.ALWAYS, palette=True,
        help="find, open, rename, duplicate or delete a story, or bring in a .txt",
    ),
    Key(
        id="new", group=Group.STORIES, keys="ctrl+n", action="new", label="new",
        slash="/new", palette=True, help="begin a new story; this one is kept",
    ),
    Key(
        id="settings", group=Group.SETTINGS, keys="ctrl+t,f2", action="settings",
        label="settings", slash="/settings", footer=Footer.ALWAYS, palette=True,
        help="show or hide the settings",
    ),
    Key(
        id="set", group=Group.SETTINGS, action="set", label="set", slash="/set",
        argument="SETTING VALUE", palette=True, help="change one setting",
    ),
    Key(
        id="presets", group=Group.SETTINGS, action="preset", label="preset",
        slash="/preset", argument="NAME", palette=True,
        help="take the settings of a preset: calm, balanced or wild",
    ),
    Key(
        id="models", group=Group.SETTINGS, keys="f8", action="models", label="model",
        slash="/model", aliases=("/models",), argument="[NAME]", palette=True,
        help="go on with another model; the story stays",
    ),
    Key(
        id="theme", group=Group.SETTINGS, action="theme", label="theme", slash="/theme",
        argument="[NAME]", where=Where.APP, palette=True,
        help="change the colours, dark, light or the terminal's own",
    ),
    Key(
        id="end", group=Group.READING, keys="end,ctrl+end", action="jump_end",
        label="to the end", slash="/bottom", palette=True,
        help="jump to the end of the story and follow it again",
    ),
    Key(
        id="top", group=Group.READING, keys="ctrl+home", action="jump_top",
        label="to the top", slash="/top", palette=True,
        help="jump to the beginning of the story",
    ),
    Key(
        id="page_up", group=Group.READING, keys="pageup", action="page_up", label="page up",
        help="scroll back; the story goes on below",
    ),
    Key(
        id="page_down", group=Group.READING, keys="pagedown", action="page_down",
        label="page down", help="scroll on",
    ),
    Key(
        id="copy", group=Group.READING, keys="ctrl+c", action="copy", label="copy",
        where=Where.TEXTUAL, help="copy the text marked with the mouse",
    ),
    Key(
        id="help", group=Group.APP, keys="f1", action="app.help", label="help", slash="/help",
        footer=Footer.ALWAYS, palette=True, help="show this help",
    ),
    Key(
        id="palette", group=Group.APP, keys="ctrl+p", action="command_palette",
        label="palette", where=Where.APP, help="find anything of this by name",
    ),
    Key(
        id="quit", group=Group.APP, keys="ctrl+q", action="quit", label="quit", slash="/quit",
        aliases=("/exit",), where=Where.APP, palette=True, help="leave; the story is kept",
    ),
)  # fmt: skip


def bindings(where: Where) -> list[BindingType]:
    """The Textual bindings of one part of the app."""
    return [
        Binding(
            key.keys,
            key.action,
            key.label,
            show=key.footer is not Footer.NEVER,
            key_display=show_key(key.keys.partition(",")[0], short=True),
            priority=key.priority,
            tooltip=key.help,
            id=key.id,
        )
        for key in KEYS
        if key.where is where and key.keys
    ]


def show_keys(keys: str) -> str:
    """Comma-separated keys as people write them: `ctrl+t or f2`."""
    return " or ".join(show_key(key.strip()) for key in keys.split(","))


def show_key(key: str, *, short: bool = False) -> str:
    """One key as people write it; `short` says `^r` for `ctrl+r`, as footers do."""
    name = {"escape": "esc", "pageup": "page up", "pagedown": "page down"}.get(key, key)
    return name.replace("ctrl+", "^") if short else name


def keymap(changed: dict[str, str]) -> dict[str, str]:
    """The changes that can be made: of ids that have keys, to keys that there are."""
    return check_keys(changed)[0]


def check_keys(changed: dict[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """The changes that can be made, and what is wrong with the others."""
    movable = {key.id for key in KEYS if key.keys and key.where is not Where.TEXTUAL}
    kept, wrong = {}, []
    for id, keys in changed.items():
        names = {name.strip(): _textual_name(name.strip()) for name in keys.split(",")}
        unknown = [name for name, known in names.items() if not known]
        if id not in movable:
            wrong.append(f"keys: no key belongs to {id!r}")
        elif unknown:
            wrong.append(f"keys: {id} cannot be {unknown[0]!r}, which is no key")
        else:
            kept[id] = ",".join(names.values())
    while clash := _clash(kept):
        id, name, owner = clash
        wrong.append(f"keys: {id} cannot be {name}, which is {owner}")
        del kept[id]
    return kept, tuple(wrong)


def _textual_name(key: str) -> str:
    """A key as Textual calls it when it is pressed; "" where there is none of that name."""
    *modifiers, last = key.split("+")
    there = last in _NAMED or key_to_character(last) is not None
    return "+".join((*sorted(modifiers), last)) if there and {*modifiers} <= _MODIFIERS else ""


def _clash(changed: dict[str, str]) -> tuple[str, str, str] | None:
    """A changed id, and a key of it that another id has: what is unchanged, or changed before."""
    owners: dict[str, str] = {}
    for key in sorted(KEYS, key=lambda key: key.id in changed):
        for name in filter(None, changed.get(key.id, key.keys).split(",")):
            if name in owners:
                return key.id, name, owners[name]
            owners[name] = key.id
    return None
