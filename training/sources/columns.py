"""Which column of a table holds the stories: found by many rows, and checked in every one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from mgpt_tui.errors import UserError
from mgpt_tui.text import one_line
from training.sources.streams import check_length

TEXT_COLUMN = "text"
LOOKED_AT = 1000
"""So many rows are looked at before a column is chosen."""

MISSING = object()
"""Stands in a field that a row ends before."""

_LOOKED_THROUGH = 2**20
_LONGEST_NAME = 80
_LONGEST_NUMBER = 40


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a table.

    Attributes:
        where: file and line, for messages.
        fields: the values by the names of their columns; one may be absent, or `MISSING`.
        position: bytes of the file up to its end.
    """

    where: str
    fields: Mapping[str, Any]
    position: int

    def texts(self) -> list[str]:
        """The columns that hold text here, not a number or nothing."""
        return [name for name, value in self.fields.items() if is_text(value)]


def is_text(value: object) -> bool:
    """Whether a value is a string that says something and is no number."""
    if not isinstance(value, str) or not value.strip():
        return False
    if len(value) > _LONGEST_NUMBER:
        return True
    try:
        float(value)
    except ValueError:
        return True
    return False


def said(text: str | None) -> str | None:
    """`text`, or None where there is nothing but white space."""
    return text if text and text.strip() else None


def choose_column(
    where: str, columns: Iterable[str], strings: list[str], wanted: str | None
) -> str:
    """The column that holds the stories: `wanted`, else `text`, else the only one with text.

    Args:
        where: file or data set, for the message.
        columns: all there are.
        strings: those that hold text.

    Raises:
        UserError: where that is none or several, or `wanted` is not there.
    """
    choice = one_line(", ".join(name[:_LONGEST_NAME] for name in strings)) or "none"
    names = list(columns)
    if wanted is not None and wanted not in names:
        raise UserError(f"{where} has no column {wanted!r}.", f"Columns that hold text: {choice}.")
    if wanted is not None or TEXT_COLUMN in names:
        return wanted or TEXT_COLUMN
    if len(strings) != 1:
        raise UserError(
            f"{where} does not say which column holds the stories.",
            f"Name it with --text-column. Columns that hold text: {choice}.",
        )
    if len(strings[0]) > _LONGEST_NAME or strings[0].rstrip("\"'”’ ").endswith((".", "!", "?")):
        raise UserError(
            f"{where} does not begin with the names of its columns, but with a story.",
            f"Write a first line with their names, such as {TEXT_COLUMN!r}.",
        )
    return strings[0]


def column_texts(
    where: str, rows: Iterable[Row], wanted: str | None
) -> Iterator[tuple[str | None, int]]:
    """The story of each row, or None where there is none, and the position after it.

    Args:
        where: file or data set, for messages.
        rows: of which some are held in memory, while the column is chosen.
        wanted: the name of the column, where it was given.

    Raises:
        UserError: where no column can be chosen, or a row makes that choice doubtful: the row has
            not that column but text in another; or, where the column is the only one with text,
            so has another in this row.
    """
    rows = iter(rows)
    begin, names, strings = _look_at(rows)
    if not begin:
        return
    column = choose_column(where, names, strings, wanted)
    is_guess = wanted is None and column != TEXT_COLUMN
    for row in chain(begin, rows):
        text = row.fields.get(column, MISSING)
        is_missing = text is MISSING
        text = None if is_missing else text
        if not isinstance(text, str | None):
            raise UserError(
                f"{row.where}: {column!r} is no text.",
                "Mend the line, or give another --text-column.",
            )
        if wanted is None and (is_guess or is_missing):
            others = [name for name in row.texts() if name != column]
            if others:
                raise _mixed(row, column, others[0])
        check_length(text or "", row.where)
        yield said(text), row.position


def _look_at(rows: Iterator[Row]) -> tuple[list[Row], list[str], list[str]]:
    """The first rows, the names of their columns, and those that hold text."""
    begin: list[Row] = []
    names: dict[str, None] = {}
    strings: dict[str, None] = {}
    size = 0
    for row in rows:
        begin.append(row)
        names.update(dict.fromkeys(row.fields))
        strings.update(dict.fromkeys(row.texts()))
        size += sum(len(value) for value in row.fields.values() if isinstance(value, str))
        if len(begin) >= LOOKED_AT or size > _LOOKED_THROUGH:
            break
    return begin, list(names), list(strings)


def _mixed(row: Row, column: str, other: str) -> UserError:
    both = is_text(row.fields.get(column))
    trouble = f"text in {other!r}, too" if both else f"text in {other!r}, and none in {column!r}"
    return UserError(
        f"{row.where}: this row has {trouble[:200]}.",
        "Give all stories the same column; or name it with --text-column: of rows that have no "
        "text there, nothing is read then.",
    )
