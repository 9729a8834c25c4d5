"""Stories that the package ships, for whatever is best seen in text that no model was trained on.

The app's process reads them too, so nothing here needs numpy.
"""

from __future__ import annotations

from functools import cache

from mgpt_tui.paths import assets_dir
from mgpt_tui.reading import read_text
from mgpt_tui.text import END_OF_TEXT


@cache
def shipped_stories() -> tuple[str, ...]:
    """A dozen short stories, written for this purpose, each without blanks at its ends.

    Raises:
        UserError: where the file is not there.
    """
    text = read_text(assets_dir() / "stories.txt")
    return tuple(story.strip() for story in text.split(END_OF_TEXT) if story.strip())
