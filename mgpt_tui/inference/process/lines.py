"""Messages as lines: one JSON object each. `encode` and `decode` are the whole protocol.

Decoding is strict: a line that is not exactly a message means that the other side is broken, and is
never guessed at.
"""

from __future__ import annotations

import json
import sys
import types
from dataclasses import asdict, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, NoReturn, Union, get_args, get_origin, get_type_hints

from mgpt_tui.errors import UserError
from mgpt_tui.inference.process.messages import Died, Inspected, Message
from mgpt_tui.settings_fields import LARGEST_INT

_SENT: dict[str, type] = {kind.__name__: kind for kind in get_args(Message) if kind is not Died}


class ProtocolError(ValueError):
    """A line that is no message."""


def encode(message: Message) -> bytes:
    """`message` as one line of ASCII JSON, newline included: its type's name and its fields."""
    content = {"type": type(message).__name__, **asdict(message)}
    return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """The inverse of `encode`.

    Raises:
        ProtocolError: where `line` is not one message with exactly its fields and their types.
    """
    try:
        content = json.loads(line.decode(), parse_constant=_not_finite)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"no JSON: {line[:80]!r}") from error
    name = content.pop("type", None) if isinstance(content, dict) else None
    if not isinstance(name, str) or name not in _SENT:
        raise ProtocolError(f"no message: {line[:80]!r}")
    try:
        message: Message = build(_SENT[name], content)
    except RecursionError as error:  # in telling of a value that JSON has just managed
        raise ProtocolError("nested too deeply") from error
    return message


def _not_finite(constant: str) -> NoReturn:
    raise ValueError(constant)


def build(hint: Any, value: Any) -> Any:
    """`value` from JSON as the type `hint`.

    Raises:
        ProtocolError: where it is none.
    """
    if get_origin(hint) in (types.UnionType, Union):
        for option in get_args(hint):
            try:
                return build(option, value)
            except ProtocolError:
                continue
    elif get_origin(hint) is tuple and isinstance(value, list):
        return tuple(build(get_args(hint)[0], item) for item in value)
    elif is_dataclass(hint) and isinstance(hint, type) and isinstance(value, dict):
        hints = _field_types(hint)
        if hints.keys() == value.keys():
            arguments = {name: build(hints[name], item) for name, item in value.items()}
            try:
                return hint(**arguments)
            except UserError as error:
                raise ProtocolError(str(error)) from error
    elif isinstance(hint, type) and issubclass(hint, StrEnum):
        if isinstance(value, str) and value in list(hint):
            return hint(value)
    elif hint is float and type(value) in (int, float):
        # JSON's numbers have no bounds: 1e999 is read as infinity.
        if abs(value) <= sys.float_info.max:
            return float(value)
    elif hint is int and type(value) is int:  # not isinstance: True is no token
        if 0 <= value <= LARGEST_INT:  # ids, tokens, counts, seeds
            return value
    elif type(value) is hint:
        return value
    raise ProtocolError(f"{value!r:.80} is no {hint}")


@cache
def _field_types(message_type: type) -> dict[str, Any]:
    views: dict[str, Any] = {}
    if message_type is Inspected:
        # Thirty types that views are made of, imported when the first view is told.
        from mgpt_tui.inference.inspection.answers import Answer

        views = {"Answer": Answer}
    return get_type_hints(message_type, localns=views)
