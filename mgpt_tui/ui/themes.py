"""The colours of the app, by the names that people give them."""

from __future__ import annotations

from collections.abc import Collection

from mgpt_tui.errors import UserError, did_you_mean

DEFAULT_THEME = "flexoki"
MEANT = {"dark": DEFAULT_THEME, "light": "textual-light"}
"""Textual's names of the themes that are called so."""
TERMINAL = "terminal"
"""The terminal's own colours; whether they are dark, only its user knows."""


def theme_names(known: Collection[str]) -> list[str]:
    """What may be asked for: what most people want stands first."""
    return [*MEANT, TERMINAL, *sorted(known)]


def find_theme(name: str, known: Collection[str], *, dark: bool = True) -> str:
    """The theme of Textual's that is meant.

    Args:
        name: as people say it.
        known: the themes that there are.
        dark: whether the colours are dark now; the terminal's own are taken for the same.

    Raises:
        UserError: where there is none.
    """
    wanted = name.strip().casefold()
    if wanted == TERMINAL:
        return "ansi-dark" if dark else "ansi-light"
    wanted = MEANT.get(wanted, wanted)
    if wanted not in known:
        names = theme_names(known)
        raise UserError(f"There is no theme {name!r}.", did_you_mean(wanted, names))
    return wanted
