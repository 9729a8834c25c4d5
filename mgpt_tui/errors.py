"""The one exception that stands for "the user can mend this", and how a wrong name is mended."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Bad input, or a machine that says no; the command line prints it and exits with code 2.

    Args:
        message: one line, what is wrong.
        remedy: one line, what to do about it.
    """

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message}\n{self.remedy}" if self.remedy else self.message


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """The nearest of the names that there are, or all of them."""
    known = list(known)
    name = name.casefold()
    begun = [one for one in known if len(name) > 2 and one.startswith(name)]
    close = begun or get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean {' or '.join(close)}?"
    return otherwise or f"There are {', '.join(known)}."
