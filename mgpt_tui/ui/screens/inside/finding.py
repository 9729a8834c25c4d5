"""Where a word stands in the story that one walks in."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence


def found(word: str, text: str, ends: Sequence[int], number: int) -> int | None:
    """The next token after another with which a word begins; behind the end, from the beginning.

    Args:
        word: in letters large or small; not empty.
        text: the story.
        ends: where its tokens end, in characters.
        number: of the token from which on to look, from 1.

    Returns:
        Its number, or None where the word is nowhere.
    """
    sought = re.compile(re.escape(word), re.IGNORECASE)
    behind = ends[number - 1] if number <= len(ends) else len(text)
    match = sought.search(text, behind) or sought.search(text)
    return None if match is None else bisect_right(ends, match.start()) + 1
