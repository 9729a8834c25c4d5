"""What learning leaves in the folder of a run, and who learns now. Without torch.

    RUN/learning.json   what it began with, and whether it came to its end
    RUN/stories.jsonl   the stories, as they were when it began
    RUN/data/           the same as tokens
    RUN/step-*/ ...     as of any run

One process learns at a time: it holds `learning.lock` in the state folder, which names the run.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from io import FileIO
from pathlib import Path

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.files import atomic_write, exists, make_folder, open_own, os_error, try_lock
from mgpt_tui.model.registry import RUN_NAME, run_folder, step_folders, step_of
from mgpt_tui.reading import read_json

MARK = "learning.json"
STORIES = "stories.jsonl"
DATA = "data"
DOOMED = ".tmp-drop-"
LONGEST_NAME = 64
FIRST_NAME = "mine"
"""What a model is called where the writer gives it no name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What learning began with.

    Attributes:
        name: of the run.
        model: the one that it began with.
        stories: how many there were.
        words: of all of them together.
        passes: how often they are to be read at most; None where that was not asked for.
        learning_rate: the largest one.
        before: bits a byte of `model` on the stories held out; None where that is not known yet.
        done: whether it came to its end.
    """

    name: str
    model: str
    stories: int
    words: int
    passes: int | None
    learning_rate: float
    before: float | None = None
    done: bool = False

    @property
    def folder(self) -> Path:
        """Of the run."""
        return run_folder(self.name)

    @property
    def step(self) -> int:
        """Of its newest checkpoint; 0 before there is any."""
        folders = step_folders(self.folder)
        return step_of(folders[-1]) if folders else 0

    def write(self) -> None:
        """Remember it.

        Raises:
            UserError: where it cannot be written.
        """
        atomic_write(self.folder / MARK, json.dumps(asdict(self), indent=2) + "\n")

    def remove(self) -> None:
        """Remove it with all that was learnt; a kill leaves nothing that counts as a model.

        Raises:
            UserError: where it cannot be removed.
        """
        _remove(self.folder)


def find(name: str) -> Begun:
    """What was begun under a name.

    Raises:
        UserError: where nothing was, or that cannot be read.
    """
    path = run_folder(name) / MARK
    if not exists(path):
        others = ", ".join(one.name for one in _all()) or "none"
        raise UserError(f"Nothing was learnt as {name}.", f"There are: {others}.")
    try:
        content = read_json(path)
        own = {key: content[key] for key in Begun.__dataclass_fields__}
        begun = Begun(**{**own, "name": name})
        numbers = begun.passes or 1, begun.learning_rate, begun.before or 0.0
        if not isinstance(begun.model, str) or not all(
            isinstance(number, int | float) for number in numbers
        ):
            raise TypeError
    except (KeyError, TypeError):
        raise UserError(
            f"{path} is damaged.", f"Drop it with: mgpt-tui learn --name {name} --drop"
        ) from None
    return begun


def has_begun(name: str) -> bool:
    """Whether anything of that name is there to go on with or to drop."""
    return exists(run_folder(name) / MARK)


def _all() -> Iterator[Begun]:
    runs = paths.runs_dir()
    for folder in sorted(runs.iterdir()) if runs.is_dir() else []:
        if RUN_NAME.fullmatch(folder.name) and exists(folder / MARK):
            with suppress(UserError):
                yield find(folder.name)


def unfinished() -> list[Begun]:
    """What was begun, did not come to its end, and is not gone on with now."""
    now = under_way()
    return [begun for begun in _all() if not begun.done and begun.name != now]


def free_name() -> str:
    """A name that no model has: `mine`, else `mine-2`, ..."""
    name, number = FIRST_NAME, 1
    while exists(paths.runs_dir() / name):
        number += 1
        name = f"{FIRST_NAME}-{number}"
    return name


def drop(name: str) -> None:
    """Remove all that was learnt under a name, also where its mark is damaged; see `Begun.remove`.

    Raises:
        UserError: where nothing was learnt under it, it is being learnt, or cannot be removed.
    """
    folder = run_folder(name)
    if not exists(folder / MARK):
        find(name)
    if under_way() == name:
        raise UserError(f"{name} is learning now.", "Stop it first.")
    _remove(folder)


def _remove(folder: Path) -> None:
    try:
        doomed = Path(tempfile.mkdtemp(prefix=DOOMED, dir=folder.parent))
        folder.rename(doomed / folder.name)
    except OSError as error:
        raise os_error(error, folder) from error
    for left in folder.parent.glob(f"{DOOMED}*"):  # by a kill, too
        shutil.rmtree(left, ignore_errors=True)


# Who learns.


def _lock_file() -> Path:
    return paths.state_dir() / "learning.lock"


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Keep every other process from learning meanwhile.

    Raises:
        UserError: where one does.
    """
    path = _lock_file()
    try:
        make_folder(path.parent)
        descriptor = open_own(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise os_error(error, path) from error
    with FileIO(descriptor, "r+") as lock:
        if not try_lock(lock, patience=0.5):  # somebody may only have looked
            other = _named(path)
            raise UserError(
                f"{other or 'Another model'} is learning already.",
                "Wait for it, or stop it where it was begun.",
            )
        lock.truncate(0)
        lock.write(name.encode())
        yield


def under_way() -> str | None:
    """The name of what is being learnt now; None where nothing is, or nobody can tell."""
    path = _lock_file()
    try:
        with FileIO(open_own(path, os.O_RDONLY), "rb") as lock:
            return None if try_lock(lock) else _named(path)
    except (OSError, UserError):
        return None


def _named(path: Path) -> str | None:
    with suppress(OSError):
        name = path.read_text(encoding="utf-8", errors="replace")[:LONGEST_NAME]
        return name if RUN_NAME.fullmatch(name) else None
    return None
