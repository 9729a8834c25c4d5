"""Where stories are kept.

Every story has one document, `NAME.json` in the stories folder, and beside it, while somebody has
the story open, a journal of what was written since (see `journal` and `keeper`). Until the writer
names it, NAME is made of its first words. Saving under a name makes that the document's name and
writes a readable `NAME.md` (or `.txt`, `.html`) beside it; saving to a path writes a copy there.
A document owns the readable files of its own name. Nothing else is ever overwritten without
asking, and what is deleted goes to a folder `trash`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write, make_folder, os_error, sync_dir
from mgpt_tui.stories import journal
from mgpt_tui.stories.documents import FILES, Document, Read, exists, in_use, journal_of, read
from mgpt_tui.stories.formats import SUFFIXES, form_of, no_form, render, split_form, to_json
from mgpt_tui.stories.imports import imported
from mgpt_tui.stories.names import CONTROL, check_name, first_words
from mgpt_tui.stories.story import Story
from mgpt_tui.text import clean_text

EXPLICIT = ("/", "./", "~/")


@dataclass(frozen=True, slots=True)
class Entry:
    """A saved story.

    Attributes:
        name: its name.
        path: its document, which is not there yet where only its journal is.
        modified: when either was written last, in seconds of the epoch.
        words: how many words it has.
        first_line: its first line that is not empty.
        trouble: what is wrong with its files; "" where nothing is.
    """

    name: str
    path: Path
    modified: float
    words: int = 0
    first_line: str = ""
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the writer wants a story to be.

    Attributes:
        path: the file that will be written.
        name: the story's new name, or "" for a copy outside the stories folder.
    """

    path: Path
    name: str


Stamp = tuple[tuple[int, int] | None, tuple[int, int] | None]


class StoryLibrary:
    """The stories folder.

    Args:
        folder: another folder than `paths.stories_dir()`, for tests.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or paths.stories_dir()
        self._seen: dict[Path, tuple[Stamp, Entry, str]] = {}

    # Looking.

    def entries(self) -> list[Entry]:
        """Every saved story, the newest first; empty where the folder cannot be read."""
        return [entry for entry, _ in self._texts()]

    def search(self, text: str) -> list[Entry]:
        """The stories that have all these words in their name or text, the newest first."""
        words = text.casefold().split()
        return [
            entry
            for entry, told in self._texts()
            if all(word in told or word in entry.name.casefold() for word in words)
        ]

    def unfinished(self) -> list[Entry]:
        """The stories that nobody has open or has closed: their app came to a sudden end.

        What cannot be read, such as a journal that was never written to, is not among them.
        """
        return [
            entry
            for entry in self.entries()
            if exists(journal_of(entry.path))
            and not journal.is_held(journal_of(entry.path))
            and (entry.words or not entry.trouble)
        ]

    def find(self, name: str) -> Entry:
        """The story of this name, however it is spelt where that is clear.

        Raises:
            UserError: where there is none.
        """
        entries = self.entries()
        for same in (str, str.casefold):
            found = [entry for entry in entries if same(entry.name) == same(name)]
            if len(found) == 1:
                return found[0]
        raise UserError(
            f"There is no story {clean_text(name)!r}.", "`mgpt-tui stories` lists them."
        )

    def locate(self, name: str) -> Path:
        """The document of the story of this name, or at this path.

        Raises:
            UserError: where there is none.
        """
        path = paths.expanded(name)
        if path.suffix in (".json", journal.SUFFIX) and exists(path):
            return path.with_suffix(".json")
        return self.find(name).path

    def open(self, path: Path) -> tuple[Story, Document]:
        """Read a story, to look at it; a `Keeper` opens it to go on.

        Raises:
            UserError: where it cannot be read or is damaged.
        """
        found = read(path)
        return found.story, found.document

    def _texts(self) -> list[tuple[Entry, str]]:
        """Every story with its text, casefolded, the newest first."""
        try:
            found = {
                path.with_suffix(".json")
                for path in self.folder.iterdir()
                if path.suffix in (".json", journal.SUFFIX)
                and not path.name.startswith(".")
                and path.is_file()
            }
        except OSError:
            return []
        self._seen = {path: self._look(path) for path in found}
        seen = [(entry, text) for _, entry, text in self._seen.values()]
        return sorted(seen, key=lambda one: (-one[0].modified, one[0].name))

    def _look(self, path: Path) -> tuple[Stamp, Entry, str]:
        """What is known of a story, read again only where its files have changed."""
        stamps = Document.at(path).stamp, Document.at(journal_of(path)).stamp
        known = self._seen.get(path)
        if known and known[0] == stamps:
            return known
        newest = max((stamp[0] for stamp in stamps if stamp), default=0)
        entry = Entry(clean_text(path.stem), path, newest / 1e9)
        try:
            found = read(path)
        except UserError as error:
            return stamps, replace(entry, trouble=error.message), ""
        text = found.story.text
        first = next((line.strip() for line in text.split("\n") if line.strip()), "")
        entry = replace(
            entry, words=len(text.split()), first_line=first[:200], trouble=found.trouble
        )
        return stamps, entry, text.casefold()

    # Names.

    def free(self, name: str, folder: Path | None = None) -> Path:
        """A document's path that nothing stands in the way of: `name`, or `name 2`, ..."""
        folder = folder or self.folder
        number, tried = 1, name
        while self._takes(folder, tried):
            number += 1
            tried = f"{name} {number}"
        return folder / f"{tried}.json"

    def _takes(self, folder: Path, name: str) -> bool:
        return any(exists(folder / f"{name}{suffix}") for suffix in FILES)

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
            stem, suffix = split_form(answer)
            name = check_name(stem)
            return Target(self.folder / f"{name}{suffix}", name)
        path = paths.expanded(answer).absolute()
        if answer.endswith(("/", os.sep)) or os.path.isdir(path):  # noqa: PTH112  (as `exists`)
            path /= default_name
        stem, suffix = split_form(path.name)
        return Target(path.with_name(f"{stem}{suffix}"), "")

    def is_taken(self, target: Target, document: Document | None, copy: Document | None) -> bool:
        """Whether saving there would overwrite what is not this story's.

        Args:
            target: where to.
            document: the story's document, if it has one.
            copy: where the writer already saved this story, if so.
        """
        if not target.name:
            return exists(target.path) and not (copy and copy.path == target.path)
        own = self.folder / f"{target.name}.json"
        if document and document.path == own:
            return not document.is_ours()
        return any(exists(path) for path in (own, journal_of(own), target.path))

    # Changing what is there.

    def add(self, story: Story, name: str) -> Entry:
        """Keep a new story under a name that is still free.

        Raises:
            UserError: where it cannot be written.
        """
        path = self.free(name)
        atomic_write(path, to_json(story))
        return self._look(path)[1]

    def rename(self, entry: Entry, name: str) -> Entry:
        """Give a story and its readable files another name.

        Raises:
            UserError: where the name cannot be or is taken, or the story is open somewhere.
        """
        name = self._new_name(name)
        self._at_rest(entry)
        found = self._sound(entry)
        path = self.folder / f"{name}.json"
        atomic_write(path, to_json(found.story.named(name), found.folds + 1))
        try:
            for suffix in SUFFIXES:
                if suffix != ".json":
                    _move(entry.path.with_suffix(suffix), path.with_suffix(suffix))
            page = path.with_suffix(".md")
            if (
                exists(page)
                and page.read_bytes() == render(found.story, ".md", entry.name).encode()
            ):
                atomic_write(page, render(found.story, ".md", name))
            entry.path.unlink(missing_ok=True)
            journal_of(entry.path).unlink(missing_ok=True)
        except OSError as error:
            raise os_error(error, entry.path) from error
        return self._look(path)[1]

    def duplicate(self, entry: Entry, name: str = "") -> Entry:
        """Copy a story, under a name that was asked for or one that is free.

        Raises:
            UserError: where the name cannot be or is taken, or the story cannot be read.
        """
        story = self._sound(entry).story
        if name or story.title:
            path = self.folder / f"{self._new_name(name)}.json" if name else self.free(entry.name)
            return self.add(story.named(path.stem), path.stem)
        return self.add(story, entry.name)

    def delete(self, entry: Entry) -> Path:
        """Move a story's files to the folder `trash`; gives where its document is then.

        Raises:
            UserError: where the story is open somewhere, or cannot be moved.
        """
        self._at_rest(entry)
        folder = self.folder / "trash"
        try:
            make_folder(folder)
            path = self.free(entry.name, folder)
            for suffix in FILES:
                _move(entry.path.with_suffix(suffix), path.with_suffix(suffix))
            sync_dir(folder)
        except OSError as error:
            raise os_error(error, entry.path) from error
        return path if exists(path) else journal_of(path)

    def import_text(self, path: Path) -> Entry:
        """Make a new story of a `.txt` or `.md` file, whose text is the writer's.

        The heading of a `.md` becomes the story's name, the newline at the end is the file's. A
        `.json` of ours comes as it is.

        Raises:
            UserError: where the file cannot be read or has no text.
        """
        story, name = imported(path)
        name = self.free(name).stem
        return self.add(story.named(name), name)

    def export(self, entry: Entry, target: Path) -> None:
        """Write a story to a file; see `copy`."""
        story = self._sound(entry).story
        self.copy(story, story.title or entry.name or first_words(story.text), target)

    def copy(self, story: Story, title: str, target: Path) -> None:
        """Write a story to a file in the form of its ending, over what is there.

        Raises:
            UserError: where the ending is none of `SUFFIXES`, the folder is missing, or it
                cannot be written.
        """
        form, folder = form_of(target.name), target.absolute().parent
        if not form:
            raise no_form(target.name)
        if form == ".json" and folder == self.folder.absolute():
            raise UserError("That is where stories are kept.", "Give another folder.")
        try:
            if folder != self.folder.absolute():
                folder.stat()
        except OSError as error:
            raise os_error(error, target.parent) from error
        atomic_write(target, render(story, form, title))

    def _new_name(self, name: str) -> str:
        name = check_name(name)
        if self._takes(self.folder, name):
            raise UserError(f"There is {name!r} already.", "Choose another name.")
        return name

    def _at_rest(self, entry: Entry) -> None:
        if journal.is_held(journal_of(entry.path)):
            raise in_use(entry.path)

    def _sound(self, entry: Entry) -> Read:
        """A story whose files are whole."""
        found = read(entry.path)
        if found.trouble:
            raise UserError(found.trouble, "Open the story, which makes a copy of what is whole.")
        return found


def _move(old: Path, new: Path) -> None:
    if exists(old):
        old.rename(new)
