"""Readers of stories, one for each kind of file and one for the hub.

Each reads as a stream, one story at a time. Nothing here uses the network but `HubDataset`,
and that only while it is read.
"""

from __future__ import annotations

import csv
import json
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from mgpt_tui.errors import UserError
from mgpt_tui.files import os_error
from training.text_files import BYTE_ORDER_MARK, TextFile, not_utf8

TEXT_COLUMN = "text"
STRINGS = ("string", "large_string")
_LONGEST_FIELD = 2**31 - 1
_READ_AT_ONCE = 2**20
_ROWS = 500


class StoryFile(Protocol):
    """What a source is made of."""

    def texts(self) -> Iterator[tuple[str | None, int]]:
        """Each story as it stands, or None for a missing one, and the position after it.

        Raises:
            UserError: where it cannot be read.
        """


class _Lines:
    """The lines of a UTF-8 file with their ends; counts lines and bytes while they are read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        self.position = 0

    def __iter__(self) -> Iterator[str]:
        try:
            with self.path.open("rb") as stream:
                for line in stream:
                    text = self._decode(line)
                    if self.position == 0:
                        text = text.removeprefix(BYTE_ORDER_MARK)
                    self.number += 1
                    self.position += len(line)
                    yield text
        except OSError as error:
            raise os_error(error, self.path) from error

    def _decode(self, line: bytes) -> str:
        try:
            return line.decode()
        except UnicodeDecodeError as error:
            raise not_utf8(self.path, self.position, error) from None


@dataclass(frozen=True, slots=True)
class JsonLinesFile:
    """One JSON object a line."""

    path: Path
    text_column: str | None = None

    def texts(self) -> Iterator[tuple[str | None, int]]:
        """See `StoryFile`."""
        column: str | None = None
        lines = _Lines(self.path)
        for line in lines:
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                raise UserError(
                    f"{self.path}, line {lines.number}: this is no JSON object.",
                    "Write one JSON object a line, such as " + '{"text": "Once upon a time..."}.',
                )
            if column is None:
                strings = [name for name, value in row.items() if isinstance(value, str)]
                column = choose_column(str(self.path), row, strings, self.text_column)
            text = row.get(column)
            if not isinstance(text, str | None):
                raise UserError(
                    f"{self.path}, line {lines.number}: {column!r} is no text.",
                    "Mend the line, or give another --text-column.",
                )
            yield text, lines.position


@dataclass(frozen=True, slots=True)
class CsvFile:
    """Comma-separated values, their names in the first row."""

    path: Path
    text_column: str | None = None

    def texts(self) -> Iterator[tuple[str | None, int]]:
        """See `StoryFile`."""
        csv.field_size_limit(_LONGEST_FIELD)
        lines = _Lines(self.path)
        rows = csv.DictReader(lines, strict=True)
        column: str | None = None
        try:
            for row in rows:
                if column is None:
                    names = list(rows.fieldnames or ())
                    strings = [name for name in names if not _is_number(row[name])]
                    column = choose_column(str(self.path), names, strings, self.text_column)
                yield row[column], lines.position
        except csv.Error as error:
            raise UserError(
                f"{self.path}, line {lines.number}: {error}.",
                "Mend the file; fields with commas, quotes or line ends stand in double quotes.",
            ) from None


def _is_number(field: str | None) -> bool:
    try:
        float(field or "0")
    except ValueError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class ParquetFile:
    """An Apache Parquet file, of which only the one column is read, some rows at a time."""

    path: Path
    text_column: str | None = None

    def texts(self) -> Iterator[tuple[str | None, int]]:
        """See `StoryFile`; the position is reckoned from the number of rows."""
        try:
            with self.path.open("rb") as stream:
                yield from self._texts(stream)
        except ValueError as error:  # pyarrow's ArrowInvalid is one
            raise self._damaged(error) from None
        except OSError as error:
            raise (os_error(error, self.path) if error.errno else self._damaged(error)) from error

    def _texts(self, stream: BinaryIO) -> Iterator[tuple[str | None, int]]:
        from pyarrow import parquet

        # Row groups may be large: without a buffer, a whole column of one would be in memory.
        file = parquet.ParquetFile(stream, pre_buffer=False, buffer_size=_READ_AT_ONCE)
        types = {field.name: _is_text(field.type) for field in file.schema_arrow}
        strings = [name for name, is_text in types.items() if is_text]
        column = choose_column(str(self.path), types, strings, self.text_column)
        if not types[column]:
            raise UserError(f"{self.path}: {column!r} is no text.", "Give another --text-column.")
        size, rows, read = self.path.stat().st_size, file.metadata.num_rows, 0
        for batch in file.iter_batches(_ROWS, columns=[column], use_threads=False):
            for text in batch.column(0).to_pylist():
                read += 1
                yield text, size * read // rows

    def _damaged(self, error: Exception) -> UserError:
        return UserError(
            f"{self.path} cannot be read as Parquet: {_first_line(error)}",
            "It may be damaged or something else; fetch it again.",
        )


def _is_text(type: Any) -> bool:
    """Whether a pyarrow type is one of text."""
    from pyarrow import types

    if types.is_dictionary(type):
        type = type.value_type
    return bool(types.is_string(type) or types.is_large_string(type) or types.is_string_view(type))


@dataclass(frozen=True, slots=True)
class HubDataset:
    """A data set on the Hugging Face hub, streamed; the one thing that uses the network.

    Attributes:
        name: owner/name.
        split: such as "train".
        text_column: see `choose_column`.
    """

    name: str
    split: str
    text_column: str | None = None

    def texts(self) -> Iterator[tuple[str | None, int]]:
        """See `StoryFile`."""
        try:
            data = _datasets().load_dataset(self.name, split=self.split, streaming=True)
            for text in _column_of(data, self.name, self.text_column):
                yield text, 0
        except UserError:
            raise
        except Exception as error:  # the hub's client raises errors of many libraries
            raise UserError(
                f"{self.name} is no file or folder here, and cannot be read from the hub "
                f"(split {self.split}): {_first_line(error)}",
                "Check the name and the network; or fetch its files and give their folder.",
            ) from error


def _datasets() -> Any:
    import datasets

    datasets.disable_progress_bars()
    # What goes wrong is raised and reported once; their own lines would tear the progress bar.
    datasets.logging.set_verbosity(datasets.logging.CRITICAL)
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    return datasets


def _column_of(data: Any, where: str, wanted: str | None) -> Iterator[str | None]:
    """The column of stories of an `IterableDataset`."""
    rows: Iterable[dict[str, Any]] = data
    types = data.features or {}  # none where the hub does not tell
    column: str | None = None
    for row in rows:
        if column is None:
            strings = [
                name
                for name, value in row.items()
                if isinstance(value, str) or getattr(types.get(name), "dtype", "") in STRINGS
            ]
            column = choose_column(where, row, strings, wanted)
        text = row[column]
        if not isinstance(text, str | None):
            raise UserError(f"{where}: {column!r} is no text.", "Give another --text-column.")
        yield text


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


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
    choice = ", ".join(strings) or "none"
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
    return strings[0]


FILE_TYPES: dict[str, type[TextFile | JsonLinesFile | CsvFile | ParquetFile]] = {
    ".txt": TextFile,
    ".jsonl": JsonLinesFile,
    ".csv": CsvFile,
    ".parquet": ParquetFile,
}
"""The reader of each file ending."""
