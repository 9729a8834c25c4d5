"""Settings declared once: a dataclass field carries its help and its limits.

The command line, the settings panel, the TOML reader and the tables in docs/ all read a
setting from its field, so a default or a bound is written in one place only. How a value is
typed is told by `settings_text`.
"""

from __future__ import annotations

import math
import types
from collections.abc import Iterator
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from mgpt_tui.errors import UserError

LARGEST_INT = 2**63 - 1
"""No setting is larger; what is could not be handed to torch or numpy."""

ON, OFF = "on", "off"
RANDOM = "random"
"""What is typed for a fresh seed."""
FRESH = (RANDOM, "-1", OFF, "")
"""All that means a fresh seed; -1 does in other programs."""

SEVERAL = r"several with | between (\n new line, \t tab, \s blank, \| bar, \\ backslash)"
"""How texts are typed of which a setting has several."""

LONGEST_WORD = 24
"""Letters of a word, where a setting takes words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a setting means and which values it takes.

    Attributes:
        help: one sentence without a closing full stop.
        minimum, maximum: inclusive bounds, where there are any.
        choices: the only values allowed, where they can be listed.
        off: the word that stands for None (`--top-k off`, `--seed random`).
        note: what a value at the edge means ("0 is greedy"), added to error messages.
        room: the app's own default, where it is another one than on the command line.
        words: of texts that are single words, how many there may be; 0 of any others.
    """

    help: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    off: str | None = None
    note: str = ""
    room: Any = None
    words: int = 0


def setting(default: Any, help: str, **limits: Any) -> Any:
    """A dataclass field with a default, a help text and `Limits`."""
    return field(default=default, metadata={"limits": Limits(help=help, **limits)})


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared setting of a config class.

    Attributes:
        name: the field's name, with underscores.
        type: the plain type (int, float, str or bool), without the `| None`.
        optional: True where None is allowed.
        many: True where the value is a tuple of that type.
        default: the default value.
        limits: help and bounds.
    """

    name: str
    type: type
    optional: bool
    default: Any
    limits: Limits
    many: bool = False

    @property
    def flag(self) -> str:
        """The setting as a command-line flag."""
        return "--" + self.name.replace("_", "-")

    def is_off(self, value: Any) -> bool:
        """Whether a value that is typed, or stands in a file, is a word for None."""
        off, said = self.limits.off, str(value).casefold()
        return said in FRESH if off == RANDOM else said == off

    def check(self, value: Any) -> None:
        """Raise `UserError` where `value` is not allowed, naming what is."""
        if wrong := self._wrong(value):
            raise UserError(f"{self.name} {wrong}.", f"Give {self.flag} {self.allowed()}.")

    def _wrong(self, value: Any) -> str:
        """Why `value` is not allowed, or nothing."""
        if self.many:
            texts = isinstance(value, tuple) and all(type(part) is self.type for part in value)
            if not texts or "" in value:
                return f"cannot be {value!r}"
            return self._wrong_words(value) if self.limits.words else ""
        if value is None:
            return "" if self.optional else "needs a value"
        if isinstance(value, int) and abs(value) > LARGEST_INT:
            return "cannot be so large"
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if not isinstance(value, self.type) or (isinstance(value, bool) and self.type is not bool):
            return f"cannot be {value!r}"
        limits = self.limits
        out_of_range = isinstance(value, (int, float)) and (
            not math.isfinite(value)
            or (limits.minimum is not None and value < limits.minimum)
            or (limits.maximum is not None and value > limits.maximum)
        )
        if out_of_range or (limits.choices and value not in limits.choices):
            return f"cannot be {value}"
        return ""

    def _wrong_words(self, value: tuple[str, ...]) -> str:
        """Why texts cannot be words, or nothing."""
        for word in value:
            if not word.isalpha() or len(word) > LONGEST_WORD:
                short = word if len(word) <= LONGEST_WORD else f"{word[:LONGEST_WORD]}…"
                return f"cannot have {short!r}"
        return f"cannot be {len(value)} words" if len(value) > self.limits.words else ""

    def allowed(self) -> str:
        """The allowed values in words, for messages and help."""
        limits = self.limits
        if limits.choices:
            return "one of " + ", ".join(limits.choices)
        kind = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        words = kind[self.type]
        if limits.words:
            return f"up to {limits.words} words of letters, with commas between, or {OFF}"
        if self.many:
            return f"{words}, {SEVERAL}, or {OFF}"
        if limits.minimum is not None and limits.maximum is not None:
            words += f" from {_number(limits.minimum)} to {_number(limits.maximum)}"
        elif limits.minimum is not None:
            words += f", {_number(limits.minimum)} or more"
        elif limits.maximum is not None:
            words += f", {_number(limits.maximum)} or less"
        if limits.off:
            words += f", or {limits.off}"
        return words + (f" ({limits.note})" if limits.note else "")


def _number(value: float) -> str:
    """A bound as a person writes it: whole numbers in full."""
    return str(int(value)) if value == int(value) else f"{value:g}"


def _plain_type(hint: Any) -> tuple[type, bool, bool]:
    """The plain type of a field, whether None is allowed, and whether it is a tuple of these."""
    if get_origin(hint) in (types.UnionType, Union):
        inner = [arg for arg in get_args(hint) if arg is not type(None)]
        return inner[0], True, False
    if get_origin(hint) is tuple:
        return get_args(hint)[0], False, True
    return hint, False, False


def declared(config_class: type) -> Iterator[Declared]:
    """The settings that `config_class` declares with `setting`, in order."""
    return iter(_declared(config_class))


@cache
def _declared(config_class: type) -> tuple[Declared, ...]:
    return tuple(_read_fields(config_class))


def _read_fields(config_class: type) -> Iterator[Declared]:
    hints = get_type_hints(config_class)
    entry: Field[Any]
    for entry in fields(config_class):
        limits = entry.metadata.get("limits")
        if limits is not None:
            plain, optional, many = _plain_type(hints[entry.name])
            default = None if entry.default is MISSING else entry.default
            yield Declared(entry.name, plain, optional, default, limits, many)


def arguments_from(config_class: type, content: dict[str, Any]) -> dict[str, Any]:
    """The arguments of `config_class` as JSON or TOML has them.

    Lists are tuples again, of texts as they stand there; an empty one means nothing. Words for
    off mean what they mean when they are typed.
    """
    known = {entry.name: entry for entry in declared(config_class)}
    return {
        name: _argument(known[name], value) if name in known else value
        for name, value in content.items()
    }


def _argument(entry: Declared, value: Any) -> Any:
    if entry.many:
        return tuple(part for part in value if part != "") if isinstance(value, list) else value
    return None if entry.is_off(value) else value


def validate(config: Any) -> None:
    """Check every declared setting of `config`; for use in `__post_init__`.

    Raises:
        UserError: for the first value that is not allowed, with what is.
    """
    for entry in declared(type(config)):
        entry.check(getattr(config, entry.name))
