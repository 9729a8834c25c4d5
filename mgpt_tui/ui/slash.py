"""Commands in the prompt line: what a line asks for, and what can stand in it.

A line that begins with `/` is a command; one that begins with `//` is text that begins with
`/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from mgpt_tui.errors import UserError, did_you_mean
from mgpt_tui.ui.declaration import Key
from mgpt_tui.ui.keys import KEYS

Offers = Callable[[str], Iterable[str]]
"""The names that may stand after the command of a key's id."""

MOST_OFFERS = 50
COMMANDS = {name: key for key in KEYS if key.slash for name in (key.slash, *key.aliases)}


@dataclass(frozen=True, slots=True)
class Completion:
    """What a line may become.

    Attributes:
        line: the whole line then; the same as it is where this only explains.
        label: what is offered.
        help: what it means.
    """

    line: str
    label: str
    help: str = ""


def is_command(line: str) -> bool:
    """Whether a typed line is a command."""
    return line.startswith("/") and not line.startswith("//")


def as_text(line: str) -> str:
    """What a typed line that is no command says."""
    return line.removeprefix("/") if line.startswith("//") else line


def as_typed(text: str) -> str:
    """The line that says `text`."""
    return f"/{text}" if text.startswith("/") else text


def read_command(line: str) -> tuple[Key, str]:
    """What a command line asks for, and the argument for it ("" where there is none).

    Raises:
        UserError: where it is no command, or its argument cannot be.
    """
    if "\n" in line:
        raise UserError("A command is one line.", "To write it into the story, begin with //.")
    name, _, argument = line.partition(" ")
    argument = argument.strip()
    key = COMMANDS.get(name.casefold())
    if key is None:
        raise _unknown(name)
    if argument and not key.argument:
        raise UserError(f"Nothing stands after {key.slash}.", f"Type {key.slash} alone.")
    if key.needs_argument and not argument:
        choices = f"There are {', '.join(key.takes.choices)}." if key.takes.choices else ""
        raise UserError(f"{key.slash} needs more: {key.usage}", choices)
    if argument:
        key.takes.check(argument, key.usage)
    return key, argument


def complete(line: str, offers: Offers) -> list[Completion]:
    """What a typed line may become; nothing where it is no command.

    Args:
        line: what is typed.
        offers: tells the names that may stand after a command.
    """
    if not is_command(line) or "\n" in line:
        return []
    name, blank, argument = line.partition(" ")
    if not blank:
        return list(_commands(name.casefold()))
    key = COMMANDS.get(name.casefold())
    if key is None:
        return []
    offered = key.takes.offers(argument.lstrip(), offers(key.id))
    found = [Completion(f"{name} {one.text}", one.label, one.help) for one in offered]
    return found[:MOST_OFFERS] or [Completion(line, key.usage, key.help)]


def _commands(begun: str) -> Iterator[Completion]:
    """The commands whose name, or else another name of theirs, begins so."""
    for key in KEYS:
        if not key.slash:
            continue
        name = next((name for name in (key.slash, *key.aliases) if name.startswith(begun)), None)
        if name is not None:
            line = f"{name} " if key.argument else name
            yield Completion(line, f"{name} {key.argument}".rstrip(), key.help)


def _unknown(name: str) -> UserError:
    short = name if len(name) <= 20 else f"{name[:20]}…"
    remedy = did_you_mean(name, COMMANDS, otherwise="/help lists them; // writes a / as text.")
    return UserError(f"{short} is no command.", remedy)
