"""Stories from files that others wrote."""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.files import exists, os_error
from mgpt_tui.paths import expanded
from mgpt_tui.reading import read_text
from mgpt_tui.stories.formats import LARGEST, from_json
from mgpt_tui.stories.names import safe_name
from mgpt_tui.stories.shelf.listing import Entry
from mgpt_tui.stories.story import Story
from mgpt_tui.text import END_OF_TEXT, clean_text, one_line

LARGEST_TEXT = 16 * 2**20
"""Bytes of a text that may become a story."""
TAKEN = (".json", ".md", ".txt")
"""The endings of files that may become stories; the first holds all of one."""


@dataclass(frozen=True, slots=True)
class Brought:
    """What became of files.

    Attributes:
        taken: the new stories.
        same: files that tell what a `.json` of their name does, which was taken.
        refused: why others were not taken.
    """

    taken: tuple[Entry, ...]
    same: tuple[Path, ...]
    refused: tuple[UserError, ...]


def brought(paths: Iterable[Path], take: Callable[[Story, str], Entry]) -> Brought:
    """Make a story of each file that paths stand for, those that hold all of a story first.

    Args:
        paths: files, folders, and patterns as of a shell.
        take: makes a story, under a name for it.
    """
    taken: list[Entry] = []
    same: list[Path] = []
    refused: list[UserError] = []
    files: list[Path] = []
    for path in paths:
        try:
            files += files_of(path)
        except UserError as error:
            refused.append(error)
    told: dict[Path, list[str]] = {}  # the words of each .json
    for file in sorted(_once(files), key=lambda file: file.suffix.lower() != ".json"):
        try:
            story, name = imported(file)
            words = story.text.split()
            if told.get(file.with_suffix(".json")) == words:
                same.append(file)
                continue
            taken.append(take(story, name))
        except UserError as error:
            refused.append(error)
        else:
            if file.suffix.lower() == ".json":
                told[file] = words
    return Brought(tuple(taken), tuple(same), tuple(refused))


def _once(files: Iterable[Path]) -> Iterable[Path]:
    """The files, each as it is spelt first."""
    spelt: dict[Path, Path] = {}
    for file in files:
        spelt.setdefault(Path(os.path.realpath(file.parent), file.name), file)
    return spelt.values()


def files_of(path: Path) -> list[Path]:
    """The files that a path stands for: itself, the texts of a folder, or what a pattern finds.

    Raises:
        UserError: where that is none.
    """
    shown = one_line(str(path))
    try:
        found = sorted(filter(_may_be_taken, path.iterdir())) if path.is_dir() else None
    except OSError as error:  # also a name that is too long
        raise os_error(error, shown) from error
    if found is not None:
        if not found:
            raise UserError(f"{shown} is no file, and holds no .txt, .md or .json.", "Name a file.")
        return found
    if exists(path) or not glob.has_magic(str(path)):
        return [path]
    matches = glob.iglob(str(path), recursive=True)  # noqa: PTH207  (it takes any path)
    found = sorted(file for file in map(Path, matches) if file.is_file())
    if not found:
        raise UserError(f"Nothing is called {shown}.", "Check the pattern.")
    return found


def _may_be_taken(file: Path) -> bool:
    return file.suffix.lower() in TAKEN and not file.name.startswith(".") and file.is_file()


def typed_paths(line: str) -> list[Path]:
    """The paths in a line, with quotes as a shell has them; a path with blanks may stand alone."""
    line = line.strip()
    if exists(expanded(line)):
        return [expanded(line)]
    return [expanded(word) for word in _words(line)]


def _words(line: str) -> Iterator[str]:
    try:
        yield from shlex.split(line, posix=os.name != "nt")
    except ValueError:  # a quotation mark that is not closed is a letter
        yield line


def imported(path: Path) -> tuple[Story, str]:
    """The story that a `.txt`, a `.md` or a `.json` of ours makes, and a name for it.

    Raises:
        UserError: where the file cannot be read, is none of these or has no text.
    """
    shown, suffix = one_line(path.name or str(path)), path.suffix.lower()
    if suffix not in TAKEN:
        raise UserError(f"{shown} is no .txt, .md or .json.", "Save it as text first.")
    name = path.stem
    if suffix == ".json":
        story, _ = from_json(read_text(path, LARGEST), shown)
        return story, safe_name(story.title or name)
    text = clean_text(read_text(path, LARGEST_TEXT))
    heading, _, rest = text.partition("\n\n")
    if suffix == ".md" and heading.startswith("# ") and "\n" not in heading:
        name, text = heading[2:], rest
    story = Story().edited(_only_story(text, shown).removesuffix("\n"))
    if not story.text.strip():
        raise UserError(f"{shown} has no text.", "Choose another file.")
    return story, safe_name(name)


def _only_story(text: str, shown: str) -> str:
    """The story in a text, without the marks that stand between stories to learn from.

    Raises:
        UserError: where there are several.
    """
    if END_OF_TEXT not in text:
        return text
    stories = [part for part in text.split(END_OF_TEXT) if part.strip()]
    if len(stories) > 1:
        raise UserError(
            f"{shown} holds {len(stories):,} stories, with {END_OF_TEXT} between them.",
            "Put the one that you want into a file of its own.",
        )
    return "".join(stories).strip("\n")
