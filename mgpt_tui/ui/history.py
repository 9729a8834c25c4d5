"""What was typed before, in the prompt: it comes back, also in the next run."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from mgpt_tui import paths
from mgpt_tui.errors import UserError
from mgpt_tui.files import open_own
from mgpt_tui.reading import parse_json, read_text
from mgpt_tui.text import clean_text

MOST = 200
LONGEST = 4000
"""Characters of a line that is still remembered."""


def history_file() -> Path:
    """Where the lines are remembered: one JSON string a line, for nobody else to read."""
    return paths.state_dir() / "prompt_history.jsonl"


class PromptHistory:
    """The lines that were sent, and which of them is looked at.

    A file that cannot be read or written costs the memory of other runs, nothing else.
    """

    def __init__(self) -> None:
        self._file = history_file()
        self._lines: list[str] | None = None
        self._back = 0  # how many lines back from the one that is being typed
        self._draft = ""

    @property
    def lines(self) -> list[str]:
        """The lines, the oldest first."""
        if self._lines is None:
            self._lines = self._read()
        return self._lines

    def add(self, line: str) -> None:
        """Remember a line that was sent."""
        self.rest()
        lines = self.lines
        if not line.strip() or len(line) > LONGEST or (lines and lines[-1] == line):
            return
        lines.append(line)
        del lines[:-MOST]
        self._write("a", [line])

    def earlier(self, typed: str) -> str | None:
        """The line before the one that is looked at; None where there is none."""
        if self._back >= len(self.lines):
            return None
        if not self._back:
            self._draft = typed
        self._back += 1
        return self.lines[-self._back]

    def later(self) -> str | None:
        """The line after, and at last what was being typed; None where that is looked at."""
        if not self._back:
            return None
        self._back -= 1
        return self.lines[-self._back] if self._back else self._draft

    def rest(self) -> None:
        """Look at what is being typed."""
        self._back = 0

    def _read(self) -> list[str]:
        try:
            content = read_text(self._file).rstrip("\n").split("\n")
        except UserError:
            return []
        lines = []
        for text in content:
            with suppress(ValueError):
                line = parse_json(text)
                if isinstance(line, str) and line:
                    lines.append(clean_text(line))
        if len(content) > MOST:
            self._write("w", lines[-MOST:])
        return lines[-MOST:]

    def _write(self, mode: str, lines: list[str]) -> None:
        with suppress(OSError, UserError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with open(self._file, mode, encoding="utf-8", opener=_private) as stream:
                stream.writelines(json.dumps(line) + "\n" for line in lines)


def _private(path: str, flags: int) -> int:
    return open_own(Path(path), flags, 0o600)
