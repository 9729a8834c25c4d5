"""Text files, which can be read in parts: cut between stories, many processes at once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mgpt_tui.errors import UserError
from mgpt_tui.files import os_error
from mgpt_tui.model.tokenizer import END_OF_TEXT

BYTE_ORDER_MARK = "\ufeff"
_READ_AT_ONCE = 2**20
_LONGEST_LINE = 2**16
_END_OF_STORY = re.compile(re.escape(END_OF_TEXT) + r"[^\S\n]*(?:\n|\Z)")


@dataclass(frozen=True, slots=True)
class TextRange:
    """Whole stories of a text file.

    Attributes:
        path: the file.
        start, end: bytes of the file, from just after one line of `<|endoftext|>` to just after
            another, or to an end of the file.
        stamp: size and time of change of the file, to tell whether it still is the same.
    """

    path: Path
    start: int
    end: int
    stamp: tuple[int, int]

    def texts(self) -> Iterator[str]:
        """Each story as it stands, empty ones too.

        Raises:
            UserError: where it cannot be read or is not UTF-8.
        """
        try:
            with self.path.open("rb") as stream:
                stream.seek(self.start)
                content = stream.read(self.end - self.start)
        except OSError as error:
            raise os_error(error, self.path) from error
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise not_utf8(self.path, self.start, error) from None
        del content
        if self.start == 0:
            text = text.removeprefix(BYTE_ORDER_MARK)
        begin = 0
        for mark in _END_OF_STORY.finditer(text):
            line = text.rfind("\n", begin, mark.start()) + 1 or begin
            if not text[line : mark.start()].strip():
                yield text[begin:line]
                begin = mark.end()
        yield text[begin:]

    def is_unchanged(self) -> bool:
        """Whether the file is still the one that the range was cut from."""
        try:
            return _stamp(self.path.stat()) == self.stamp
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class TextFile:
    """Plain text, its stories separated by lines of `<|endoftext|>`."""

    path: Path
    text_column: str | None = None

    def texts(self) -> Iterator[tuple[str, int]]:
        """See `training.story_files.StoryFile`."""
        for part in self.ranges(_READ_AT_ONCE):
            for text in part.texts():
                yield text, part.end

    def ranges(self, size: int) -> Iterator[TextRange]:
        """Cut the file into ranges of about `size` bytes, longer where a story is."""
        try:
            with self.path.open("rb") as stream:
                stamp = _stamp(os.fstat(stream.fileno()))
                start, length = 0, stamp[0]
                while start < length:
                    stream.seek(start + size)
                    _skip_story(stream)
                    end = min(stream.tell(), length)
                    yield TextRange(self.path, start, end, stamp)
                    start = end
        except OSError as error:
            raise os_error(error, self.path) from error


def _skip_story(stream: BinaryIO) -> None:
    """Go on to the end of the next line of `<|endoftext|>`, from anywhere."""
    at_begin = False
    while line := stream.readline(_LONGEST_LINE):
        if at_begin and line.strip() == END_OF_TEXT.encode():
            return
        at_begin = line.endswith(b"\n")


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns


def not_utf8(path: Path, before: int, error: UnicodeDecodeError) -> UserError:
    """The failure to decode what follows the first `before` bytes of a file."""
    return UserError(
        f"{path} is not UTF-8: byte {before + error.start} is 0x{error.object[error.start]:02X}.",
        "Save it as UTF-8, then run it again.",
    )
