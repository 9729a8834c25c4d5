"""What lies in the stories folder: every story, and what is wrong with one, if anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from mgpt_tui.errors import UserError
from mgpt_tui.files import os_error
from mgpt_tui.reading import known_time
from mgpt_tui.stories import journal
from mgpt_tui.stories.claims import is_mere_claim
from mgpt_tui.stories.documents import Document, journal_of, read
from mgpt_tui.stories.formats import LARGEST
from mgpt_tui.stories.shelf.passages import Passage, passage
from mgpt_tui.text import folded, one_line

LARGEST_SEEN = 32 * 2**20
"""Bytes of a story's files that are read for a list; to parse more would hold up the screen."""


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
        passage: where it has what was searched for; None where its text has nothing of that.
    """

    name: str
    path: Path
    modified: float
    words: int = 0
    first_line: str = ""
    trouble: str = ""
    passage: Passage | None = None


Stamp = tuple[tuple[int, int] | None, tuple[int, int] | None]


class Seen(NamedTuple):
    """What is known of a story.

    Attributes:
        stamp: its files, as they were when it was read.
        entry: as it is listed.
        text: the story.
        folded: the same, to search in.
    """

    stamp: Stamp
    entry: Entry
    text: str = ""
    folded: str = ""


class Listing:
    """The stories of a folder; what is known of one is read again only where its files changed.

    Attributes:
        folder: the folder, which need not be there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seen: dict[Path, Seen] = {}

    def stories(self) -> list[Seen]:
        """Every story, the newest first.

        Raises:
            UserError: where the folder cannot be read.
        """
        try:
            found = {
                path.with_suffix(".json")
                for path in self.folder.iterdir()
                if path.suffix in (".json", journal.SUFFIX)
                and not path.name.startswith(".")
                and not is_mere_claim(path)
            }
        except FileNotFoundError:
            return []
        except OSError as error:
            raise os_error(error, self.folder) from error
        self._seen = {path: self.look(path) for path in found}
        return sorted(self._seen.values(), key=lambda seen: (-seen.entry.modified, seen.entry.name))

    def matching(self, text: str) -> list[Entry]:
        """The stories that have all these words in their name or text, and where they have them.

        Raises:
            UserError: where the folder cannot be read.
        """
        words = folded(text).split()
        found = []
        for seen in self.stories():
            name = folded(seen.entry.name)
            if all(word in seen.folded or word in name for word in words):
                where = passage(seen.text, seen.folded, words) if words else None
                found.append(replace(seen.entry, passage=where))
        return found

    def look(self, path: Path) -> Seen:
        """What is known of a story, read again only where its files have changed."""
        stamps = Document.at(path).stamp, Document.at(journal_of(path)).stamp
        known = self._seen.get(path)
        if known and known.stamp == stamps:
            return known
        newest = max((stamp[0] for stamp in stamps if stamp), default=0)
        entry = Entry(one_line(path.stem), path, known_time(newest / 1e9))
        size = sum(stamp[1] for stamp in stamps if stamp)
        if LARGEST_SEEN < size <= LARGEST:
            line = f"({size / 2**20:.0f} MB, which is too much to look into from here)"
            return Seen(stamps, replace(entry, first_line=line))
        try:
            found = read(path)
        except UserError as error:
            return Seen(stamps, replace(entry, trouble=one_line(error.message)))
        text = found.story.text
        first = next((line.strip() for line in text.split("\n") if line.strip()), "")
        entry = replace(
            entry, words=len(text.split()), first_line=first[:200], trouble=found.trouble
        )
        return Seen(stamps, entry, text, folded(text))


def called(entries: list[Entry], name: str) -> Entry | None:
    """The one of these stories that has this name, however it is spelt where that is clear.

    Raises:
        UserError: where there is more than one.
    """
    for same in (str, folded):
        found = [entry for entry in entries if same(entry.name) == same(name)]
        if len(found) == 1:
            return found[0]
        if found and same is str:
            folder = found[0].path.parent
            raise UserError(
                f"{len(found)} stories are called {one_line(name)!r}.",
                f"Give one of their files in {folder} another name.",
            )
    return None
