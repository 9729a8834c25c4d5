"""What a change does to every token: bars below the story, and words for amounts of bits."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from mgpt_tui.ui.screens.inside.sight import Bars

FULL = 4.0
"""Bits, more or fewer, of the longest bar."""
LEGEND = "below the story: ▂▅█ more bits, ░▒▓ fewer; full at 4"


def bars_of(added: Sequence[float], first: int = 1, marked: Collection[int] = ()) -> Bars:
    """By how many bits each token is more surprising, from number `first` on."""
    return Bars([min(1.0, max(-1.0, bits / FULL)) for bits in added], first, marked)


def more(bits: float) -> str:
    """An amount with its sign: +3.2 bits."""
    return f"{_tenths(bits):+.1f} bits"


def short(bits: float) -> str:
    """The same in 5 cells; thousands of bits in thousands."""
    if abs(bits) < 99.95:
        return f"{_tenths(bits):+.1f}"
    return f"{bits:+.0f}" if abs(bits) < 9999.5 else f"{bits / 1000:+.0f}k"


def _tenths(bits: float) -> float:
    """Rounded; what is next to nothing has no sign of less."""
    return round(bits, 1) + 0.0
