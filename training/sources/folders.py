"""Folders of sources: what in them is read, and what is not."""

from __future__ import annotations

import os
from collections.abc import Collection
from pathlib import Path

from training.own_folders import is_own_folder
from training.sources import left_out
from training.sources.json_files import JsonFile
from training.sources.left_out import LeftOut
from training.sources.story_files import kind_of


def files_below(
    folder: Path, text_column: str | None, out: LeftOut, outputs: Collection[Path] = ()
) -> list[Path]:
    """The files of stories in a folder and those below it, in the order of their paths.

    Args:
        text_column: where a JSON file may have its stories.
        out: is told all that is left out.
        outputs: resolved folders that are being written.
    """

    def cannot_be_read(error: OSError) -> None:
        out.add(left_out.LOCKED, error.filename)

    found = []
    for parent, folders, files in os.walk(folder, onerror=cannot_be_read):
        below = []
        for name in sorted(folders):
            why = _why_not_folder(Path(parent, name), outputs)
            if why is None:
                below.append(name)
            else:
                out.add(why, Path(parent, name))
        folders[:] = below
        for name in sorted(files):
            path = Path(parent, name)
            why = _why_not(path, text_column)
            if why is None:
                found.append(path)
            else:
                out.add(why, path)
    return sorted(found)


def _why_not_folder(folder: Path, outputs: Collection[Path]) -> str | None:
    """Why a folder is not looked into, or None."""
    if folder.name.startswith("."):
        return left_out.HIDDEN
    if folder.is_symlink():
        return left_out.LINKS
    if folder.resolve() in outputs or is_own_folder(folder):
        return left_out.OWN_FOLDERS
    return None


def _why_not(path: Path, text_column: str | None) -> str | None:
    """Why a file is not read, or None."""
    if path.name.startswith("."):
        return left_out.HIDDEN
    kind = kind_of(path)
    if kind is None:
        return left_out.OTHER_KIND
    if not path.is_file():
        return left_out.NO_FILE
    if not os.access(path, os.R_OK):
        return left_out.LOCKED
    if kind == ".json" and not JsonFile(path, text_column).holds_stories():
        return left_out.NO_STORIES
    return None
