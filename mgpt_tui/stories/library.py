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
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write, exists, os_error
from mgpt_tui.reading import MissingFile, read_text
from mgpt_tui.stories import journal
from mgpt_tui.stories.claims import alone, free, named, no_story
from mgpt_tui.stories.documents import DRAFT, PAGES, Document, Read, check_folder, journal_of, read
from mgpt_tui.stories.formats import LARGEST, form_of, no_form, render, split_form, to_json
from mgpt_tui.stories.names import CONTROL, check_name, first_words, path_in, safe_name
from mgpt_tui.stories.shelf.imports import Brought, brought, imported
from mgpt_tui.stories.shelf.listing import Entry as Entry
from mgpt_tui.stories.shelf.listing import Listing, called
from mgpt_tui.stories.shelf.moving import move, moved
from mgpt_tui.stories.story import Story
from mgpt_tui.text import one_line

EXPLICIT = ("/", "./", "~/")
ELSEWHERE = "For another folder, give a path that begins with / or ./ or ~/."


@dataclass(frozen=True, slots=True)
class Target:
    """Where the writer wants a story to be.

    Attributes:
        path: the file that will be written.
        name: the story's new name, or "" for a copy outside the stories folder.
        replaces: whether the writer has agreed that what is there is replaced.
    """

    path: Path
    name: str
    replaces: bool = False


class StoryLibrary:
    """The stories folder.

    Args:
        folder: another folder than `paths.stories_dir()`, for tests.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or paths.stories_dir()
        self._listing = Listing(self.folder)
        self._trash = Listing(self.folder / "trash")

    # Looking.

    def entries(self) -> list[Entry]:
        """Every saved story, the newest first; what is wrong with one is its `trouble`.

        Raises:
            UserError: where the folder cannot be read.
        """
        return [seen.entry for seen in self._listing.stories()]

    def search(self, text: str) -> list[Entry]:
        """The stories that have all these words in their name or text, the newest first.

        Case does not count, nor does how accents are written. Each has the `passage` that
        matches, unless only its name does.

        Raises:
            UserError: where the folder cannot be read.
        """
        return self._listing.matching(text)

    def trashed(self, text: str = "") -> list[Entry]:
        """The stories in the trash that have all these words in their name or text.

        Raises:
            UserError: where the folder cannot be read.
        """
        return self._trash.matching(text)

    def unfinished(self) -> list[Entry]:
        """The stories that nobody has open or has closed: their app came to a sudden end.

        What cannot be read, such as a journal that was never written to, is not among them.

        Raises:
            UserError: where the folder cannot be read.
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
            UserError: where there is none, or more than one.
        """
        found = called(self.entries(), name)
        if found is None:
            raise no_story(name)
        return found

    def find_trashed(self, name: str) -> Entry:
        """The story of this name in the trash.

        Raises:
            UserError: where there is none, or more than one.
        """
        found = called(self.trashed(), name)
        if found is None:
            raise UserError(
                f"There is no story {one_line(name)!r} in the trash.",
                "`mgpt-tui stories trash` lists what is there.",
            )
        return found

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

    # Names.

    def free(self, name: str) -> Path:
        """A document's path that nothing stands in the way of now: `name`, or `name 2`, ..."""
        return free(self.folder, name)

    def target(self, answer: str, default_name: str) -> Target:
        """Understand what was typed for "where to": a name, or a path.

        A path is absolute or begins with `./` or `~/`; where it is a folder, the default name is
        added. The ending chooses the form; without one it is `.md`.

        Raises:
            UserError: where it is neither, or the path's folder is missing.
        """
        answer = answer.strip()
        if CONTROL.search(answer):
            raise UserError("A name holds no control characters.", "Type it anew.")
        if not (answer.startswith(EXPLICIT) or Path(answer).is_absolute()):
            stem, suffix = split_form(answer)
            name = check_name(stem, ELSEWHERE)
            return Target(path_in(self.folder, name, suffix), name)
        path = paths.expanded(answer).absolute()
        if answer.endswith(("/", os.sep)) or os.path.isdir(path):  # noqa: PTH112  (as `exists`)
            path /= safe_name(default_name)
        self._check_folder(path)
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
        own = path_in(self.folder, target.name, ".json")
        if document and document.path == own:
            return not document.is_ours()
        return any(exists(path) for path in (own, journal_of(own), target.path))

    # Changing what is there.

    def add(self, story: Story, name: str) -> Entry:
        """Keep a new story under a name that is still free.

        Raises:
            UserError: where it cannot be written.
        """
        with named(self.folder, name) as path:
            atomic_write(path, to_json(story), new=True)
        return self._listing.look(path).entry

    def rename(self, entry: Entry, name: str) -> Entry:
        """Give a story and its readable files another name.

        Raises:
            UserError: where the name cannot be or is taken, or the story is open somewhere.
        """
        name = check_name(name)
        with alone(entry.path) as held, named(self.folder, name, exactly=True) as path:
            found = self._sound(entry)
            content = to_json(found.story.named(name), found.folds + 1)
            atomic_write(path, content, new=True, like=entry.path)
            try:
                for suffix in (DRAFT, *PAGES):
                    move(entry.path.with_suffix(suffix), path.with_suffix(suffix))
                entry.path.unlink(missing_ok=True)
            except OSError as error:
                raise os_error(error, entry.path) from error
            held.close(remove=True)
            _head(path, found.story, entry.name)
        return self._listing.look(path).entry

    def duplicate(self, entry: Entry, name: str = "") -> Entry:
        """Copy a story, under a name that was asked for or one that is free.

        Raises:
            UserError: where the name cannot be or is taken, or the story cannot be read.
        """
        story = self._sound(entry).story
        with named(self.folder, name or entry.name, exactly=bool(name)) as path:
            copied = story.named(path.stem) if name or story.title else story
            atomic_write(path, to_json(copied), new=True, like=entry.path)
        return self._listing.look(path).entry

    def delete(self, entry: Entry) -> Path:
        """Move a story's files to the trash; gives where its document, or its journal, is then.

        Raises:
            UserError: where the story is open somewhere, or cannot be moved.
        """
        path = moved(entry.path, self._trash.folder, entry.name)
        return path if exists(path) else journal_of(path)

    def restore(self, entry: Entry, name: str = "") -> Entry:
        """Bring a story back from the trash, under a name that was asked for or one that is free.

        Raises:
            UserError: where the name cannot be or is taken, or the files cannot be moved.
        """
        wanted = name or entry.name
        if not name:
            with suppress(UserError):  # a damaged one comes back as it is
                wanted = read(entry.path).story.title or wanted
        path = moved(entry.path, self.folder, wanted, exactly=bool(name))
        with suppress(UserError), alone(path):
            found = read(path)
            if found.story.title not in ("", path.stem) and not found.trouble:
                renamed = found.story.named(path.stem)
                atomic_write(path, to_json(renamed, found.folds + 1), like=path)
                _head(path, found.story, found.story.title)
        return self._listing.look(path).entry

    def import_text(self, path: Path) -> Entry:
        """Make a new story of a `.txt` or `.md` file, whose text is the writer's.

        The heading of a `.md` becomes the story's name, the newline at the end is the file's. A
        `.json` of ours comes as it is.

        Raises:
            UserError: where the file cannot be read or has no text.
        """
        return self._take(*imported(path))

    def bring_in(self, paths: Iterable[Path]) -> Brought:
        """Make a story of each of these files: of all of a folder, or that a pattern finds.

        What cannot be taken keeps nothing else out. A `.txt` or `.md` that tells what a `.json`
        of its name does is the same story, and is not taken twice.
        """
        return brought(paths, self._take)

    def _take(self, story: Story, name: str) -> Entry:
        with named(self.folder, name) as kept:
            atomic_write(kept, to_json(story.named(kept.stem)), new=True)
        return self._listing.look(kept).entry

    def export(self, entry: Entry, target: Path, *, new: bool = False) -> None:
        """Write a story to a file; see `copy`."""
        story = self._sound(entry).story
        self.copy(story, story.title or entry.name or first_words(story.text), target, new=new)

    def copy(self, story: Story, title: str, target: Path, *, new: bool = False) -> None:
        """Write a story to a file in the form of its ending.

        Args:
            story: what to write.
            title: heads the readable forms.
            target: the file.
            new: never over something that is there.

        Raises:
            UserError: where the ending is none of `SUFFIXES`, the folder is missing, or it
                cannot be written.
        """
        form = form_of(target.name)
        if not form:
            raise no_form(target.name)
        if form == ".json" and self._holds(target):
            raise UserError("That is where stories are kept.", "Give another folder.")
        self._check_folder(target)
        atomic_write(target, render(story, form, title), new=new)

    def _holds(self, path: Path) -> bool:
        return path.absolute().parent == self.folder.absolute()

    def _check_folder(self, path: Path) -> None:
        """Refuse a file whose folder is missing; the library's own comes with its first file."""
        if not self._holds(path):
            check_folder(path)

    def _sound(self, entry: Entry) -> Read:
        """A story whose files are whole."""
        try:
            found = read(entry.path)
        except MissingFile:  # another command has just renamed or deleted it
            raise no_story(entry.name) from None
        if found.trouble:
            raise UserError(found.trouble, "Open the story, which makes a copy of what is whole.")
        return found


def _head(path: Path, story: Story, old: str) -> None:
    """Let the page beside a document, if it is of this story, bear the document's name."""
    page = path.with_suffix(".md")
    with suppress(UserError):  # no page, or none of ours
        if read_text(page, LARGEST) == render(story, ".md", old):
            atomic_write(page, render(story, ".md", path.stem))
