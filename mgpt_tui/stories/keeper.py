"""Keeping one story on disk while it is written."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write, exists, taken
from mgpt_tui.stories.changes import changes
from mgpt_tui.stories.claims import claim
from mgpt_tui.stories.documents import Document, in_use, journal_of, read
from mgpt_tui.stories.formats import render, to_json
from mgpt_tui.stories.journal import Journal
from mgpt_tui.stories.library import StoryLibrary, Target
from mgpt_tui.stories.names import first_words, path_in
from mgpt_tui.stories.story import Story
from mgpt_tui.text import one_line

NOTHING = Story(created="")
"""What a journal without a document goes on from."""


class Keeper:
    """Keeps one story on disk; may be called from any thread.

    Keeping appends what changed to the story's journal, which this keeper holds locked from then
    on. The journal is folded into the document when the story is opened, saved and closed.

    Attributes:
        document: the story's document, once it has a name on disk; its file may be missing
            while only the journal is there.
        copy: the file that the writer asked for, once there is one.
        turn: counts the times that a story was put down for good; see `keep`.
        note: what the writer should know about the story as it was opened; "" for nothing.
            Where there is a note, the story is a copy, which gets a name once it is changed.
    """

    def __init__(self, library: StoryLibrary) -> None:
        self.library = library
        self.document: Document | None = None
        self.copy: Document | None = None
        self.turn = 0
        self.note = ""
        self._wanted = ""
        self._given = ""  # the name that was made of the story's first line, while it bears that
        self._original: Path | None = None  # of a copy
        self._journal: Journal | None = None
        self._folds = 0
        self._kept: Story | None = None
        self._copied: Story | None = None
        self._lock = threading.Lock()

    @classmethod
    def open(cls, library: StoryLibrary, path: Path) -> tuple[Keeper, Story]:
        """Open a document to go on with it, or as a copy where that cannot be; see `note`.

        Raises:
            UserError: where it cannot be read or is damaged.
        """
        keeper = cls(library)
        if not exists(path) and not exists(journal_of(path)):
            read(path)  # says why
        journal, why = _journal_for(path)
        try:
            found = read(path, journal.read() if journal else None)
        except UserError:
            if journal:
                journal.close(remove=journal.is_new)
            raise
        story = found.story.settle()
        if journal and found.trouble:
            journal.close(remove=False)
            journal, why = None, found.trouble
        if journal is None:
            copied = library.free(path.stem).stem
            story = story.named(copied) if story.title else story
            keeper.note = f"{why} This is a copy; what you change is kept as {copied!r}."
            keeper._wanted, keeper._original, keeper._kept = path.stem, path, story
            return keeper, story
        keeper.document, keeper._folds, keeper._kept = found.document, found.folds, found.story
        made = first_words(story.text)
        if not story.title and re.fullmatch(rf"{re.escape(made)}( \d+)?", path.stem):
            keeper._given = made
        keeper._journal = journal
        if found.written or found.document.stamp is None:
            with suppress(UserError):  # the journal serves as it is, then
                keeper._fold(story)
        else:
            journal.start(found.folds)
        return keeper, story

    @property
    def name(self) -> str:
        """The document's name; "" while there is none."""
        return self.document.path.stem if self.document else ""

    def called(self, story: Story) -> str:
        """What the story is called: its title, else its document's name, else its first words."""
        return story.title or self.name or first_words(story.text)

    def needs(self, story: Story) -> bool:
        """Whether `story` holds something that is not on disk.

        One that never had any text is not kept.
        """
        if story == self._kept:
            return False
        return self.document is not None or any(node.span.text for node in story.nodes)

    def keep(self, story: Story, turn: int | None = None) -> None:
        """Bring to disk what changed, if anything did.

        Args:
            story: the story as it was when this was asked for.
            turn: `turn` as it was then. Where a `save_to` or `close` has come in between, this
                story is an old one, which must not be written over theirs.

        Raises:
            UserError: where it cannot be written.
        """
        with _told(), self._lock:
            if turn in (None, self.turn) and self.needs(story):
                self._keep(story)

    def save_to(self, story: Story, target: Target) -> Story:
        """Save where the writer asked; gives the story under its name.

        Raises:
            UserError: where something cannot be written, or another has that story open.
        """
        with _told(), self._lock:
            self.turn += 1
            if target.name:
                story = self._save_as(story, target)
            else:
                if self.needs(story):
                    self._keep(story)
                if self.document is not None:
                    self._fold(story)
                again = self.copy is not None and self.copy.path == target.path
                atomic_write(
                    target.path,
                    render(story, target.path.suffix, self.called(story)),
                    new=not (target.replaces or again),
                )
            self._copied = story
            self.copy = Document.at(target.path)
            return story

    def close(self, story: Story) -> None:
        """Keep the story, let go of it, and bring the writer's copy up to date.

        The copy stays as it is where another program has written it.

        Raises:
            UserError: where something cannot be written; the story is still held then.
        """
        with _told(), self._lock:
            self.turn += 1
            if self.needs(story):
                self._keep(story)
            self._put_down()
            copy = self.copy
            if copy and story.text and story != self._copied and copy.is_ours():
                atomic_write(copy.path, render(story, copy.path.suffix, self.called(story)))
                self.copy, self._copied = Document.at(copy.path), story

    # How it is done; the lock is held.

    def _keep(self, story: Story) -> None:
        if self.document is None:
            made = "" if self._wanted or story.title else first_words(story.text)
            self._claim(story, made or self._wanted or story.title)
            self._given = made
        elif not self.document.is_ours():  # another program wrote it, and has it
            self._claim(story, self.name)
        elif self._follows(story):
            self._follow(story, self.document)
        elif self._serves() and self._kept is not None:
            assert self._journal is not None
            self._journal.append(changes(self._kept, story))
        else:
            self._again(story, self.document)
        self._kept = story

    def _follows(self, story: Story) -> bool:
        """Whether the story bears a name made of its first line, which is another by now."""
        is_made = bool(self._given) and not story.title and bool(story.text.strip())
        return is_made and first_words(story.text) != self._given

    def _follow(self, story: Story, old: Document) -> None:
        """Give the story the name that its first line makes now."""
        self._given = first_words(story.text)
        self._claim(story, self._given)
        with suppress(OSError):  # it stays under both names, then
            old.path.unlink(missing_ok=True)

    def _serves(self) -> bool:
        """Whether document and journal are as this keeper left them."""
        if self._journal is None or self.document is None:
            return False
        return self._journal.is_at(self._journal.path) and self.document.is_unchanged()

    def _claim(self, story: Story, name: str) -> None:
        """Begin a new document under a name that is free: at first, its journal alone."""
        path, journal = claim(self.library.folder, name)
        journal.be_private_as(self.document.path if self.document else self._original)
        try:
            journal.append(changes(NOTHING, story))
        except UserError:
            journal.close(remove=True)
            raise
        if self._journal is not None:
            self._journal.close(remove=True)
        self.document, self._journal, self._folds = Document(path, None), journal, 0

    def _again(self, story: Story, document: Document) -> None:
        """Write all of a story whose files have vanished, or that was closed."""
        if self._journal is None or not self._journal.is_at(self._journal.path):
            journal = Journal.open(journal_of(document.path))
            reading = journal.read() if journal else None
            if journal and reading and (reading.records or reading.trouble):
                journal.close(remove=False)  # somebody has gone on with it, or it is none of ours
                journal = None
            if journal is None:
                self._claim(story, self.name)
                return
            self._journal = journal
        self._fold(story)

    def _fold(self, story: Story) -> None:
        """Write the document in full, and begin the journal anew."""
        assert self.document is not None
        if not self.document.is_ours():
            self._claim(story, self.name)
        path, journal = self.document.path, self._journal
        folds = max(self._folds, journal.folds if journal else 0) + 1
        atomic_write(path, to_json(story, folds), like=journal.path if journal else None)
        if journal:
            journal.start(folds)
        self.document, self._folds, self._kept = Document.at(path), folds, story

    def _put_down(self) -> None:
        """Fold the journal in, if it holds anything, and let go of it."""
        if self._journal is None or self._kept is None:
            return
        if not self._journal.is_empty:
            self._fold(self._kept)
        self._journal.close(remove=True)
        self._journal = None

    def _save_as(self, story: Story, target: Target) -> Story:
        """Save under a name, replacing what is there where the writer has agreed to that.

        A document that bore a provisional name is renamed; one that the writer had named
        stays, and the story goes on under its new name.
        """
        renamed = story.named(target.name)
        path = path_in(self.library.folder, target.name, ".json")
        mine = self._journal if self._journal and self._journal.is_at(journal_of(path)) else None
        journal = mine or Journal.open(journal_of(path))
        if journal is None:
            raise in_use(path)
        try:
            if journal is not mine:
                own = self.document and self.document.path == path and self.document.is_ours()
                is_there = not journal.is_new or exists(path) or exists(target.path)
                if journal.read().is_foreign or (is_there and not (own or target.replaces)):
                    raise taken(target.path)
            # The copy first: where it cannot be written, the story is still under its old name.
            if target.path.suffix != ".json":
                page = render(renamed, target.path.suffix, target.name)
                atomic_write(target.path, page, like=path)
            folds = max(self._folds, journal.folds) + 1
            atomic_write(path, to_json(renamed, folds))
        except UserError:
            if journal is not mine:
                journal.close(remove=journal.is_new)
            raise
        journal.start(folds)
        if journal is not mine:
            self._leave(named=bool(story.title), new=path)
        self.document, self._journal = Document.at(path), journal
        self._folds, self._kept = folds, renamed
        return renamed

    def _leave(self, *, named: bool, new: Path) -> None:
        """Let go of the document that the story had, and remove it unless it had been named."""
        if self.document is None or self._journal is None:
            return
        if named:
            with suppress(UserError):  # its journal stays, then
                self._put_down()
        old = self.document
        with suppress(OSError):  # it stays under both names, then
            if not named and old.is_ours() and not old.path.samefile(new):
                old.path.unlink()
        if self._journal is not None:
            self._journal.close(remove=not named)


@contextmanager
def _told() -> Iterator[None]:
    """Let whatever goes wrong be said, and the app live on with the story it has."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise UserError(
            one_line(f"The story could not be kept: {type(error).__name__}: {error!s:.200}."),
            "Save it elsewhere with f3, or copy it with /export.",
        ) from error


def _journal_for(path: Path) -> tuple[Journal | None, str]:
    """The journal of the document at `path`, or why there is none to be had."""
    try:
        journal = Journal.open(journal_of(path))
    except UserError as error:
        return None, error.message
    return journal, "" if journal else in_use(path).message
