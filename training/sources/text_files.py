"""Text files, which can be read in parts: cut between stories, many processes at once."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mgpt_tui.model.tokenizer import END_OF_TEXT
from training.sources.streams import (
    BYTE_ORDER_MARK,
    LONGEST,
    UTF8,
    FileOnDisk,
    TextStream,
    check_length,
    encoding_of,
    has_nul,
    is_packed,
    not_text,
    opened,
    shown,
    too_long,
)

_READ_AT_ONCE = 2**20
_MARK = END_OF_TEXT.encode()
START_OF_TEXT = "<|startoftext|>"
"""Stands before each story in some files; no story has it in it either."""


@dataclass(frozen=True, slots=True)
class TextRange:
    """Whole stories of a text file.

    Attributes:
        path: the file.
        start, end: bytes of the file, from just after one `<|endoftext|>` to just after another,
            or to an end of the file.
        stamp: size and time of change of the file, to tell whether it still is the same.
    """

    path: Path
    start: int
    end: int
    stamp: tuple[int, int]

    def texts(self) -> Iterator[str]:
        """Each story as it stands, empty ones too.

        Raises:
            UserError: where it cannot be read, is no UTF-8, or a story is too long.
        """
        with opened(self.path) as stream:
            stream.seek(self.start)
            content = stream.read(self.end - self.start)
        try:
            text = content.decode()
        except UnicodeDecodeError as error:
            raise not_text(self.path, self.start, error) from None
        if b"\0" in content:
            raise has_nul(self.path)
        del content
        if self.start == 0:
            text = text.removeprefix(BYTE_ORDER_MARK)
        for story in between_marks(text):
            check_length(story, shown(self.path))
            yield story

    def is_unchanged(self) -> bool:
        """Whether the file is still the one that the range was cut from."""
        try:
            return _stamp(self.path.stat()) == self.stamp
        except OSError:
            return False


@dataclass(frozen=True, slots=True)
class TextFile(FileOnDisk):
    """Plain text in UTF-8, its stories separated by `<|endoftext|>`, wherever that stands."""

    def texts(self) -> Iterator[tuple[str, int]]:
        """See `training.sources.story_files.StoryFile`."""
        for part in self.ranges(_READ_AT_ONCE):
            for text in part.texts():
                yield text, part.end

    def ranges(self, size: int) -> Iterator[TextRange]:
        """Cut the file into ranges of about `size` bytes, longer where a story is.

        Raises:
            UserError: where it cannot be read, or a story is too long.
        """
        with opened(self.path) as stream:
            stamp = _stamp(os.fstat(stream.fileno()))
            start, length = 0, stamp[0]
            while start < length:
                stream.seek(start + size)
                end = min(self._end_of_story(stream, start + size), length)
                yield TextRange(self.path, start, end, stamp)
                start = end

    def _end_of_story(self, stream: BinaryIO, at: int) -> int:
        """Where the next `<|endoftext|>` after `at` ends, or the file does."""
        begin, before = at, b""
        while block := stream.read(_READ_AT_ONCE):
            found = (before + block).find(_MARK)
            if found >= 0:
                return at - len(before) + found + len(_MARK)
            at += len(block)
            if at - begin > LONGEST + len(_MARK):
                raise too_long(shown(self.path), "story")
            before = block[1 - len(_MARK) :]
        return at


@dataclass(frozen=True, slots=True)
class TextStreamFile(FileOnDisk):
    """Text that can only be read from its beginning: packed, or not in UTF-8."""

    def texts(self) -> Iterator[tuple[str, int]]:
        """See `training.sources.story_files.StoryFile`."""
        stream = TextStream(self.path)
        for text in _split(stream.chunks()):
            check_length(text, shown(self.path))
            yield text, stream.position


def text_file(path: Path) -> TextFile | TextStreamFile:
    """The reader for a text file.

    Raises:
        UserError: where it cannot be read.
    """
    whole = is_packed(path) or encoding_of(path) != UTF8
    return TextStreamFile(path) if whole else TextFile(path)


def between_marks(text: str) -> Iterator[str]:
    """What stands between all `<|endoftext|>` and `<|startoftext|>` of a text; it may be empty."""
    begin = 0
    while (end := text.find(END_OF_TEXT, begin)) >= 0:
        yield from text[begin:end].split(START_OF_TEXT)
        begin = end + len(END_OF_TEXT)
    yield from text[begin:].split(START_OF_TEXT)


def _split(chunks: Iterable[str]) -> Iterator[str]:
    """What stands between all `<|endoftext|>` of a text in pieces; stops at far too long ones."""
    waiting: list[str] = []
    size, tail = 0, ""
    for chunk in chunks:
        text, begin = tail + chunk, 0
        while (end := text.find(END_OF_TEXT, begin)) >= 0:
            yield "".join(waiting) + text[begin:end]
            waiting, size, begin = [], 0, end + len(END_OF_TEXT)
        kept = max(begin, len(text) - len(END_OF_TEXT) + 1)  # it may begin with half a mark
        waiting.append(text[begin:kept])
        size += kept - begin
        tail = text[kept:]
        if size > LONGEST:
            break
    yield "".join(waiting) + tail


def _stamp(status: os.stat_result) -> tuple[int, int]:
    return status.st_size, status.st_mtime_ns
