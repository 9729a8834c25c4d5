"""What of the sources is not read: counted, and named as far as there is room."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mgpt_tui.text import one_line

OTHER_KIND = "files of other kinds"
NO_STORIES = "JSON files without a list of stories"
HIDDEN = "hidden files and folders"
NO_FILE = "things that are no regular files"
LINKS = "links to folders"
LOCKED = "files and folders that cannot be read"
OWN_FOLDERS = "folders of prepared data, or of work on it"
ROWS = "rows without text"

NAMED = 20
"""So many names are kept for each reason."""
SHOWN = 3
"""So many of them are shown."""


class LeftOut:
    """A count for each reason, and the first names."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._names: dict[str, list[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def add(self, why: str, name: object, count: int = 1) -> None:
        """Count what is left out.

        Args:
            why: what it is, in the plural.
            name: of it, or of the file that it is in.
        """
        self._counts[why] = self._counts.get(why, 0) + count
        names = self._names.setdefault(why, [])
        shown = one_line(str(name))
        if len(names) < NAMED and shown not in names:
            names.append(shown)

    def extend(self, other: LeftOut) -> None:
        """Add all that another one has counted."""
        for why, count in other._counts.items():
            for name in other._names[why]:
                self.add(why, name, 0)
            self._counts[why] += count

    def to_meta(self) -> list[dict[str, Any]]:
        """As `meta.json` has it."""
        return [
            {"what": why, "count": count, "in" if why == ROWS else "names": self._names[why]}
            for why, count in self._counts.items()
        ]

    def lines(self) -> Iterator[str]:
        """A line of text for each reason."""
        return left_out_lines(self.to_meta())


def left_out_lines(entries: list[dict[str, Any]]) -> Iterator[str]:
    """A line of text for each entry of `LeftOut.to_meta`."""
    for entry in entries:
        names = list(map(str, entry.get("names", entry.get("in", []))))
        more = ", ..." if len(names) > SHOWN else ""
        yield f"left out, {entry['what']}: {entry['count']:,} ({', '.join(names[:SHOWN])}{more})"
