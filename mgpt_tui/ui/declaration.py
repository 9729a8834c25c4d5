"""What is said of one thing that the app can do: an entry of the table in `keys`.

All that the rest of the app knows of it stands in its entry, so that another one takes a line in
the table and a method.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Protocol

from mgpt_tui.stories.library import StoryLibrary
from mgpt_tui.ui.session.session import Session


class Room(Protocol):
    """What an entry may ask about how things stand."""

    @property
    def session(self) -> Session:
        """The writer, the story and the engine."""

    @property
    def library(self) -> StoryLibrary:
        """Where stories are kept."""

    @property
    def is_typing(self) -> bool:
        """Whether something stands in the prompt."""

    @property
    def is_behind(self) -> bool:
        """Whether something that is written is not shown yet."""

    @property
    def themes(self) -> Collection[str]:
        """The themes that there are."""


def always(room: Room) -> bool:
    """It can be done at any time."""
    return True


@dataclass(frozen=True, slots=True)
class Offer:
    """What an argument that is being typed may become.

    Attributes:
        text: the whole argument then; the same as it is where this only explains.
        label: what is offered.
        help: what it means.
    """

    text: str
    label: str
    help: str = ""


def matching(begun: str, choices: Mapping[str, str]) -> Iterator[Offer]:
    """The choices that begin so, then those that hold it elsewhere.

    Args:
        begun: what is typed so far.
        choices: names, and what they mean.
    """
    wanted = begun.strip().casefold()
    found = [choice for choice in choices if wanted in choice.casefold()]
    for choice in sorted(found, key=lambda choice: not choice.casefold().startswith(wanted)):
        yield Offer(choice, choice, choices[choice])


def _of_names(begun: str, names: Iterable[str]) -> Iterator[Offer]:
    return matching(begun, dict.fromkeys(names, ""))


def _no_names(room: Room) -> Iterable[str]:
    return ()


def _no_check(argument: str, usage: str) -> None:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """What may stand after a slash command: anything, as far as no more is said of it.

    Attributes:
        names: the names that may stand there now; they are asked for once while it is typed.
        offers: what a beginning may become, given those names: by default, those that hold it.
        check: raises a `UserError` where something cannot stand there; it is given that, and the
            command as it is typed, such as `/compare [N]`.
        choices: all that may stand there, where that can be listed.
    """

    names: Callable[[Room], Iterable[str]] = _no_names
    offers: Callable[[str, Iterable[str]], Iterable[Offer]] = _of_names
    check: Callable[[str, str], object] = _no_check
    choices: tuple[str, ...] = ()


ANYTHING = Argument()


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
    MODELS = "Models"
    READING = "Reading"
    APP = "The app"


class Footer(IntEnum):
    """Whether the footer shows a key."""

    NEVER = 0
    WIDE = 1  # where there is room for it
    ALWAYS = 2  # in its order, as far as there is room
    FIRST = 3  # before all others


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One thing that the app can do, and the ways to ask for it.

    Attributes:
        id: its name in `settings.json`.
        group: what it is about.
        action: the Textual action.
        label: a word or two, for the footer and the palette.
        help: one line, for the help screen and docs/app.md.
        keys: the keys, comma-separated, as Textual names them; "" where there is none.
        slash: the command in the prompt line, such as `/retry`; "" where there is none.
        aliases: other names of the command.
        argument: what stands after the command, in capitals; in brackets where it may be left
            out. The action gets it as a string.
        takes: what may stand there.
        where: the part that answers.
        footer: whether the footer shows it.
        palette: whether the palette offers it.
        priority: whether its keys go before those of the field that has the focus.
        can: whether it can be done now.
        unless: what is said where it cannot; "" of what always can be done.
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
    takes: Argument = ANYTHING
    where: Where = Where.ROOM
    footer: Footer = Footer.NEVER
    palette: bool = False
    priority: bool = True
    can: Callable[[Room], bool] = always
    unless: str = ""

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


def show_keys(keys: str) -> str:
    """Comma-separated keys as people write them: `ctrl+t or f2`."""
    return " or ".join(show_key(key.strip()) for key in keys.split(","))


def show_key(key: str, *, short: bool = False) -> str:
    """One key as people write it; `short` says `^r` for `ctrl+r`, as footers do."""
    name = {"escape": "esc", "pageup": "page up", "pagedown": "page down"}.get(key, key)
    return name.replace("ctrl+", "^") if short else name
