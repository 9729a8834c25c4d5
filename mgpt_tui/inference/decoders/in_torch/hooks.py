"""The hook of the readable model that fills a record and makes edits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from mgpt_tui.inference.decoders.edits import Edit
from mgpt_tui.inference.decoders.places import Place
from mgpt_tui.inference.decoders.record import NAMES, Begin, Record

HEADS = ("keys", "values", "gathered")
"""Of shape (B, H, T, D); a record has the heads of a token side by side."""


class LookingHook:
    """Changes what edits say, and keeps what a record has room for. See `model.gpt.Hook`.

    Args:
        edits: with where they act, see `edits.placed`; made in this order.
        start: how many tokens were read before.
        record: to be filled, of the one sequence that is read; logits are none of its business,
            as not all of them may be wanted.
        begin: see `OpenDecoder.recorded`; what the model computes before it is of no use.
    """

    def __init__(
        self,
        edits: Sequence[tuple[Place, Edit]],
        start: int = 0,
        record: Record | None = None,
        begin: Begin | None = None,
    ) -> None:
        self._edits, self._start, self._begin = edits, start, begin
        kept = {} if record is None else {name: getattr(record, name) for name in NAMES}
        self._kept = {name: torch.from_numpy(array) for name, array in kept.items() if array.size}

    def __call__(self, name: str, number: int, x: Tensor) -> Tensor:
        """What is used instead of x."""
        if self._begin is not None:
            if (name, number) != ("stream", self._begin.station):
                return x
            x, self._begin = torch.from_numpy(self._begin.stream).to(x)[None], None
        for place, edit in self._edits:
            if (place.name, place.number) == (name, number):
                x = self._edited(place, edit, x)
        if name in self._kept and name != "logits":
            seen = x[0].transpose(0, 1) if name in HEADS else x[0]
            room = self._kept[name][number]
            room.copy_(seen.reshape(room.shape))
        return x

    def _edited(self, place: Place, edit: Edit, x: Tensor) -> Tensor:
        """A changed copy of x."""
        first, end = edit.rows(self._start, x.shape[-2])
        if first >= end:
            return x
        changed = x.clone()
        if place.name in HEADS:
            part = changed[:, place.begin // x.shape[-1], first:end]
        else:
            part = changed[:, first:end, place.begin : place.end]
        if edit.factor == 0:
            part.zero_()
        elif edit.factor != 1:
            part.mul_(edit.factor)
        if edit.vector is not None:
            vector = torch.from_numpy(edit.vector).to(x)
            if vector.dim() == 2:
                vector = vector[self._start + first - edit.first :][: end - first]
            part.copy_(vector.expand_as(part) if edit.factor == 0 else part + vector)
        return changed
