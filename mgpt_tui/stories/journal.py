"""What was written since a document was: JSON lines, one for each time that the story was kept.

Beside `NAME.json` lies `NAME.journal` for as long as somebody has the story open. Its first line
is a heading: `{"format": 1, "folds": N}`. N is the number in the document that it goes on from,
or 0 where there is none yet; a journal with another number was folded in already. Each line after
it is one change (see `changes`), whole or not there, so that what can be read is always a story.
Whoever has the story open holds a lock on its journal.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import IO, Any

from mgpt_tui.errors import UserError
from mgpt_tui.files import claim, make_folder, open_own, os_error, sync_dir, try_lock
from mgpt_tui.reading import parse_json, too_large
from mgpt_tui.stories.changes import Record, apply
from mgpt_tui.stories.formats import FORMAT, LARGEST, folds_from, of
from mgpt_tui.stories.story import Story

SUFFIX = ".journal"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a journal says.

    Attributes:
        folds: the number in its heading; None where it has none.
        records: the changes, as far as they can be read.
        trouble: what is wrong with it, without a full stop; "" where nothing is.
    """

    folds: int | None = None
    records: tuple[Record, ...] = ()
    trouble: str = ""

    @property
    def is_foreign(self) -> bool:
        """Whether there is something in it, and no sign that it is a journal."""
        return self.folds is None and bool(self.trouble)


def parse(content: bytes) -> Reading:
    """Read a journal's lines; a last one that is not whole was being written, and is dropped."""
    *lines, rest = content.split(b"\n")
    if not lines:  # a heading that was being written, if it is one
        is_ours = _HEADING.startswith(rest[: len(_HEADING)])
        return Reading(trouble="" if is_ours else "it has no heading")
    found: list[Record] = []
    for line in lines:
        try:
            found.append(of(dict, parse_json(line.decode())))
        except (ValueError, TypeError):
            break
    trouble = f"line {len(found) + 1} is no change" if len(found) < len(lines) else ""
    if not found:
        return Reading(trouble=trouble)
    heading, *records = found
    try:
        folds = folds_from(heading.get("folds"))
    except (TypeError, ValueError):
        return Reading(trouble="it has no heading")
    if heading.get("format") != FORMAT:
        return Reading(trouble=f"it is not of format {FORMAT}")
    return Reading(folds, tuple(records), trouble)


def replay(story: Story, reading: Reading) -> tuple[Story, str]:
    """The story after a journal's changes, as far as they fit, and what was wrong, if anything."""
    for number, record in enumerate(reading.records, 2):
        try:
            story = apply(story, record)
        except (KeyError, TypeError, ValueError):
            return story, f"line {number} does not fit what comes before it"
    return story, reading.trouble


_HEADING = b'{"format"'


def _line(content: Record) -> bytes:
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="backslashreplace") + b"\n"


# The file.


class Journal:
    """A journal that is open and locked.

    Attributes:
        path: the file.
        folds: the number in its heading.
        is_empty: whether it holds no change.
        is_new: whether there was nothing in it when it was opened.
    """

    def __init__(self, path: Path, stream: FileIO) -> None:
        self.path = path
        self._stream = stream
        self._end = 0
        self.folds = 0
        self.is_empty = True
        self.is_new = os.fstat(stream.fileno()).st_size == 0

    @classmethod
    def create(cls, path: Path) -> Journal | None:
        """A new one, without a heading yet; None where there is one already.

        One in which nothing was ever written, and which nobody has, is as good as none.

        Raises:
            UserError: where it cannot be written.
        """
        try:
            make_folder(path.parent)
            descriptor, patience = claim(path, _mode(path)), PATIENCE
            if descriptor is None:
                if path.lstat().st_size:
                    return None
                descriptor, patience = open_own(path, os.O_RDWR), 0.0
        except FileNotFoundError:  # whoever had it has just removed it
            return cls.create(path)
        except UserError:
            return None
        except OSError as error:
            raise os_error(error, path) from error
        journal = cls(path, FileIO(descriptor, "r+b"))
        if _lock(journal._stream, patience) and journal.is_new and journal.is_at(path):
            return journal
        journal.close(remove=False)
        return None

    @classmethod
    def open(cls, path: Path) -> Journal | None:
        """The one that is there, or a new one; None where another has it open.

        Raises:
            UserError: where it cannot be written, or something else is in its place.
        """
        while True:
            try:
                make_folder(path.parent)
                descriptor = open_own(path, os.O_RDWR | os.O_CREAT, _mode(path))
            except OSError as error:
                raise os_error(error, path) from error
            stream = FileIO(descriptor, "r+b")
            if not _lock(stream):
                stream.close()
                return None
            journal = cls(path, stream)
            if journal.is_at(path):
                return journal
            stream.close()  # whoever had it has just removed it

    def is_at(self, path: Path) -> bool:
        """Whether what is written here would be found under this path."""
        try:
            return os.path.samestat(os.fstat(self._stream.fileno()), path.lstat())
        except (OSError, ValueError):
            return False

    def be_private_as(self, path: Path | None) -> None:
        """Take the mode of another file, which holds the same text."""
        if path is not None and hasattr(os, "fchmod"):
            with suppress(OSError):  # there is none
                os.fchmod(self._stream.fileno(), path.stat().st_mode & 0o666 | 0o600)

    def read(self) -> Reading:
        """What it says; `append` then goes on from there."""
        try:
            if os.fstat(self._stream.fileno()).st_size > LARGEST:
                raise too_large(self.path, LARGEST)
            self._stream.seek(0)
            content = self._stream.readall()
        except OSError as error:
            raise os_error(error, self.path) from error
        reading = parse(content)
        self._end = content.rfind(b"\n") + 1
        self.folds, self.is_empty = reading.folds or 0, not reading.records
        return reading

    def start(self, folds: int) -> None:
        """Begin anew, after a document with this number; what it held has been folded in.

        Where that cannot be written, `append` tries again; the old number says that what is
        there is of no use.
        """
        self.folds, self.is_empty, self._end = folds, True, 0
        with suppress(UserError):
            self._write(b"")

    def append(self, record: Record) -> None:
        """Add a change, and wait until it is on disk.

        Raises:
            UserError: where it cannot be written; the journal is then as it was.
        """
        self._write(_line(record))
        self.is_empty = False

    def close(self, *, remove: bool) -> None:
        """Let go of it."""
        mine = remove and self.is_at(self.path)
        if mine and os.name != "nt":  # where the lock must outlast the file
            with suppress(OSError):
                self.path.unlink()
        self._stream.close()
        if mine and os.name == "nt":
            with suppress(OSError):
                self.path.unlink()

    def __del__(self) -> None:
        self._stream.close()  # whoever forgot it has no use for it, but others may

    def _write(self, content: bytes) -> None:
        """Add to it in one write, after its heading where it has none."""
        is_new = self._end == 0
        if is_new:
            content = _line({"format": FORMAT, "folds": self.folds}) + content
        try:
            self._stream.truncate(self._end)
            self._stream.seek(self._end)
            rest = memoryview(content)
            while rest:
                rest = rest[self._stream.write(rest) :]
            os.fsync(self._stream.fileno())
            if is_new:
                sync_dir(self.path.parent)
        except OSError as error:
            with suppress(OSError):
                self._stream.truncate(self._end)
            raise os_error(error, self.path) from error
        self._end += len(content)


def is_held(path: Path) -> bool:
    """Whether somebody has the journal at `path` open."""
    try:
        with FileIO(open_own(path, os.O_RDWR), "r+b") as stream:
            return not _lock(stream, patience=0)
    except (OSError, UserError):
        return False


PATIENCE = 0.5
"""Seconds that one waits for who may only look at a journal, or is about to be done with it."""


def _lock(stream: IO[Any], patience: float = PATIENCE) -> bool:
    """Lock a journal, where its file system has locks; False where another has."""
    try:
        return try_lock(stream, patience=patience)
    except OSError:
        return True


def _mode(path: Path) -> int:
    """The mode of a journal: its document's, for it holds the same text."""
    try:
        return path.with_suffix(".json").stat().st_mode & 0o666 | 0o600
    except OSError:
        return 0o666
