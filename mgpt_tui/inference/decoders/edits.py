"""Changes to what a decoder computes: parts muted, scaled, replaced, and the stream restored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mgpt_tui.errors import UserError
from mgpt_tui.inference.decoders.places import Place, place_of
from mgpt_tui.inference.decoders.record import Floats
from mgpt_tui.model.config import GPTConfig


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Edit:
    """x := factor * x + vector, for one part of the model and some tokens.

    With a factor of 0 the vector takes the place of x, to the last bit; a factor of 1 without a
    vector changes nothing.

    Attributes:
        part: one of `places.PARTS`: the residual stream, what attention or an MLP adds to it,
            what a head gathered (before the projection), or a neuron (after GELU).
        layer: from 0; of the stream its station, from 0 (the embedding sum) to 2 n_layer.
        index: which head or neuron, from 0; left out elsewhere.
        factor: of what is there.
        vector: added to it: (size,) for every token alike, or (end - first, size) with one for
            each. The size is C; D for a head, 1 for a neuron.
        first: position of the first token, counted from the first that the model sees.
        end: the one behind the last; left out, all that follow.
    """

    part: str
    layer: int
    index: int | None = None
    factor: float = 1.0
    vector: Floats | None = None
    first: int = 0
    end: int | None = None

    def place(self, config: GPTConfig) -> Place:
        """Where in a model it acts.

        Raises:
            UserError: where the model has no such part, or the vector is not of its size.
        """
        place = place_of(self.part, self.layer, self.index, config)
        self._check_tokens(config)
        self._check_vector(place.end - place.begin)
        return place

    def rows(self, start: int, n_tokens: int) -> tuple[int, int]:
        """Which of `n_tokens` read after `start` it changes: from, and to below."""
        end = start + n_tokens if self.end is None else self.end
        return max(self.first - start, 0), min(end - start, n_tokens)

    def _check_tokens(self, config: GPTConfig) -> None:
        end = config.block_size if self.end is None else self.end
        if not 0 <= self.first < end <= config.block_size:
            raise UserError(
                f"There are no tokens {self.first} to {end}.",
                f"Name some of the {config.block_size} that the model can see.",
            )

    def _check_vector(self, size: int) -> None:
        if not math.isfinite(self.factor):
            raise UserError(f"A factor of {self.factor} is no number.", "Give one.")
        if self.vector is None:
            return
        shapes: list[tuple[int, ...]] = [(size,)]
        if self.end is not None:
            shapes.append((self.end - self.first, size))
        if self.vector.shape not in shapes:
            raise UserError(
                f"A vector of shape {self.vector.shape} cannot be put into a part {self.part}.",
                f"Give one of shape {' or '.join(map(str, shapes))}.",
            )
        if not np.isfinite(self.vector).all():
            raise UserError("The vector has numbers that are none.", "Give finite ones.")


def placed(edits: Sequence[Edit], config: GPTConfig) -> list[tuple[Place, Edit]]:
    """Edits with where they act, those left out that change nothing.

    Raises:
        UserError: where one of them cannot be made in such a model.
    """
    found = [(edit.place(config), edit) for edit in edits]
    return [(place, edit) for place, edit in found if edit.factor != 1 or edit.vector is not None]
