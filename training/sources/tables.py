"""Tables of stories: CSV and Parquet."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, zip_longest
from typing import Any, BinaryIO

from mgpt_tui.errors import UserError
from mgpt_tui.text import one_line
from training.sources.columns import MISSING, Row, choose_column, column_texts, said
from training.sources.streams import (
    LONGEST,
    FileOnDisk,
    TextStream,
    check_length,
    opened,
    shown,
    too_long,
)

DELIMITERS = ",;\t|"
_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SAYS_DELIMITER = re.compile(r"sep=([,;\t|])\n?")
_SAMPLE = 2**13
_READ_AT_ONCE = 2**20
_ROWS = 500


@dataclass(frozen=True, slots=True)
class CsvFile(FileOnDisk):
    """Values separated by commas, semicolons, tabs or bars, their names in the first row."""

    text_column: str | None = None

    def texts(self) -> Iterator[tuple[str | None, int]]:
        """See `training.sources.story_files.StoryFile`."""
        return column_texts(shown(self.path), self._rows(), self.text_column)

    def _rows(self) -> Iterator[Row]:
        csv.field_size_limit(LONGEST)
        stream = TextStream(self.path)
        lines, delimiter, begin = self._delimiter(stream)
        # White space at the begin of a field is none of a story's.
        reader = csv.reader(lines, delimiter=delimiter, strict=True, skipinitialspace=True)
        names: list[str] | None = None
        after = begin
        try:
            for values in reader:
                line, after = after + 1, begin + reader.line_num
                where = f"{shown(self.path)}, line {line}"
                if not values:
                    continue
                if names is None:
                    names = self._header([value.strip() for value in values], where)
                elif any(map(str.strip, values[len(names) :])):
                    raise self._too_many(where, len(values), len(names), delimiter)
                elif [value.strip() for value in values] != names:
                    filled = zip_longest(names, values[: len(names)], fillvalue=MISSING)
                    fields: dict[str, Any] = {str(name): value for name, value in filled}
                    yield Row(where, fields, stream.position)
                else:  # the first line once more, where files were joined
                    yield Row(where, {}, stream.position)
        except csv.Error as error:
            where = f"{shown(self.path)}, line {after + 1}"
            if "field limit" in str(error):
                raise too_long(where, "field") from None
            raise UserError(
                f"{where}: {error}.",
                "Mend the file; fields with quotes, line ends or what separates fields stand in "
                "double quotes, with quotes in them doubled.",
            ) from None

    def _delimiter(self, stream: TextStream) -> tuple[Iterable[str], str, int]:
        """All lines to parse, what stands between their fields, and how many lines were before.

        Raises:
            UserError: where the first line leaves that open, and the sniffer too.
        """
        lines = stream.lines()
        first, before = next(lines, ""), 0
        said = _SAYS_DELIMITER.fullmatch(first)
        if said is not None:  # as Excel writes it
            return lines, said[1], 1
        while not first.strip() and first:
            first, before = next(lines, ""), before + 1
        found = [mark for mark in DELIMITERS if _fields(first, mark) > 1]
        if len(found) > 1:
            sample = [first]
            while sum(map(len, sample)) < _SAMPLE and (line := next(lines, "")):
                sample.append(line)
            text = "".join(sample)[:_SAMPLE]
            try:
                found = [csv.Sniffer().sniff(text, "".join(found)).delimiter]
            except csv.Error:
                choice = " or ".join(_NAMES[mark] for mark in found)
                raise UserError(
                    f"{shown(self.path)}, line {before + 1}: its fields may be separated by "
                    f"{choice}.",
                    "Put each name and each text in double quotes.",
                ) from None
            return chain(sample, lines), found[0], before
        default = "\t" if ".tsv" in [suffix.lower() for suffix in self.path.suffixes] else ","
        return chain([first], lines), found[0] if found else default, before

    def _header(self, names: list[str], where: str) -> list[str]:
        doubled = sorted({name for name in names if name and names.count(name) > 1})
        if doubled:
            raise UserError(
                f"{where}: several columns are named {one_line(doubled[0])[:80]!r}.",
                "Give each column a name of its own.",
            )
        return names

    def _too_many(self, where: str, fields: int, names: int, delimiter: str) -> UserError:
        called = _NAMES.get(delimiter, repr(delimiter))
        return UserError(
            f"{where}: {fields} fields, but the first line names {names}.",
            f"Put texts with {called} in them in double quotes.",
        )


def _fields(line: str, delimiter: str) -> int:
    try:
        return len(next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), []))
    except csv.Error:
        return 0


@dataclass(frozen=True, slots=True)
class ParquetFile(FileOnDisk):
    """An Apache Parquet file, of which only the one column is read, some rows at a time."""

    text_column: str | None = None

    def texts(self) -> Iterator[tuple[str | None, int]]:
        """See `StoryFile`; the position is reckoned from that of the row."""
        with opened(self.path) as stream:
            try:
                yield from self._texts(stream)
            except (UserError, GeneratorExit):
                raise
            except MemoryError:
                raise self._damaged(MemoryError("it asks for more memory than there is")) from None
            except Exception as error:  # pyarrow raises errors of many kinds for damaged files
                if isinstance(error, OSError) and error.errno:
                    raise
                raise self._damaged(error) from None

    def _texts(self, stream: BinaryIO) -> Iterator[tuple[str | None, int]]:
        from pyarrow import parquet

        # Row groups may be large: without a buffer, a whole column of one would be in memory.
        file = parquet.ParquetFile(stream, pre_buffer=False, buffer_size=_READ_AT_ONCE)
        schema = file.schema_arrow
        where, types = shown(self.path), {field.name: field.type for field in schema}
        strings = [name for name, type in types.items() if _is_text(type)]
        column = choose_column(where, types, strings, self.text_column)
        if schema.names.count(column) > 1:
            raise UserError(
                f"{where}: several columns are named {one_line(column)!r}.",
                "Give each column a name of its own.",
            )
        if not (_is_text(types[column]) or _may_be_text(types[column])):
            raise UserError(f"{where}: {column!r} is no text.", "Give another --text-column.")
        size, rows, read = self.path.stat().st_size, max(1, file.metadata.num_rows), 0
        for batch in file.iter_batches(_ROWS, columns=[column], use_threads=False):
            for text in batch.column(0).to_pylist():
                read += 1
                if isinstance(text, bytes):
                    text = text.decode()
                check_length(text or "", f"{where}, row {read}")
                yield said(text), size * min(read, rows) // rows

    def _damaged(self, error: Exception) -> UserError:
        return UserError(
            f"{shown(self.path)} cannot be read as Parquet: {one_line(first_line(error))}",
            "It may be damaged or something else; fetch it again.",
        )


def _is_text(type: Any) -> bool:
    """Whether a pyarrow type is one of text."""
    from pyarrow import types

    if types.is_dictionary(type):
        type = type.value_type
    return bool(types.is_string(type) or types.is_large_string(type) or types.is_string_view(type))


def _may_be_text(type: Any) -> bool:
    """Whether what a pyarrow type holds may be text all the same: bytes, or nothing at all."""
    from pyarrow import types

    if types.is_dictionary(type):
        type = type.value_type
    return bool(types.is_binary(type) or types.is_large_binary(type) or types.is_null(type))


def first_line(error: Exception) -> str:
    """What an error says, or else what it is."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
