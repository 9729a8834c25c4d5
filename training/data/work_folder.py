"""Where `prepare` works: a folder beside the one to make, which outlasts being stopped.

NAME.partial/
  README.txt   says what this is, and is locked while a process works here
  shards/      encoded stories, each file whole (see `training.data.shards`)
  data/        the prepared data; it becomes NAME when it is whole
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.files import make_folder, open_own, os_error, put_folder, try_lock
from mgpt_tui.paths import expanded
from training.own_folders import LABEL, LABEL_BEGIN, is_work_folder

ENDING = ".partial"
LABEL_TEXT = f"""\
{LABEL_BEGIN} Where it was stopped, the same command goes on
from it. Delete this folder if you do not want that; seven days after the last work on it, the
next `prepare` that writes beside it does.
"""
FORGOTTEN = 7 * 24 * 3600
"""Seconds after which nobody is thought to come back to a folder."""


def partial_folder(out: Path) -> Path:
    """Where work on `out` is done."""
    out = expanded(out).resolve()
    return out.with_name(out.name + ENDING)


class WorkFolder:
    """The folder in which `out` is made, while it is locked.

    Attributes:
        out: where the data is to be.
        path: the folder itself.
        shards, data: the folders in it.
        is_wanted: whether shards are to be kept when it is left.
    """

    def __init__(self, out: Path) -> None:
        self.out = out
        self.path = partial_folder(out)
        self.is_wanted = True
        self.shards = self.path / "shards"
        self.data = self.path / "data"

    def begin(self) -> None:
        """Bring the folder into order: remove what is half written."""
        old = self.path / "data-old"
        if old.exists() and not self.out.exists():
            old.rename(self.out)  # killed while it was being replaced
        for folder in (self.data, old):
            shutil.rmtree(folder, ignore_errors=True)
        for folder in (self.shards, self.data):
            folder.mkdir(exist_ok=True)
        self.keep_shards([path.name for path in self.shards.glob("[!.]*")])

    def keep_shards(self, names: Collection[str]) -> None:
        """Remove every other file among the shards."""
        for path in self.shards.iterdir():
            if path.name not in names:
                path.unlink()

    def finish(self, *, replace: bool) -> None:
        """Let the data become `out`; nothing else is wanted then."""
        put_folder(self.data, self.out, replace=replace)
        self.is_wanted = False

    def leave(self) -> None:
        """Keep nothing but whole shards, or nothing at all."""
        if self.is_wanted and any(self.shards.glob("[!.]*")):
            shutil.rmtree(self.data, ignore_errors=True)
        else:
            _remove(self.path)


def _remove(folder: Path) -> None:
    """Remove a work folder, its label last, by which what a kill leaves can still be told."""
    for path in folder.iterdir():
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != LABEL:
            path.unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def work_folder(out: Path) -> Iterator[WorkFolder]:
    """Work on `out`, which no other process does meanwhile.

    When the block ends without `finish`, shards are kept for the next try, unless they are not
    wanted.

    Raises:
        UserError: where another process is at it, something else is in the place of the folder,
            or it cannot be written.
    """
    work = WorkFolder(out)
    try:
        _sweep(out.parent, work.path)
        with _locked(work.path) as is_ours:
            if not is_ours:
                raise UserError(
                    f"{out} is being prepared by another process.",
                    "Wait for it, or give another --out.",
                )
            work.begin()
            try:
                yield work
            finally:
                work.leave()
    except OSError as error:
        raise os_error(error, work.path) from error


@contextmanager
def _locked(folder: Path) -> Iterator[bool]:
    """Make and lock `folder`; gives False where another process has locked it.

    Raises:
        UserError: where something that we did not make is there.
    """
    label = folder / LABEL
    if not (_is_free(folder) or is_work_folder(folder)):
        raise UserError(
            f"{folder} is in the way: it is none of prepare's folders.",
            "Rename it, or give another --out.",
        )
    make_folder(folder)
    with FileIO(open_own(label, os.O_WRONLY | os.O_APPEND | os.O_CREAT), "ab") as stream:
        is_ours = try_lock(stream) and _is_at(stream, label)
        if is_ours and os.fstat(stream.fileno()).st_size == 0:
            stream.write(LABEL_TEXT.encode())
        yield is_ours


def _is_at(stream: FileIO, label: Path) -> bool:
    """Whether the label that is open is the one there, not one that another has just removed."""
    try:
        return os.path.samestat(os.fstat(stream.fileno()), label.lstat())
    except OSError:
        return False


def _is_free(folder: Path) -> bool:
    """Whether there is nothing yet, or what a kill at the very beginning leaves."""
    if not folder.is_dir():
        return not folder.exists()
    return all(
        path.name == LABEL
        and path.is_file()  # to write to a pipe would take for ever
        and not path.is_symlink()
        and not path.stat().st_size
        for path in folder.iterdir()
    )


def _sweep(parent: Path, current: Path) -> None:
    """Remove what others stopped working on long ago and never came back to."""
    for folder in parent.glob(f"*{ENDING}"):
        with suppress(OSError):
            if folder == current or not is_work_folder(folder) or not _is_forgotten(folder):
                continue
            with _locked(folder) as is_ours:
                if is_ours:
                    _remove(folder)


def _is_forgotten(folder: Path) -> bool:
    places = (folder, folder / LABEL, folder / "shards")
    changes = [path.stat().st_mtime for path in places if path.exists()]
    return time.time() - max(changes) > FORGOTTEN
