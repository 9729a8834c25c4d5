"""Where stories come from: text files, folders of them, data sets on the hub."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.files import not_regular, os_error
from mgpt_tui.paths import expanded
from mgpt_tui.text import one_line
from training.own_folders import is_own_folder
from training.sources.folders import files_below
from training.sources.hub import HubDataset
from training.sources.left_out import ROWS, LeftOut
from training.sources.story_files import ENDINGS, StoryFile, kind_of, story_file
from training.sources.text_files import TextFile, TextRange, between_marks

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
            content = repr(part).encode() if isinstance(part, TextRange) else _utf8(part)
            digest.update(len(content).to_bytes(8, "big") + content)
        return digest.digest()

    def changed(self) -> list[Path]:
        """Files that are not as they were when the portion was cut."""
        ranges = (part for part in self.parts if isinstance(part, TextRange))
        return [part.path for part in ranges if not part.is_unchanged()]


@dataclass(slots=True)
class Source:
    """A source as the user named it.

    Attributes:
        name: as given.
        files: what is read, in order.
        size: bytes of all files together, or None where that is not known.
        left_out: what of it is not read: files at once, rows while they are read.
    """

    name: str
    files: tuple[StoryFile, ...]
    size: int | None
    _files_left_out: LeftOut = field(default_factory=LeftOut)
    left_out: LeftOut = field(init=False)

    def __post_init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self.left_out = LeftOut()
        self.left_out.extend(self._files_left_out)

    def stories(self) -> Iterator[Story]:
        """All stories; those without text are left out.

        Raises:
            UserError: where a file cannot be read, or nothing but white space is there.
        """
        self._begin()
        before, found = 0, False
        for file in self.files:
            position = 0
            for text, position in self._texts(file):
                story = tidy(text)
                if story:
                    found = True
                    yield Story(story, before + position)
            before += position
        if not found:
            raise self.without_stories()

    def without_stories(self) -> UserError:
        """That nothing was found here."""
        message = f"{one_line(self.name)} holds no stories."
        lines = "; ".join(self.left_out.lines())
        remedy = "Give a source with text in it" + (f" ({lines})." if lines else ".")
        return UserError(message, remedy)

    def portions(self, size: int) -> Iterator[Portion]:
        """All stories in portions of about `size` bytes; those of text files are not yet read.

        Raises:
            UserError: where a file cannot be read.
        """
        self._begin()
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
            for text, position in self._texts(file):
                yield text, len(text), len(text) if self.size is None else position - before
                before = position

    def _texts(self, file: StoryFile) -> Iterator[tuple[str, int]]:
        """What a file holds, cut at all marks; rows without text are empty, and counted."""
        for text, position in file.texts():
            if text is None:
                self.left_out.add(ROWS, file.name)
            for piece in between_marks(text or ""):
                yield piece, position


def tidy(text: str) -> str:
    """A story as it is encoded: stripped, lines ended by LF, and possible in UTF-8."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def open_source(
    name: str,
    text_column: str | None = None,
    hub_split: str = "train",
    *,
    outputs: Collection[Path] = (),
) -> Source:
    """Find out what `name` is: a file, a folder of files, or a data set on the hub.

    A path that exists goes before a data set of the same name. Of a folder, all files with a
    known ending are read, in the order of their paths, those in folders below it too; hidden
    ones are not, nor is prepared data.

    Args:
        name: as the user gave it.
        text_column: see `training.sources.columns.choose_column`.
        hub_split: the split of a data set whose name does not say one.
        outputs: resolved folders that are being written, which are never read.

    Raises:
        UserError: where it is nothing of these.
    """
    path = _path(name)
    try:
        is_there, is_folder = path.exists(), path.is_dir()
        if not is_there:
            return _on_the_hub(name, path, text_column, hub_split)
        resolved = path.resolve()
    except (OSError, ValueError) as error:  # a name that is too long, or with NUL
        raise _no_path(name, error) from None
    if any(folder == resolved or folder in resolved.parents for folder in outputs):
        raise UserError(
            f"{one_line(name)} is where this command writes.", "Give another source, or --out."
        )
    left_out = LeftOut()
    if any(map(is_own_folder, (resolved, *resolved.parents))):
        raise UserError(
            f"{one_line(name)} is prepared data, or work on it.",
            "Give the stories that it is made of.",
        )
    if is_folder:
        paths = files_below(path, text_column, left_out, outputs)
        if not paths:
            lines = "; ".join(left_out.lines())
            raise UserError(
                f"{one_line(name)} holds no {ENDINGS} files.",
                "Give a folder with stories" + (f" ({lines})." if lines else "."),
            )
    elif path.is_file():
        if kind_of(path) is None:
            raise UserError(
                f"{one_line(name)} is of an unknown kind.",
                f"Give a file that ends in one of {ENDINGS}.",
            )
        paths = [path]
    else:  # a pipe could not be read twice
        raise not_regular(one_line(name))
    try:
        size = sum(path.stat().st_size for path in paths)
    except OSError as error:
        raise os_error(error, one_line(name)) from error
    return Source(name, tuple(story_file(path, text_column) for path in paths), size, left_out)


def _on_the_hub(name: str, path: Path, text_column: str | None, split: str) -> Source:
    hub = HUB_NAME.fullmatch(name)
    if hub is None or kind_of(path) is not None:
        raise UserError(
            f"{one_line(name)} does not exist.",
            "Check the path; a data set on the hub is named OWNER/NAME.",
        )
    return Source(name, (HubDataset(hub["name"], hub["split"] or split, text_column),), None)


def _path(name: str) -> Path:
    if not name:
        raise UserError("A source has no name.", "Give a file, a folder, or OWNER/NAME on the hub.")
    return expanded(name)


def _no_path(name: str, error: Exception) -> UserError:
    if isinstance(error, OSError):
        return os_error(error, one_line(name)[:200])
    return UserError(f"{one_line(name)[:200]} is no path.", "Check its characters.")


def open_local_source(name: str, option: str, text_column: str | None = None) -> Source:
    """`open_source` of what lies on this machine: only `prepare` uses the network.

    Args:
        option: the flag that named it.

    Raises:
        UserError: where it is not there, or `open_source` refuses it.
    """
    try:
        is_there = _path(name).exists()
    except (OSError, ValueError) as error:
        raise _no_path(name, error) from None
    if not is_there:
        raise UserError(f"{one_line(name)} does not exist.", f"Check the path of {option}.")
    return open_source(name, text_column)
