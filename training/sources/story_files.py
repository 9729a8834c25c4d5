"""The kinds of files that stories come in, and the reader of each.

Each reads as a stream, one story at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from training.sources.json_files import JsonFile, JsonLinesFile
from training.sources.streams import PACKED
from training.sources.tables import CsvFile, ParquetFile
from training.sources.text_files import text_file


class StoryFile(Protocol):
    """What a source is made of.

    Attributes:
        name: as people know it; not yet clean.
    """

    @property
    def name(self) -> str: ...

    def texts(self) -> Iterator[tuple[str | None, int]]:
        """Each story as it stands, or None for a row without one, and the position after it.

        Raises:
            UserError: where it cannot be read.
        """


TABLES: dict[str, type[JsonLinesFile | JsonFile | CsvFile | ParquetFile]] = {
    ".jsonl": JsonLinesFile,
    ".json": JsonFile,
    ".csv": CsvFile,
    ".tsv": CsvFile,
    ".parquet": ParquetFile,
}
"""The reader of each file ending; one of text is chosen by `text_file`."""

TEXT = ".txt"
CANNOT_BE_PACKED = ".parquet"
ENDINGS = ", ".join((TEXT, *TABLES)) + f" (all but {CANNOT_BE_PACKED} also {PACKED})"
"""All endings, for messages."""


def kind_of(path: Path) -> str | None:
    """The ending of a file of stories, without `.gz` after it; None for other files."""
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if suffixes and suffixes[-1] == PACKED:
        kind = suffixes[-2] if len(suffixes) == 2 else ""
        return kind if kind == TEXT or (kind in TABLES and kind != CANNOT_BE_PACKED) else None
    kind = suffixes[-1] if suffixes else ""
    return kind if kind == TEXT or kind in TABLES else None


def story_file(path: Path, text_column: str | None = None) -> StoryFile:
    """The reader of a file for which `kind_of` has a kind.

    Args:
        text_column: see `training.sources.columns.choose_column`.

    Raises:
        UserError: where it cannot be read.
    """
    kind = kind_of(path)
    assert kind is not None
    return text_file(path) if kind == TEXT else TABLES[kind](path, text_column)
