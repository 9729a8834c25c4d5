"""What goes between the story so far and a new line."""

from __future__ import annotations

import unicodedata

CLOSING = frozenset(".,;:!?…%、。，！？；：")


def joint(before: str, line: str) -> str:
    """What goes between the story so far and a new line: a blank or nothing.

    Nothing where either side has white space there, where the line begins with punctuation
    that belongs to the word before it, or where the story ends with an opening mark. A
    straight quotation mark is judged by whether its paragraph has one open.
    """
    if not before or before[-1].isspace() or line[0].isspace():
        return ""
    quote_is_open = before.rpartition("\n")[2].count('"') % 2 == 1
    first, last = line[0], before[-1]
    if first == '"':
        closes = quote_is_open
    elif first == "'":
        closes = last.isalnum()
    else:
        closes = first in CLOSING or unicodedata.category(first) in ("Pe", "Pf", "Pd")
    opened = unicodedata.category(last) in ("Ps", "Pi") or (last == '"' and quote_is_open)
    return "" if closes or opened else " "
