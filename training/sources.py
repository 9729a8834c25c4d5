"""Where stories come from: text files, folders of them, data sets on the hub."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.files import not_regular
from mgpt_tui.paths import expanded
from training.story_files import FILE_TYPES, HubDataset, StoryFile
from training.text_files import TextFile, TextRange

HUB_NAME = re.compile(r"(?P<name>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(:(?P<split>[\w.-]+))?")
"""A data set on the hub: owner/name, or owner/name:split."""


@dataclass(frozen=True, slots=True)
class Story:
    """One story of a source.

    Attributes:
        text: without white space at its ends, lines ended by LF alone; never empty.
        position: bytes of the source's files read so far, to show progress by.
    """

    text: str
    position: int


@dataclass(frozen=True, slots=True)
class Portion:
    """Stories that one process encodes in one go.

    Attributes:
        parts: in their order, texts, and ranges of text files that are still to be read.
        size: bytes of the source's files that it takes, or characters where there are none.
    """

    parts: tuple[str | TextRange, ...]
    size: int

    def stories(self) -> Iterator[str]:
        """The stories, as those of `Source.stories`.

        Raises:
            UserError: where a file cannot be read.
        """
        for part in self.parts:
            for text in (part,) if isinstance(part, str) else part.texts():
                story = tidy(text)
                if story:
                    yield story

    def digest(self) -> bytes:
        """16 bytes that differ where stories do: of the texts, or of what files look like."""
        digest = hashlib.blake2b(digest_size=16)
        for part in self.parts:
            told = repr(part).encode() if isinstance(part, TextRange) else _utf8(part)
            digest.update(len(told).to_bytes(8, "big") + told)
        return digest.digest()

    def changed(self) -> list[Path]:
        """Files that are not as they were when the portion was cut."""
        ranges = (part for part in self.parts if isinstance(part, TextRange))
        return [part.path for part in ranges if not part.is_unchanged()]


@dataclass(frozen=True, slots=True)
class Source:
    """A source as the user named it.

    Attributes:
        name: as given.
        files: what is read, in order.
        size: bytes of all files together, or None where that is not known.
    """

    name: str
    files: tuple[StoryFile, ...]
    size: int | None

    def stories(self) -> Iterator[Story]:
        """All stories; those without text are left out.

        Raises:
            UserError: where a file cannot be read, or nothing but white space is there.
        """
        before, found = 0, False
        for file in self.files:
            position = 0
            for text, position in file.texts():
                story = tidy(text or "")
                if story:
                    found = True
                    yield Story(story, before + position)
            before += position
        if not found:
            raise UserError(f"{self.name} holds no stories.", "Give a source with text in it.")

    def portions(self, size: int) -> Iterator[Portion]:
        """All stories in portions of about `size` bytes; those of text files are not yet read.

        Raises:
            UserError: where a file cannot be read.
        """
        parts: list[str | TextRange] = []
        gathered, read = 0, 0
        for part, length, taken in self._parts(size):
            parts.append(part)
            gathered += length
            read += taken
            if gathered >= size:
                yield Portion(tuple(parts), read)
                parts, gathered, read = [], 0, 0
        if parts:
            yield Portion(tuple(parts), read)

    def _parts(self, size: int) -> Iterator[tuple[str | TextRange, int, int]]:
        """Texts and ranges of texts, how long each is, and how many bytes of a file it takes."""
        for file in self.files:
            if isinstance(file, TextFile):
                for part in file.ranges(size):
                    yield part, part.end - part.start, part.end - part.start
                continue
            before = 0
            for text, position in file.texts():
                text = text or ""
                yield text, len(text), len(text) if self.size is None else position - before
                before = position


def tidy(text: str) -> str:
    """A story as it is encoded: stripped, lines ended by LF, and possible in UTF-8."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def open_source(name: str, text_column: str | None = None, hub_split: str = "train") -> Source:
    """Find out what `name` is: a file, a folder of files, or a data set on the hub.

    A path that exists goes before a data set of the same name. Of a folder, all files with a
    known ending are read, in the order of their paths, those in folders below it too; hidden
    ones are not.

    Args:
        name: as the user gave it.
        text_column: see `training.story_files.choose_column`.
        hub_split: the split of a data set whose name does not say one.

    Raises:
        UserError: where it is nothing of these.
    """
    endings = ", ".join(FILE_TYPES)
    if not name:  # as a path that would be the current folder
        raise UserError("A source has no name.", "Give a file, a folder, or OWNER/NAME on the hub.")
    path = expanded(name)
    if path.is_dir():
        paths = _files_below(path)
        if not paths:
            raise UserError(f"{name} holds no {endings} files.", "Give a folder with stories.")
    elif path.is_file():
        if path.suffix.lower() not in FILE_TYPES:
            raise UserError(
                f"{name} is of an unknown kind.", f"Give a file that ends in one of {endings}."
            )
        paths = [path]
    elif path.exists():  # a pipe could not be read twice
        raise not_regular(name)
    else:
        hub = HUB_NAME.fullmatch(name)
        if hub is None or path.suffix.lower() in FILE_TYPES:
            raise UserError(
                f"{name} does not exist.",
                "Check the path; a data set on the hub is named OWNER/NAME.",
            )
        dataset = HubDataset(hub["name"], hub["split"] or hub_split, text_column)
        return Source(name, (dataset,), None)
    files = tuple(FILE_TYPES[path.suffix.lower()](path, text_column) for path in paths)
    return Source(name, files, sum(path.stat().st_size for path in paths))


def open_local_source(name: str, option: str, text_column: str | None = None) -> Source:
    """`open_source` of what lies on this machine: only `prepare` uses the network.

    Args:
        option: the flag that named it.

    Raises:
        UserError: where it is not there, or `open_source` refuses it.
    """
    if not expanded(name).exists():
        raise UserError(f"{name} does not exist.", f"Check the path of {option}.")
    return open_source(name, text_column)


def _files_below(folder: Path) -> list[Path]:
    found = []
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(parent, name)
            if path.suffix.lower() in FILE_TYPES and not name.startswith(".") and path.is_file():
                found.append(path)
    return sorted(found)
