"""Reading what a folder of the user's holds: asked first, bounded, decoded, checked.

Anything may lie where a file of ours should: a pipe that never ends, a file of 200 GB, bytes that
are no text, JSON that no program writes. Nothing but a `UserError` leaves these functions.
"""

from __future__ import annotations

import codecs
import json
import math
import os
import re
from pathlib import Path
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.files import BINARY, NON_BLOCKING, os_error, stat_regular
from mgpt_tui.memory import OutOfMemory, is_lack_of_memory

SMALL = 16 * 2**20
"""Bytes of a file that a person or a program writes for one purpose: settings, a pointer."""
DEEPEST = 64
"""How many lists and objects may lie within one another; ours have six."""
LARGEST_INT = 2**63 - 1
"""No number of ours is larger, and what is larger could not be written again."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKS = {  # UTF-32 first: its mark begins with that of UTF-16
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}


LATEST = 253_370_764_800.0
"""The first second of the year 9999; a file may say that it is later, and no calendar goes on."""


def known_time(seconds: float) -> float:
    """When a file says that it was written, in seconds of the epoch, as a calendar has it."""
    return min(max(seconds, 0.0), LATEST)


class MissingFile(UserError):
    """There is nothing of that name, which may be no trouble at all."""


def read_bytes(path: Path, limit: int = SMALL) -> bytes:
    """All of a regular file.

    Args:
        path: the file; a link is followed.
        limit: bytes that it may have.

    Raises:
        MissingFile: where there is none.
        UserError: where it is no regular file, too large, or cannot be read.
    """
    try:
        stat_regular(path)  # to open some devices is to do something to them
        descriptor = os.open(path, os.O_RDONLY | NON_BLOCKING | BINARY)
        with os.fdopen(descriptor, "rb", buffering=0) as stream:
            size = stat_regular(path, descriptor).st_size
            if size > limit:
                raise too_large(path, limit)
            pieces, rest = [], limit + 1  # it may grow meanwhile
            while rest and (
                piece := stream.read(min(rest, size + 2**16))
            ):  # which takes that memory
                pieces.append(piece)
                rest -= len(piece)
    except FileNotFoundError as error:
        raise MissingFile(*_said(error, path)) from error
    except (OSError, ValueError) as error:
        if is_lack_of_memory(error):
            raise OutOfMemory from error
        raise UserError(*_said(error, path)) from error
    if not rest:
        raise too_large(path, limit)
    return b"".join(pieces)


def too_large(path: Path | str, limit: int) -> UserError:
    """That a file is not read for its size."""
    return UserError(
        f"{path} is larger than {limit / 2**20:.0f} MB, and no file of its kind is.",
        "Move it somewhere else.",
    )


def _said(error: OSError | ValueError, path: Path) -> tuple[str, str]:
    if not isinstance(error, OSError):  # a NUL or worse in the path
        return "There can be no file of that name.", "Check the path."
    failure = os_error(error, path)
    return failure.message, failure.remedy


def read_text(path: Path, limit: int = SMALL) -> str:
    """The text of a file: UTF-8, or what the byte order mark at its beginning says.

    Raises:
        UserError: as `read_bytes`, and where it is no such text.
    """
    content = read_bytes(path, limit)
    try:
        return decoded(content)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 (byte {error.start + 1}).",
            "Convert it first, for example with `iconv -f latin1 -t utf-8`.",
        ) from None


def decoded(content: bytes) -> str:
    """Bytes as text, in UTF-8 unless a byte order mark says more, which is no part of the text.

    Raises:
        UnicodeDecodeError: where they are no such text.
    """
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding)
    return content.decode("utf-8")


def read_json(path: Path, limit: int = SMALL) -> Any:
    """The content of a JSON file; see `parse_json`.

    Raises:
        UserError: as `read_text`, and where it is no JSON that can be used.
    """
    text = read_text(path, limit)
    try:
        return parse_json(text)
    except ValueError as error:
        raise UserError(f"{path} cannot be used: {error}.", "Mend it, or move it away.") from None


def parse_json(text: str, *, any_number: bool = False) -> Any:
    """JSON as it may be used: numbers that are numbers, text that can be written again.

    Lone surrogates, which only an escape can bring, become U+FFFD.

    Args:
        text: the file's text, or a line's.
        any_number: leave infinities, NaN and integers beyond 64 bits in it, where each value is
            checked later and a bad one is to cost no other.

    Raises:
        ValueError: where it is not JSON, holds such a number, or is nested too deeply; its text
            says so, without a full stop.
    """
    try:
        if any_number:
            return checked(json.loads(text), largest=math.inf)
        return checked(json.loads(text, parse_constant=_not_finite, parse_float=_finite))
    except json.JSONDecodeError as error:
        raise ValueError(f"line {error.lineno} is no JSON ({error.msg})") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None


def read_toml(path: Path, limit: int = 2**20) -> dict[str, Any]:
    """The content of a TOML file.

    Raises:
        UserError: as `read_text`, and where it is no TOML that can be used.
    """
    import tomllib  # where there is TOML: neither the app nor its engine reads any at its start

    text = read_text(path, limit)
    try:
        if _LONG_KEY.search(text):  # the parser takes its length squared
            raise ValueError(_TOO_DEEP)
        return dict(checked(tomllib.loads(text)))
    except RecursionError:
        reason = _TOO_DEEP
    except ValueError as error:
        reason = str(error)
    raise UserError(f"{path} is not valid TOML: {reason}.", "Mend it there.")


_LONG_KEY = re.compile(rf"""(?<![\w\-"'])(?:[\w\-"']+[ \t]*\.[ \t]*){{{DEEPEST}}}""")
_TOO_DEEP = f"it is nested deeper than {DEEPEST} levels"


def checked(content: Any, depth: int = 0, *, largest: float = LARGEST_INT) -> Any:
    """What a parser made, with no text that cannot be written and no integer beyond `largest`.

    Raises:
        ValueError: where there is such a number, or it is nested too deeply.
    """
    if isinstance(content, str):
        return content if content.isascii() else _SURROGATE.sub("\ufffd", content)
    if isinstance(content, int):
        if abs(content) > largest:
            raise ValueError("it has a number beyond 64 bits")
        return content
    if not isinstance(content, list | dict):
        return content
    if depth == DEEPEST:
        raise ValueError(_TOO_DEEP)
    if isinstance(content, dict):
        return {
            checked(key): checked(value, depth + 1, largest=largest)
            for key, value in content.items()
        }
    if all(type(value) is int for value in content):  # tokens, and there are many
        checked(max(content, key=abs, default=0), largest=largest)
        return content
    return [checked(value, depth + 1, largest=largest) for value in content]


def _finite(text: str) -> float:
    number = float(text)
    return number if math.isfinite(number) else _not_finite(text)


def _not_finite(text: str) -> float:
    raise ValueError(f"{text:.20} is no number that can be used")
