"""A story's files: its document, its journal, and how they are read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.files import os_error
from mgpt_tui.reading import MissingFile, read_bytes, read_text
from mgpt_tui.stories import journal
from mgpt_tui.stories.formats import LARGEST, SUFFIXES, damaged, from_json
from mgpt_tui.stories.story import Story
from mgpt_tui.text import one_line

PAGES = tuple(suffix for suffix in SUFFIXES if suffix != ".json")
"""The endings of the readable files."""
DRAFT = ".draft"
FILES = (".json", journal.SUFFIX, DRAFT, *PAGES)
"""The endings of what belongs to a story of a name."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file of a story's as it was last read or written.

    Attributes:
        path: the file.
        stamp: its modification time (ns) and size, to notice that another program wrote it;
            None where it could not be looked at.
    """

    path: Path
    stamp: tuple[int, int] | None

    @classmethod
    def at(cls, path: Path) -> Document:
        """The file at `path`, as it is now."""
        try:
            status = path.stat()
        except (OSError, ValueError):
            return cls(path, None)
        return cls(path, (status.st_mtime_ns, status.st_size))

    def is_ours(self) -> bool:
        """Whether nobody else has written the file since; a vanished file counts as ours."""
        return Document.at(self.path).stamp in (None, self.stamp)

    def is_unchanged(self) -> bool:
        """Whether the file is as it was, or as missing."""
        return Document.at(self.path).stamp == self.stamp


@dataclass(frozen=True, slots=True)
class Read:
    """A story as its files have it.

    Attributes:
        story: the document's, and what the journal adds to it.
        document: the document, which may be missing where there is a journal.
        folds: the number in the document; 0 where it is missing.
        written: what the journal has beyond the document, in changes.
        trouble: what is wrong with the journal, in a sentence; "" where nothing is.
    """

    story: Story
    document: Document
    folds: int
    written: int
    trouble: str


def journal_of(path: Path) -> Path:
    """The journal of the document at `path`."""
    return path.with_suffix(journal.SUFFIX)


def draft_of(path: Path) -> Path:
    """What is being typed in the story whose document is at `path`; see `drafts`."""
    return path.with_suffix(DRAFT)


def read(path: Path, reading: journal.Reading | None = None) -> Read:
    """Read a story's document and its journal; either may be missing.

    Args:
        path: the document.
        reading: what its journal says, where it was read already.

    Raises:
        UserError: where the document is damaged, neither can be read, or nothing is there.
    """
    if reading is None:
        reading = _journal_at(journal_of(path))
    document = Document.at(path)
    story, folds = Story(created=""), 0
    if document.stamp is not None or reading.folds is None:
        story, folds = from_json(read_text(path, LARGEST), one_line(path.name))
    if reading.folds is None or reading.folds < folds:  # it was folded in already
        return Read(story, document, folds, 0, _trouble(path, reading.trouble))
    if reading.folds > folds:
        return Read(story, document, folds, 0, _trouble(path, "it goes on from another document"))
    replayed, trouble = journal.replay(story, reading)
    return Read(replayed, document, folds, len(reading.records), _trouble(path, trouble))


def _trouble(path: Path, what: str) -> str:
    return damaged(one_line(journal_of(path).name), what).message if what else ""


def _journal_at(path: Path) -> journal.Reading:
    """What a journal says; nothing where there is none."""
    try:
        return journal.parse(read_bytes(path, LARGEST))
    except MissingFile:
        return journal.Reading()


def in_use(path: Path) -> UserError:
    """That somebody else has the story at `path` open."""
    return UserError(
        one_line(f"{path.stem} is open in another window."), "Close it there, or take a copy."
    )


def check_folder(path: Path) -> None:
    """Refuse a file whose folder is not there: a slip of the pen is to make none.

    Raises:
        UserError: where it is missing, or cannot be looked at.
    """
    try:
        path.absolute().parent.stat()
    except OSError as error:
        raise os_error(error, path.parent) from error
