"""Stories from files that others wrote."""

from __future__ import annotations

from pathlib import Path

from mgpt_tui.errors import UserError
from mgpt_tui.reading import read_text
from mgpt_tui.stories.formats import LARGEST, from_json
from mgpt_tui.stories.names import safe_name
from mgpt_tui.stories.story import Story
from mgpt_tui.text import END_OF_TEXT, clean_text, one_line

LARGEST_TEXT = 16 * 2**20
"""Bytes of a text that may become a story."""


def imported(path: Path) -> tuple[Story, str]:
    """The story that a `.txt`, a `.md` or a `.json` of ours makes, and a name for it.

    Raises:
        UserError: where the file cannot be read, is none of these or has no text.
    """
    shown, suffix = one_line(path.name or str(path)), path.suffix.lower()
    if suffix not in (".txt", ".md", ".json"):
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
