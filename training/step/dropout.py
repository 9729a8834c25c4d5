"""Dropout whose masks cost next to nothing, in two forms.

Srivastava et al., "Dropout" (2014): in training each activation is dropped with probability p
and the others are scaled by 1 / (1 - p). On a CPU torch draws one random number after another
for that, which takes a fifth of a step. Here four activations share one 64-bit random number,
and dropping is a bitwise "and".

The forms: "element" decides for every number; "channel" once per sequence and channel, so that
a channel is missing from a whole story (as in Tompson et al., "SpatialDropout", 2015).
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgpt_tui.model.gpt import GPT, Block

LEVELS = 2**15
"""A rate is a whole number of so many parts."""

INTEGERS = {2: torch.int16, 4: torch.int32, 8: torch.int64}
"""By bytes: what a float's bits are read as."""


def kept_share(rate: float) -> float:
    """The share that `keep_bits` keeps: 1 - rate, to the nearest 1/32768."""
    return round((1 - rate) * LEVELS) / LEVELS


def keep_bits(like: Tensor, rate: float) -> Tensor:
    """Masks for the numbers of `like`: all bits set where one is kept, none where dropped.

    Draws from torch's own generator of the CPU.

    Returns:
        int16, the shape of `like`.
    """
    count = like.numel()
    bits = torch.empty((count + 3) // 4, dtype=torch.int64).random_(-(2**63), None)
    parts = bits.view(torch.int16)[:count].view(like.shape)
    # 15 random bits r are uniform over [-2^14, 2^14); r - threshold is negative for the kept
    # share of them, and shifting an int16 right by 15 spreads its sign over all bits.
    threshold = round((1 - rate) * LEVELS) - LEVELS // 2
    # A new tensor first: torch.compile takes a view of another dtype that is written to, and kept
    # for the backward pass, for one of the base's.
    return parts.bitwise_right_shift(1).sub_(threshold).bitwise_right_shift_(15)


def apply_keep(x: Tensor, keep: Tensor, rate: float) -> Tensor:
    """x where kept, divided by the kept share, and 0 elsewhere."""
    integers = INTEGERS[x.element_size()]
    kept = torch.bitwise_and(x.view(integers), keep.to(integers)).view(x.dtype)
    return kept.mul_(1 / kept_share(rate))


class _ElementDropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float) -> Tensor:
        keep = keep_bits(x, rate)
        ctx.save_for_backward(keep)
        ctx.rate = rate
        return apply_keep(x, keep, rate)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (keep,) = ctx.saved_tensors
        return apply_keep(grad_outputs[0].contiguous(), keep, ctx.rate), None


class Dropout(nn.Dropout):
    """Takes the place of `nn.Dropout` on activations of shape (B, T, C).

    Args:
        p: share to drop, from 0 to below 1.
        form: "element" or "channel".
    """

    def __init__(self, p: float, form: str) -> None:
        super().__init__(p)
        self.form = form

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        if not self.training or self.p == 0:
            return x
        if self.form == "channel":
            return F.dropout1d(x.transpose(1, 2), self.p).transpose(1, 2)
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        dropped: Tensor = _ElementDropout.apply(x.contiguous(), self.p)  # type: ignore[no-untyped-call]
        return dropped


def install_dropout(model: GPT, form: str, attention: float | None) -> DropoutSwitch:
    """Give `model` these dropouts in place of its own.

    Args:
        form: see `Dropout`; for what is added to the residual stream.
        attention: share of attention weights to drop, where it differs from the config's.
    """
    rate = model.config.dropout
    model.embedding_dropout = Dropout(rate, form)
    for block in model.blocks:
        assert isinstance(block, Block)
        block.mlp.dropout = Dropout(rate, form)
        block.attention.residual_dropout = Dropout(rate, form)
        if attention is not None:
            block.attention.attention_dropout.p = attention
    return DropoutSwitch(model)


class DropoutSwitch:
    """Turns all dropout of a model off and on again.

    While text is read for the first time nothing can be learnt by heart, and dropout only costs;
    it may begin later (Liu et al., "Dropout Reduces Underfitting", 2023, section 3: late dropout).
    """

    def __init__(self, model: GPT) -> None:
        self._rates = [
            (module, module.p) for module in model.modules() if isinstance(module, nn.Dropout)
        ]

    def turn(self, on: bool) -> None:
        """Drop at the rates that there were when the switch was made, or nothing."""
        for module, rate in self._rates:
            module.p = rate if on else 0.0
