"""Where a story has come to its end, and how it may go on from there all the same."""

from __future__ import annotations

import re

CLOSING = ("\n\nThe end", "\nThe end", " The end", "The end")
"""How a story says that it ends; it does so once."""

_CLOSED = re.compile(
    r"""(\bThe\ end\W*
    |\bthe\ end\ of\ (the|this|our)\ story\W*
    |\bmoral\ (value\ )?of\ (the|this)\ story\b[^.!?]*[.!?]\W*
    |\bhappily\ ever\ after\W*
    )\Z""",
    re.VERBOSE | re.IGNORECASE,
)

TURNS = tuple(
    f"\n\n{turn}"
    for turn in (
        "The next day,",
        "The next morning,",
        "The next week,",
        "A few days later,",
        "A week later,",
        "A year later,",
        "That night,",
        "That evening,",
        "Later that day,",
        "One morning,",
        "One night,",
        "One rainy day,",
        "One sunny day,",
        "One snowy day,",
        "When winter came,",
        "When spring came,",
        "When summer came,",
        "On the way home,",
        "Back at home,",
        "But then,",
        "Suddenly,",
        "Just then, a new friend came.",
        "Then a stranger came along.",
        "There was a knock at the door.",
        "They heard a strange noise.",
        "Something was still missing.",
    )
)
"""What may come after an end: another time, another place, or somebody who arrives."""


def is_closed(text: str) -> bool:
    """Whether a text ends as stories do: with a moral, happily ever after, or "The end"."""
    return _CLOSED.search(text[-400:]) is not None


def says_the_end(text: str) -> bool:
    """Whether a story has said "The end" already."""
    return re.search(r"\bThe end\b", text) is not None


def turns_for(text: str) -> tuple[str, ...]:
    """The turns that a story has not taken yet; all of them where it has taken all."""
    fresh = tuple(turn for turn in TURNS if turn.strip() not in text)
    return fresh or TURNS
