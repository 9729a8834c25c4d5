"""Commands in the prompt line: what a line asks for, and what can stand in it.

A line that begins with `/` is a command; one that begins with `//` is text that begins with
`/`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.presets import PRESETS, find_preset
from mgpt_tui.settings_fields import Declared
from mgpt_tui.ui.keys import KEYS, Key
from mgpt_tui.ui.values import OFF, ON, allowed, in_panel, label, meaning, parse

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
        raise UserError(f"{key.slash} needs more: {key.usage}", _choices(key))
    if argument:
        _check(key, argument)
    return key, argument


def read_setting(argument: str) -> tuple[str, Any]:
    """The setting's name and the value that stand after `/set`.

    Raises:
        UserError: where there is no such setting or it cannot have that value.
    """
    name, _, text = argument.strip().partition(" ")
    setting = _setting(name)
    if setting is None:
        raise UserError(f"There is no setting {name!r}.", _did_you_mean(name, in_panel()))
    text = text.strip()
    try:
        return setting.name, parse(setting, text)
    except UserError as error:
        wrong = f"cannot be {text!r}" if text else "needs a value"
        raise UserError(f"{label(setting)} {wrong}.", f"Give {error.message}.") from None


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
    begun = argument.lstrip()
    if key.id == "set":
        found = _settings(f"{name} ", begun)
    elif key.id == "presets":
        presets = {preset.name: preset.help for preset in PRESETS.values()}
        found = list(_matching(f"{name} ", begun, presets))
    else:
        found = list(_matching(f"{name} ", begun, dict.fromkeys(offers(key.id), "")))
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


def _settings(before: str, begun: str) -> list[Completion]:
    """Settings, or the values of the one that is named."""
    name, blank, value = begun.partition(" ")
    if not blank:
        found = _matching(before, begun, {name: meaning(s) for name, s in in_panel().items()})
        return [Completion(f"{one.line} ", one.label, one.help) for one in found]
    setting = _setting(name)
    if setting is None:
        return []
    words = (ON, OFF) if setting.type is bool else (setting.limits.off or OFF,)
    before = f"{before}{name} "
    listed = setting.type is bool or setting.optional
    values = _matching(before, value.lstrip(), dict.fromkeys(words if listed else (), ""))
    return [*values, Completion(f"{before}{value}", allowed(setting), meaning(setting))]


def _matching(before: str, begun: str, choices: dict[str, str]) -> Iterator[Completion]:
    """The choices that begin so, then those that hold it elsewhere."""
    wanted = begun.strip().casefold()
    found = [choice for choice in choices if wanted in choice.casefold()]
    for choice in sorted(found, key=lambda choice: not choice.casefold().startswith(wanted)):
        yield Completion(f"{before}{choice}", choice, choices[choice])


def _check(key: Key, argument: str) -> None:
    """Refuse an argument that can be known to be wrong."""
    if key.id == "set":
        read_setting(argument)
    elif key.id == "presets":
        find_preset(argument)
    elif key.argument.strip("[]") == "N" and not argument.isdecimal():
        raise UserError(f"{key.usage} takes a whole number, not {argument!r}.", "")


def _setting(name: str) -> Declared | None:
    """The setting that people call so, as the panel or the command line do."""
    wanted = name.casefold().removeprefix("--").replace("_", "-")
    for called, setting in in_panel().items():
        if wanted in (called, setting.flag.removeprefix("--")):
            return setting
    return None


def _choices(key: Key) -> str:
    """What may stand after a command that needs something."""
    if key.id == "set":
        return f"There are {', '.join(in_panel())}."
    return f"There are {', '.join(PRESETS)}." if key.id == "presets" else ""


def _unknown(name: str) -> UserError:
    short = name if len(name) <= 20 else f"{name[:20]}…"
    remedy = _did_you_mean(name, COMMANDS, otherwise="/help lists them; // writes a / as text.")
    return UserError(f"{short} is no command.", remedy)


def _did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The nearest of the names that there are, or all of them."""
    known = list(known)
    name = name.casefold()
    begun = [one for one in known if len(name) > 2 and one.startswith(name)]
    close = begun or get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return otherwise or f"There are {', '.join(known)}."
