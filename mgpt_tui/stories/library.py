"""Where stories are kept.

Every story has one document, `NAME.json` in the stories folder, which is written while the
story is told (see `Keeper`). Until the writer names it, NAME is made of its first words.
Saving under a name makes that the document's name and writes a readable `NAME.md` (or `.txt`)
beside it; saving to a path writes a copy there. A document owns the `.md` and `.txt` of its
own name. Nothing else is ever overwritten without asking.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write, os_error
from mgpt_tui.stories.formats import SUFFIXES, from_json, render
from mgpt_tui.stories.names import CONTROL, check_name, first_words
from mgpt_tui.stories.story import Story

EXPLICIT = ("/", "./", "~/")


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
        except OSError:
            return cls(path, None)
        return cls(path, (status.st_mtime_ns, status.st_size))

    def is_ours(self) -> bool:
        """Whether nobody else has written the file since; a vanished file counts as ours."""
        return Document.at(self.path).stamp in (None, self.stamp)


@dataclass(frozen=True, slots=True)
class Entry:
    """A saved story: its name, its document, and when that was written (seconds, epoch)."""

    name: str
    path: Path
    modified: float


@dataclass(frozen=True, slots=True)
class Target:
    """Where the writer wants a story to be.

    Attributes:
        path: the file that will be written.
        name: the story's new name, or "" for a copy outside the stories folder.
    """

    path: Path
    name: str


class StoryLibrary:
    """The stories folder.

    Args:
        folder: another folder than `paths.stories_dir()`, for tests.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or paths.stories_dir()

    def entries(self) -> list[Entry]:
        """Every saved story, the newest first; empty where the folder cannot be read."""
        entries = []
        try:
            for path in self.folder.glob("*.json"):
                if not path.name.startswith(".") and path.is_file():
                    entries.append(Entry(path.stem, path, path.stat().st_mtime))
        except OSError:
            return []
        return sorted(entries, key=lambda entry: (-entry.modified, entry.name))

    def open(self, path: Path) -> tuple[Story, Document]:
        """Read a document.

        Raises:
            UserError: where it cannot be read or is damaged.
        """
        try:
            document = Document.at(path)
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise UserError(
                f"{path.name} is damaged: it is not UTF-8.",
                "Nothing was changed; open another story.",
            ) from None
        except OSError as error:
            raise os_error(error, path) from error
        return from_json(text, path.name), document

    def save(self, story: Story, document: Document | None) -> Document:
        """Write a story's document: the one it has, or a new one that overwrites nothing.

        Raises:
            UserError: where the folder cannot be written.
        """
        if document is not None and document.is_ours():
            path = document.path
        else:
            name = document.path.stem if document else story.title or first_words(story.text)
            path = self.free(name)
        return self._write(story, path)

    def free(self, name: str) -> Path:
        """A document's path that nothing stands in the way of: `name`, or `name 2`, ..."""
        number, tried = 1, name
        while any(_exists(self.folder / f"{tried}{suffix}") for suffix in SUFFIXES):
            number += 1
            tried = f"{name} {number}"
        return self.folder / f"{tried}.json"

    def target(self, answer: str, default_name: str) -> Target:
        """Understand what was typed for "where to": a name, or a path.

        A path is absolute or begins with `./` or `~/`; where it is a folder, the default name is
        added. The ending chooses the form; without one it is `.md`.

        Raises:
            UserError: where it is neither.
        """
        answer = answer.strip()
        if CONTROL.search(answer):
            raise UserError("A name holds no control characters.", "Type it anew.")
        if not (answer.startswith(EXPLICIT) or Path(answer).is_absolute()):
            stem, suffix = _split(answer)
            name = check_name(stem)
            return Target(self.folder / f"{name}{suffix}", name)
        path = paths.expanded(answer).absolute()
        if answer.endswith(("/", os.sep)) or os.path.isdir(path):  # noqa: PTH112  (as _exists)
            path /= default_name
        stem, suffix = _split(path.name)
        return Target(path.with_name(f"{stem}{suffix}"), "")

    def is_taken(self, target: Target, document: Document | None, copy: Document | None) -> bool:
        """Whether saving there would overwrite what is not this story's.

        Args:
            target: where to.
            document: the story's document, if it has one.
            copy: where the writer already saved this story, if so.
        """
        if not target.name:
            return _exists(target.path) and not (copy and copy.path == target.path)
        if document and document.path == self.folder / f"{target.name}.json":
            return False
        own = self.folder / f"{target.name}.json"
        return _exists(own) or _exists(target.path)

    def save_as(
        self, story: Story, document: Document | None, target: Target
    ) -> tuple[Story, Document]:
        """Save under a name, replacing what is there; the caller has asked.

        A document that bore a provisional name is renamed; one that the writer had named
        stays, and the story goes on under its new name.

        Raises:
            UserError: where something cannot be written; the old document is still there.
        """
        renamed = story.named(target.name)
        path = self.folder / f"{target.name}.json"
        # The copy first: where it cannot be written, the story is still under its old name.
        if target.path.suffix != ".json":
            atomic_write(target.path, render(renamed, target.path.suffix, target.name))
        written = self._write(renamed, path)
        if document is not None and not story.title:
            _remove(document, unless=path)
        return renamed, written

    def _write(self, story: Story, path: Path) -> Document:
        atomic_write(path, render(story, ".json", story.title))
        return Document.at(path)


def _split(name: str) -> tuple[str, str]:
    """A file name as stem and one of `SUFFIXES`, `.md` where it has none of them."""
    stem, dot, ending = name.rpartition(".")
    suffix = f".{ending.lower()}"
    return (stem, suffix) if dot and stem and suffix in SUFFIXES else (name, SUFFIXES[0])


def _remove(document: Document, unless: Path) -> None:
    """Remove a renamed document, unless it was changed or is the same file under both names."""
    old = document.path
    with suppress(OSError):  # it stays under both names, then
        if document.is_ours() and not old.samefile(unless):
            old.unlink()


def _exists(path: Path) -> bool:
    """Whether something is there; no where nobody can tell, and writing will then say why."""
    return os.path.exists(path)  # noqa: PTH110  (Path.exists raises)


class Keeper:
    """Keeps one story on disk; may be called from any thread.

    Attributes:
        document: the story's document, once it has one.
        copy: the file that the writer asked for, once there is one.
        turn: counts the times that a story was put down for good; see `keep`.
    """

    def __init__(self, library: StoryLibrary, document: Document | None = None) -> None:
        self.library = library
        self.document = document
        self.copy: Document | None = None
        self._kept: Story | None = None
        self._copied: Story | None = None
        self.turn = 0
        self._lock = threading.Lock()

    def needs(self, story: Story) -> bool:
        """Whether `story` holds something that is not on disk. An empty one never does."""
        return story != self._kept and bool(story.text)

    def opened(self, story: Story) -> None:
        """Note that `story` is what the document holds."""
        self._kept = story

    def keep(self, story: Story, turn: int | None = None) -> None:
        """Write the document if need be.

        Args:
            story: the story as it was when this was asked for.
            turn: `turn` as it was then. Where a `save_to` or `close` has come in between, this
                story is an old one, which must not be written over theirs.

        Raises:
            UserError: where it cannot be written.
        """
        with self._lock:
            if turn in (None, self.turn) and self.needs(story):
                self.document = self.library.save(story, self.document)
                self._kept = story

    def save_to(self, story: Story, target: Target) -> Story:
        """Save where the writer asked; gives the story under its name.

        Raises:
            UserError: where something cannot be written.
        """
        with self._lock:
            self.turn += 1
            if target.name:
                story, self.document = self.library.save_as(story, self.document, target)
            else:
                self.document, self._kept = self.library.save(story, self.document), story
                atomic_write(target.path, render(story, target.path.suffix, self.name))
            self._kept = self._copied = story
            self.copy = Document.at(target.path)
            return story

    def close(self, story: Story) -> None:
        """Keep the story, and bring the writer's copy up to date unless another wrote it.

        Raises:
            UserError: where something cannot be written.
        """
        with self._lock:
            self.turn += 1
        self.keep(story)
        with self._lock:
            copy = self.copy
            if copy and story.text and story != self._copied and copy.is_ours():
                atomic_write(copy.path, render(story, copy.path.suffix, self.name))
                self.copy, self._copied = Document.at(copy.path), story

    @property
    def name(self) -> str:
        """The document's name; "" while there is none."""
        return self.document.path.stem if self.document else ""
