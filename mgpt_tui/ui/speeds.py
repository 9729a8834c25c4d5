"""How fast models write on this machine: measured where one has written, else reckoned."""

from __future__ import annotations

import math


class Speeds:
    """Tokens a second of models, by name.

    To decode a token means to read every weight once, so a model of twice the size takes about
    twice as long: one that has not written yet is reckoned from the one nearest to it in size.
    """

    def __init__(self) -> None:
        self._measured: dict[str, tuple[int, float]] = {}

    def measured(self, model: str, parameters: int, rate: float) -> None:
        """A model of so many parameters has written at that rate."""
        if rate > 0:
            self._measured[model] = parameters, rate

    def is_measured(self, model: str) -> bool:
        """Whether its speed is known rather than reckoned."""
        return model in self._measured

    def of(self, model: str, parameters: int) -> float | None:
        """Tokens a second of a model; None before anything was measured."""
        if model in self._measured:
            return self._measured[model][1]
        if not self._measured:
            return None
        size, rate = min(
            self._measured.values(), key=lambda one: abs(math.log(one[0] / parameters))
        )
        return rate * size / parameters

    def said(self, model: str, parameters: int) -> str:
        """The same for people: `~` before what is reckoned, "" where nothing is known."""
        rate = self.of(model, parameters)
        if rate is None:
            return ""
        return f"{'' if self.is_measured(model) else '~'}{rate:,.0f}"
