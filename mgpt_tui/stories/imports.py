"""Stories from files that others wrote."""

from __future__ import annotations

from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.files import os_error, stat_regular
from mgpt_tui.stories.formats import from_json
from mgpt_tui.stories.names import safe_name
from mgpt_tui.stories.story import Story
from mgpt_tui.text import clean_text

LARGEST = 16 * 2**20
"""Bytes of a file that may become a story."""


def imported(path: Path) -> tuple[Story, str]:
    """The story that a `.txt`, a `.md` or a `.json` of ours makes, and a name for it.

    Raises:
        UserError: where the file cannot be read, is none of these or has no text.
    """
    shown, suffix = clean_text(path.name or str(path)), path.suffix.lower()
    if suffix not in (".txt", ".md", ".json"):
        raise UserError(f"{shown} is no .txt, .md or .json.", "Save it as text first.")
    text, name = _text_of(path, shown), path.stem
    if suffix == ".json":
        story, _ = from_json(text, shown)
        return story, safe_name(story.title or name)
    heading, _, rest = text.partition("\n\n")
    if suffix == ".md" and heading.startswith("# ") and "\n" not in heading:
        name, text = heading[2:], rest
    story = Story().edited(text.removesuffix("\n"))
    if not story.text.strip():
        raise UserError(f"{shown} has no text.", "Choose another file.")
    return story, safe_name(name)


def _text_of(path: Path, shown: str) -> str:
    """The file's text with newlines as they are here."""
    try:
        if stat_regular(path).st_size > LARGEST:
            raise UserError(
                f"{shown} is too large for a story.",
                f"Take at most {LARGEST / 2**20:.0f} MB of it.",
            )
        return clean_text(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(
            f"{shown} is not UTF-8 (byte {error.start + 1}).",
            "Convert it first, for example with `iconv -f latin1 -t utf-8`.",
        ) from None
    except OSError as error:
        raise os_error(error, path) from error
