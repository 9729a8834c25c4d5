"""Names in the stories folder: who claims one has it, and whoever comes second has another.

The claim on a name is its journal: made only where there is none, and locked. The document comes
after it, in the place of nothing.
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.files import exists
from mgpt_tui.stories import journal
from mgpt_tui.stories.documents import FILES, in_use, journal_of
from mgpt_tui.stories.journal import Journal
from mgpt_tui.stories.names import check_name, numbered, path_in
from mgpt_tui.text import one_line


def free(folder: Path, name: str) -> Path:
    """A document's path that nothing stands in the way of now: `name`, or `name 2`, ..."""
    paths = (path_in(folder, tried, ".json") for tried in numbered(name))
    return next(path for path in paths if not takes(path))


def takes(path: Path) -> bool:
    """Whether there is a file of the story whose document goes here, or would go."""
    return any(exists(path.with_suffix(suffix)) for suffix in FILES)


def claim(folder: Path, name: str, *, exactly: bool = False) -> tuple[Path, Journal]:
    """Hold a name that nothing else has: this one or, unless `exactly`, one with a number.

    Nobody else can have it meanwhile; whoever closes the journal lets go.

    Returns:
        where the document goes, and the journal, which is empty.

    Raises:
        UserError: where the name cannot be or is taken, or nothing can be written there.
    """
    for tried in (check_name(name),) if exactly else numbered(name):
        path = path_in(folder, tried, ".json")
        if _holds(path):
            continue
        claimed = Journal.create(journal_of(path))
        if claimed is None:
            continue
        if not _holds(path):
            return path, claimed
        claimed.close(remove=True)  # it was taken and let go of in between
    raise UserError(f"There is {name!r} already.", "Choose another name.")


@contextmanager
def named(folder: Path, name: str, *, exactly: bool = False) -> Iterator[Path]:
    """`claim` while a document is written."""
    path, claimed = claim(folder, name, exactly=exactly)
    try:
        yield path
    finally:
        claimed.close(remove=True)


@contextmanager
def alone(path: Path) -> Iterator[Journal]:
    """Keep everybody else away from the story of this document meanwhile.

    Raises:
        UserError: where somebody has it open, or there is none.
    """
    held = Journal.open(journal_of(path))
    if held is None:
        raise in_use(path)
    try:
        if held.is_new and not exists(path):
            raise no_story(path.stem)
        yield held
    finally:
        held.close(remove=held.is_new)


def no_story(name: str) -> UserError:
    """That there is none of this name."""
    return UserError(f"There is no story {one_line(name)!r}.", "`mgpt-tui stories` lists them.")


def is_mere_claim(path: Path) -> bool:
    """Whether this journal only claims a name, since a moment ago or since before a kill."""
    if path.suffix != journal.SUFFIX or exists(path.with_suffix(".json")):
        return False
    try:
        status = path.lstat()
    except OSError:  # it has just been let go of
        return True
    return stat.S_ISREG(status.st_mode) and not status.st_size


def _holds(path: Path) -> bool:
    """Whether something beside a journal is in the way of a document."""
    return any(exists(path.with_suffix(suffix)) for suffix in FILES if suffix != journal.SUFFIX)
