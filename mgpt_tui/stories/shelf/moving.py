"""All files of a story moved together: to the trash, and back."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from mgpt_tui.files import NotOurs, exists, os_error, sync_dir
from mgpt_tui.stories.claims import alone, claim, is_mere_claim
from mgpt_tui.stories.documents import DRAFT, PAGES, journal_of


def moved(document: Path, folder: Path, name: str, *, exactly: bool = False) -> Path:
    """Move a story's files into a folder, in the place of nothing; gives where they are then.

    Args:
        document: the story's.
        folder: where to.
        name: its name there or, unless `exactly`, one with a number.

    Raises:
        UserError: where the story is open somewhere, the name cannot be, or the files cannot be
            moved.
    """
    written = journal_of(document)
    with _alone_if_ours(document):
        path, claimed = claim(folder, name, exactly=exactly)
        try:
            for suffix in (".json", DRAFT, *PAGES):
                move(document.with_suffix(suffix), path.with_suffix(suffix))
            if os.name == "nt" or written.is_dir():  # where it cannot be replaced
                claimed.close(remove=True)
            if exists(written) and not is_mere_claim(written):
                written.replace(claimed.path)
            sync_dir(path.parent)
        except OSError as error:
            raise os_error(error, document) from error
        finally:
            claimed.close(remove=True)
    return path


def move(old: Path, new: Path) -> None:
    """Rename a file, if there is one, to a name that nothing has."""
    if exists(old):
        old.rename(new)


@contextmanager
def _alone_if_ours(path: Path) -> Iterator[None]:
    """`alone`, or not where what is in the place of the journal is none."""
    with ExitStack() as stack:
        with suppress(NotOurs):
            stack.enter_context(alone(path))
        yield
