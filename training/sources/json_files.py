"""Stories in JSON: one object a line, or a list of objects or of texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.text import one_line
from training.sources.columns import TEXT_COLUMN, Row, column_texts
from training.sources.streams import LONGEST, FileOnDisk, TextStream, shown, too_long

_SPACE = re.compile(r"[ \t\n\r]*")
_SPACES = " \t\n\r"
_EXAMPLE = '{"text": "Once upon a time..."}'


class _Doubled(dict[str, Any]):
    """An object in which a name stands twice, of which JSON keeps only the last."""

    name = ""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) == len(pairs):
        return fields
    names = [name for name, _ in pairs]
    doubled = _Doubled(fields)
    doubled.name = next(name for name in names if names.count(name) > 1)
    return doubled


# Numbers are never stories: as floats they are of any length, and 1e999 is infinite.
_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_int=float)


@dataclass(frozen=True, slots=True)
class JsonLinesFile(FileOnDisk):
    """One JSON object a line, or one text in quotes."""

    text_column: str | None = None

    def texts(self) -> Iterator[tuple[str | None, int]]:
        """See `training.sources.story_files.StoryFile`."""
        return column_texts(shown(self.path), self._rows(), self.text_column)

    def _rows(self) -> Iterator[Row]:
        lines = TextStream(self.path)
        for line in lines.lines():
            text = line.strip(_SPACES)
            if not text:
                continue
            where = f"{shown(self.path)}, line {lines.number}"
            try:
                value, end = _DECODER.raw_decode(text)
            except (ValueError, RecursionError):
                value, end = None, len(text)
            yield _row(value if end == len(text) else None, where, lines.position)


@dataclass(frozen=True, slots=True)
class JsonFile(FileOnDisk):
    """A JSON list of objects or texts, or objects one after another; read as a stream."""

    text_column: str | None = None

    def texts(self) -> Iterator[tuple[str | None, int]]:
        """See `training.sources.story_files.StoryFile`."""
        return column_texts(shown(self.path), self._rows(), self.text_column)

    def holds_stories(self) -> bool:
        """Whether it looks like a list of stories, and not like all else that JSON is used for."""
        values = _Values(TextStream(self.path))
        try:
            first = next(iter(values), None)
        except UserError:
            return False
        if isinstance(first, dict):
            return values.is_list or (self.text_column or TEXT_COLUMN) in first
        return values.is_list and isinstance(first, str)

    def _rows(self) -> Iterator[Row]:
        values = _Values(TextStream(self.path))
        for value in values:
            where = f"{shown(self.path)}, line {values.line}"
            yield _row(value, where, values.stream.position)


def _row(value: object, where: str, position: int) -> Row:
    """A row of what a line or an entry of a list holds."""
    if isinstance(value, str):
        value = {TEXT_COLUMN: value}
    if isinstance(value, _Doubled):
        raise UserError(
            f"{where}: {one_line(value.name)[:80]!r} stands twice in one object.",
            "Give each name once.",
        )
    if not isinstance(value, dict):
        raise UserError(f"{where}: this is no JSON object.", f"Write objects such as {_EXAMPLE}.")
    return Row(where, value, position)


class _Values:
    """The values of a stream: the entries of a list, or what stands one after another.

    Attributes:
        stream: where they come from.
        line: number of the line in which the last value begins.
        is_list: whether all stand in a list; known with the first of them.
    """

    def __init__(self, stream: TextStream) -> None:
        self.stream = stream
        self.line = 1
        self.is_list = False
        self._line = 1
        self._chunks = stream.chunks()
        self._text = ""
        self._at = 0

    def __iter__(self) -> Iterator[Any]:
        self.is_list = self._next() == "["
        if not self.is_list:
            while self._next():
                yield self._value()
            return
        self._at += 1
        if self._next() == "]":
            self._at += 1
        else:
            yield self._value()
            while (mark := self._next()) == ",":
                self._at += 1
                self._next()
                yield self._value()
            if mark != "]":
                raise self._damaged()
            self._at += 1
        if self._next():
            raise self._damaged()

    def _next(self) -> str:
        """The next character that is no white space, which is not taken; none at the end."""
        while True:
            match = _SPACE.match(self._text, self._at)
            assert match is not None
            self._line += self._text.count("\n", self._at, match.end())
            self._at = match.end()
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._read_on():
                return ""

    def _value(self) -> Any:
        self.line = self._line
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
                is_whole = end < len(self._text) or isinstance(value, dict | list | str)
            except (ValueError, RecursionError):
                value, end, is_whole = None, self._at, False
            if is_whole or not self._read_on():
                break
        if end == self._at:
            raise self._damaged()
        self._line += self._text.count("\n", self._at, end)
        self._at = end
        return value

    def _read_on(self) -> bool:
        """Read about as much again as there is, so that long values are not parsed too often."""
        kept = self._text[self._at :]
        if len(kept) > LONGEST:
            raise too_long(f"{shown(self.stream.path)}, line {self._line}", "value")
        pieces, size = [kept], 0
        for chunk in self._chunks:
            pieces.append(chunk)
            size += len(chunk)
            if size >= max(len(kept), 1):
                break
        self._text, self._at = "".join(pieces), 0
        return size > 0

    def _damaged(self) -> UserError:
        return UserError(
            f"{shown(self.stream.path)}, line {self._line}: this is no JSON, or it is cut off.",
            f"Write a list of objects such as {_EXAMPLE}.",
        )
