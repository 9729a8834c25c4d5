"""What is looked at: a text, a model, and what was asked about them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from mgpt_tui.inference.inspection.mute import muted_logprobs
from mgpt_tui.inference.inspection.names import Part
from mgpt_tui.inference.inspection.surprise import Numbers
from mgpt_tui.inference.inspector import Inspector

if TYPE_CHECKING:
    from mgpt_tui.inference.loading import Loaded

ZERO, MEAN = "zero", "mean"
"""What a muted part is set to."""

NEURONS = 10
"""Of each layer that are told."""


@dataclass(frozen=True, kw_only=True)
class Subject:
    """All that the forms of the output are made of.

    Attributes:
        model: as it was asked for.
        loaded: the same, ready to be looked into.
        precision: in which it is looked into.
        tokens: of the text, `<|endoftext|>` in front.
        token: the number of the token whose choice is asked for; None for what could come next.
        target: the one whose chance and logit are told, where it was given.
        mute: what to switch off.
        mute_by: one of ZERO and MEAN.
        top: how many guesses of each station.
    """

    model: str
    loaded: Loaded
    precision: str
    tokens: list[int]
    token: int | None
    target: int | None
    mute: tuple[Part, ...]
    mute_by: str
    top: int

    @property
    def number(self) -> int:
        """Of the token whose choice is asked for; behind the last, for what could come next."""
        return len(self.tokens) if self.token is None else self.token

    def inspector(self, text_of: Callable[[int], str] | None = None) -> Inspector:
        """Looks into the model; arguments as there."""
        return Inspector(self.loaded.open_decoder, self.loaded.engine.tokenizer, text_of)

    def muted(self, inspector: Inspector) -> Numbers:
        """(n_tokens,), log-probabilities of the text's tokens without what is muted."""
        means = inspector.means if self.mute_by == MEAN else None
        return muted_logprobs(inspector.read(self.tokens), self.mute, means)

    @cached_property
    def window_start(self) -> int:
        """The first token that the model sees of those before the choice; 0 the first of all."""
        return self.loaded.engine.config.window_start(self.number)
