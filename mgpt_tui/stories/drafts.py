"""What is being typed and is in no story yet: kept on disk, and back where it was typed.

A story's draft lies beside its document, as `NAME.draft`; whoever holds the story's journal holds
it, too. What is typed where there is no document yet lies in the state folder, in one file a
running app; a lock tells it from those of others, and one that nobody holds is taken up by the
next app that starts. Nothing of a draft ever enters a story by itself.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import IO, Any

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write, make_folder, os_error, try_lock
from mgpt_tui.reading import read_json
from mgpt_tui.stories.documents import DRAFT, draft_of
from mgpt_tui.stories.formats import FORMAT
from mgpt_tui.stories.keeper import Keeper
from mgpt_tui.text import clean_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What is being typed.

    Attributes:
        line: in the prompt.
        edit: the whole story as it is being changed; "" where nobody changes it.
        name: for the story to be saved under.
    """

    line: str = ""
    edit: str = ""
    name: str = ""


NOTHING = Draft()


def read_draft(path: Path) -> Draft:
    """The draft in a file; nothing where there is none that can be read."""
    try:
        content = read_json(path)
    except UserError:
        return NOTHING
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return NOTHING
    known = {name: content.get(name) for name in asdict(NOTHING)}
    return Draft(
        **{name: clean_text(text) for name, text in known.items() if isinstance(text, str)}
    )


class DraftKeeper:
    """Keeps what is being typed in one room; may be called from any thread.

    Args:
        folder: where the drafts of rooms without a document lie; another one for tests.

    Attributes:
        turn: counts the times that the room has turned to something else; see `keep`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.turn = 0
        self._folder = folder or paths.state_dir() / "drafts"
        self._own: Path | None = None  # the file of this app, once it has one
        self._lock_file: IO[Any] | None = None
        self._kept: tuple[Path | None, Draft] = (None, NOTHING)
        self._lock = threading.Lock()

    def take_up(self, keeper: Keeper) -> Draft:
        """What was being typed where the room now is; from now on it is kept there."""
        with self._lock:
            self.turn += 1
            if keeper.document is not None:
                path: Path | None = draft_of(keeper.document.path)
            elif self._own is None:
                with suppress(OSError):
                    self._claim(sorted(self._folder.glob(f"*{DRAFT}")))
                path = self._own
            else:
                path = self._own
            draft = read_draft(path) if path else NOTHING
            self._kept = path, draft
            return draft

    def needs(self, draft: Draft, keeper: Keeper) -> bool:
        """Whether a draft is not on disk as it is."""
        now = self._path(keeper), draft
        return now not in (self._kept, (None, NOTHING))

    def keep(self, draft: Draft, keeper: Keeper, turn: int | None = None) -> None:
        """Bring to disk what is being typed, if it is not there yet.

        Args:
            draft: as it was when this was asked for.
            keeper: of the story that it belongs to.
            turn: `turn` as it was then; where the room has turned to something else since,
                nothing is done.

        Raises:
            UserError: where it cannot be written.
        """
        with self._lock:
            if turn not in (None, self.turn) or not self.needs(draft, keeper):
                return
            path = self._path(keeper)
            try:
                if path is None:
                    make_folder(self._folder)
                    self._claim(self._free())
                    path = self._own
                assert path is not None
                if draft == NOTHING:
                    path.unlink(missing_ok=True)
                else:
                    atomic_write(path, json.dumps({"format": FORMAT} | asdict(draft)))
                before = self._kept[0]
                if before is not None and before != path:  # the story has another name by now
                    before.unlink(missing_ok=True)
            except OSError as error:
                raise os_error(error, path or self._folder) from error
            self._kept = path, draft

    def __del__(self) -> None:
        if self._lock_file is not None:
            self._lock_file.close()

    def _path(self, keeper: Keeper) -> Path | None:
        return draft_of(keeper.document.path) if keeper.document else self._own

    def _free(self) -> Iterable[Path]:
        """Files that this app could have, and that hold nothing."""
        numbered = (self._folder / f"{number}{DRAFT}" for number in count(1))
        return (path for path in numbered if not path.exists())

    def _claim(self, candidates: Iterable[Path]) -> None:
        """Take the first of these that no other app has, if there is one.

        Raises:
            OSError: where it cannot be locked.
        """
        for path in candidates:
            # The lock is on a file of its own, for the draft's is replaced whenever it changes.
            stream = path.with_suffix(".lock").open("ab")
            if try_lock(stream):
                self._own, self._lock_file = path, stream
                return
            stream.close()


def waiting(folder: Path) -> list[str]:
    """The names of the stories in a folder in which something is still being typed."""
    with suppress(OSError):
        found = [path for path in folder.glob(f"*{DRAFT}") if path.with_suffix(".json").exists()]
        return sorted(clean_text(path.stem) for path in found if read_draft(path) != NOTHING)
    return []
