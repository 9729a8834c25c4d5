"""What lies in the stories folder: every story, and what is wrong with one, if anything."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.files import os_error
from mgpt_tui.reading import known_time
from mgpt_tui.stories import journal
from mgpt_tui.stories.claims import is_mere_claim
from mgpt_tui.stories.documents import Document, journal_of, read
from mgpt_tui.text import folded, one_line


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
    """

    name: str
    path: Path
    modified: float
    words: int = 0
    first_line: str = ""
    trouble: str = ""


Stamp = tuple[tuple[int, int] | None, tuple[int, int] | None]


class Listing:
    """The stories of a folder; what is known of one is read again only where its files changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, tuple[Stamp, Entry, str]] = {}

    def texts(self) -> list[tuple[Entry, str]]:
        """Every story with its text, folded, the newest first.

        Raises:
            UserError: where the folder cannot be read.
        """
        try:
            found = {
                path.with_suffix(".json")
                for path in self._folder.iterdir()
                if path.suffix in (".json", journal.SUFFIX)
                and not path.name.startswith(".")
                and not is_mere_claim(path)
            }
        except FileNotFoundError:
            return []
        except OSError as error:
            raise os_error(error, self._folder) from error
        self._seen = {path: self.look(path) for path in found}
        seen = [(entry, text) for _, entry, text in self._seen.values()]
        return sorted(seen, key=lambda one: (-one[0].modified, one[0].name))

    def look(self, path: Path) -> tuple[Stamp, Entry, str]:
        """What is known of a story, read again only where its files have changed."""
        stamps = Document.at(path).stamp, Document.at(journal_of(path)).stamp
        known = self._seen.get(path)
        if known and known[0] == stamps:
            return known
        newest = max((stamp[0] for stamp in stamps if stamp), default=0)
        entry = Entry(one_line(path.stem), path, known_time(newest / 1e9))
        try:
            found = read(path)
        except UserError as error:
            return stamps, replace(entry, trouble=one_line(error.message)), ""
        text = found.story.text
        first = next((line.strip() for line in text.split("\n") if line.strip()), "")
        entry = replace(
            entry, words=len(text.split()), first_line=first[:200], trouble=found.trouble
        )
        return stamps, entry, folded(text)
