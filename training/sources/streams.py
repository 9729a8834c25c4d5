"""The files of sources as streams of text: unpacked, decoded, in flat memory.

Nothing but a `UserError` leaves, whatever is in a file or in its place.
"""

from __future__ import annotations

import codecs
import gzip
import io
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mgpt_tui.errors import UserError
from mgpt_tui.files import BINARY, NON_BLOCKING, not_regular, os_error, stat_regular
from mgpt_tui.text import one_line

PACKED = ".gz"
LONGEST = 16 * 2**20
"""Bytes of UTF-8 that a story, a line or a field may have: in a longer one, separators miss."""

_READ_AT_ONCE = 2**16
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16's, which it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
UTF8 = "utf-8"
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True, slots=True)
class FileOnDisk:
    """A file of stories; its kinds know how to read it."""

    path: Path

    @property
    def name(self) -> str:
        """As people know it; not yet clean."""
        return str(self.path)


def shown(path: Path) -> str:
    """A path as part of a message."""
    return one_line(str(path))


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a regular file to read its bytes as they are.

    Raises:
        UserError: where it is something else or cannot be read, also while the block reads it.
    """
    try:
        if path.exists() and not path.is_file():  # to open some devices is to do something to them
            raise not_regular(shown(path))
        with os.fdopen(os.open(path, os.O_RDONLY | NON_BLOCKING | BINARY), "rb") as stream:
            stat_regular(path, stream.fileno())
            yield stream
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise UserError(
            f"{shown(path)} is damaged or cut off: {error}.", "Fetch it or pack it again."
        ) from None
    except OSError as error:
        raise os_error(error, shown(path)) from error


def encoding_of(path: Path) -> str:
    """What the byte order mark of a file says; UTF-8 where there is none.

    Raises:
        UserError: where it cannot be read.
    """
    with opened(path) as raw, _unpacked(path, raw) as stream:
        return _encoding(stream.read(4))


def is_packed(path: Path) -> bool:
    """Whether the name of a file says that it is packed by gzip."""
    return path.suffix.lower() == PACKED


@contextmanager
def _unpacked(path: Path, raw: BinaryIO) -> Iterator[BinaryIO | gzip.GzipFile]:
    if not is_packed(path):
        yield raw
        return
    with gzip.GzipFile(fileobj=raw) as stream:
        yield stream


def _encoding(begin: bytes) -> str:
    return next((name for mark, name in _MARKS if begin.startswith(mark)), UTF8)


class TextStream:
    """The text of a file, its lines ended by LF alone; told by its byte order mark, else UTF-8.

    Attributes:
        path: the file, which is unpacked where its name ends in `.gz`.
        number: of lines read so far.
        position: bytes of the file read so far, packed as they are.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        self.position = 0

    def chunks(self) -> Iterator[str]:
        """The text in pieces.

        Raises:
            UserError: where it cannot be read, or is no text.
        """
        with opened(self.path) as raw, _unpacked(self.path, raw) as stream:
            content = stream.read(_READ_AT_ONCE)
            encoding = _encoding(content)
            decoder = codecs.getincrementaldecoder(encoding)()
            newlines = io.IncrementalNewlineDecoder(decoder, translate=True)
            before = 0
            while True:
                waiting = len(decoder.getstate()[0])
                try:
                    text = newlines.decode(content, final=not content)
                except UnicodeError as error:
                    raise not_text(self.path, before - waiting, error, encoding) from None
                if "\0" in text:
                    raise has_nul(self.path)
                if before == 0:
                    text = text.removeprefix(BYTE_ORDER_MARK)
                self.position = raw.tell()
                yield text
                if not content:
                    return
                before += len(content)
                content = stream.read(_READ_AT_ONCE)

    def lines(self) -> Iterator[str]:
        """Its lines, with their ends.

        Raises:
            UserError: where it cannot be read, is no text, or a line is longer than `LONGEST`.
        """
        waiting: list[str] = []
        size = 0
        for chunk in self.chunks():
            begin = 0
            while end := chunk.find("\n", begin) + 1:
                self.number += 1
                waiting.append(chunk[begin:end])
                yield "".join(waiting)
                waiting, size, begin = [], 0, end
            waiting.append(chunk[begin:])
            size += len(waiting[-1])
            if size > LONGEST:
                raise too_long(f"{shown(self.path)}, line {self.number + 1}", "line")
        if size:
            self.number += 1
            yield "".join(waiting)


def check_length(text: str, where: str) -> None:
    """Raise `UserError` where a story is longer than `LONGEST`."""
    if 4 * len(text) > LONGEST and len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise too_long(where, "story")


def too_long(where: str, what: str) -> UserError:
    """That a story, a line or a field goes on and on."""
    return UserError(
        f"{where}: a {what} of more than {LONGEST >> 20} MB; something that separates is missing.",
        "In text, put lines of <|endoftext|> between stories or chapters; "
        "in tables, close every quote and end every row.",
    )


def has_nul(path: Path) -> UserError:
    """That a file holds what no text does."""
    return UserError(
        f"{shown(path)} is no text: it has NUL characters, as UTF-16 without a mark has.",
        "Save it as UTF-8, then run it again.",
    )


def not_text(path: Path, before: int, error: UnicodeError, encoding: str = UTF8) -> UserError:
    """The failure to decode what follows the first `before` bytes of a file."""
    message = f"{shown(path)} is not {encoding.upper()}"
    if isinstance(error, UnicodeDecodeError):
        message += f": byte {before + error.start} is 0x{error.object[error.start]:02X}"
    return UserError(f"{message}.", "Save it as UTF-8, then run it again.")
