"""The weights that views need, and what the end of the model does with the stream."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from mgpt_tui.inference.decoders.record import Floats
from mgpt_tui.inference.request import NATIVE

if TYPE_CHECKING:
    from mgpt_tui.inference.decoders.decoder import OpenDecoder


class Weights:
    """A decoder's weights, each asked for once.

    Args:
        decoder: whose weights, as they are computed with.

    Attributes:
        rounds: whether the inputs of products are rounded to 8 bits.
    """

    def __init__(self, decoder: OpenDecoder) -> None:
        self.config = decoder.config
        self.rounds = getattr(decoder, "precision", None) == NATIVE
        self._decoder = decoder
        self._known: dict[str, Floats] = {}

    def __getitem__(self, name: str) -> Floats:
        """A weight by its name in `model/gpt.py`; not to be written to.

        Raises:
            KeyError: where the model has none of that name.
        """
        if name not in self._known:
            self._known[name] = self._decoder.weight(name)
        return self._known[name]

    def bias(self, part: str, name: str) -> Floats | float:
        """A bias in fp64, or 0.0 where the model has none in this `part`, see `has_bias`."""
        return self[name].astype(np.float64) if self.config.has_bias(part) else 0.0

    def heads(self, layer: int) -> Floats:
        """(H, C, D): of the attention's projection, the columns that each head has."""
        H, C = self.config.n_head, self.config.n_embd
        return self[f"blocks.{layer}.attention.proj.weight"].reshape(C, H, -1).transpose(1, 0, 2)

    def normed(self, x: Floats) -> Floats:
        """(..., C) through the final norm with its own statistics, as `Norm` in gpt.py: fp64."""
        x = x.astype(np.float64)
        centred = x - x.mean(-1, keepdims=True)
        variance = np.square(centred).mean(-1, keepdims=True)
        rstd = 1 / np.sqrt(variance + self.config.norm_epsilon)
        scaled = centred * rstd * self["final_norm.weight"]
        normed: Floats = scaled + self.bias("norm", "final_norm.bias")
        return normed

    def logits(self, x: Floats) -> Floats:
        """(..., C) of the residual stream through the final norm and the head: (..., V)."""
        head = self["head.weight"]
        found: Floats = self.normed(x).astype(head.dtype) @ head.T
        return found

    def direction(self, target: int, minus: int | None = None) -> Floats:
        """(C,): what the head looks for, for one token or for one rather than another; fp64."""
        head = self["head.weight"]
        found: Floats = head[target].astype(np.float64)
        return found if minus is None else found - head[minus]

    def towards(self, rstd: float, target: int, minus: int | None = None) -> Floats:
        """(C,): what a part adds to a logit is its product with this, the final norm frozen.

        W_E[t] . (w_f * (x - mean x) * rstd) = d . x, where d is w_f * W_E[t] * rstd less its mean.

        Args:
            rstd: of the final norm at that token: one by the standard deviation.
            target: whose logit.
            minus: another token, whose logit is taken off.
        """
        scaled = self.direction(target, minus) * self["final_norm.weight"] * float(rstd)
        found: Floats = scaled - scaled.mean()
        return found
