"""The head and its loss in one, without ever holding all logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgpt_tui.model.gpt import GPT

CHUNK = 512
"""Rows of logits held at once: at 10,000 entries they stay in a processor's cache."""


class _LinearCrossEntropy(torch.autograd.Function):
    """Sum of cross-entropies of `hidden @ weight.T`, gradients made in the forward pass.

    For one row with logits z and target y: loss = logsumexp(z) - z_y, dloss/dz = softmax(z) -
    onehot(y). Both are at hand once a chunk's logits are, so they are used up at once and only
    the gradients of `hidden` and `weight` are kept (as Cut Cross-Entropy and Liger do;
    Wijmans et al., 2024; Hsu et al., 2024).
    """

    @staticmethod
    def forward(ctx: Any, hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
        needs_grad = any(ctx.needs_input_grad)
        cast = weight.to(hidden.dtype)
        total = torch.zeros((), dtype=torch.float32, device=hidden.device)
        grad_hidden = torch.empty_like(hidden) if needs_grad else None
        grad_weight = torch.zeros_like(weight, dtype=torch.float32) if needs_grad else None
        for start in range(0, hidden.shape[0], CHUNK):
            rows = hidden[start : start + CHUNK]  # (n, C)
            target = targets[start : start + CHUNK, None]  # (n, 1)
            logits = (rows @ cast.T).float()  # (n, V)
            log_sum = torch.logsumexp(logits, dim=-1, keepdim=True)
            total += (log_sum - logits.gather(1, target)).sum()
            if grad_hidden is not None and grad_weight is not None:
                slope = logits.sub_(log_sum).exp_()  # softmax, in place
                slope.scatter_add_(1, target, torch.full_like(log_sum, -1.0))
                slope = slope.to(hidden.dtype)
                torch.mm(slope, cast, out=grad_hidden[start : start + CHUNK])
                grad_weight += slope.T @ rows
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.weight_dtype = weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        (scale,) = grad_outputs
        return grad_hidden * scale, (grad_weight * scale).to(ctx.weight_dtype), None


def linear_cross_entropy(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats of predicting `targets` from `hidden @ weight.T`.

    Under autocast the products run in its dtype; sums and exponentials stay in fp32.

    Args:
        hidden: (N, C); weight: (V, C); targets: int64 (N,).

    Returns:
        fp32 scalar.
    """
    device = hidden.device.type
    if torch.is_autocast_enabled(device):
        hidden = hidden.to(torch.get_autocast_dtype(device))
    with torch.autocast(device, enabled=False):
        total: Tensor = _LinearCrossEntropy.apply(hidden, weight, targets)  # type: ignore[no-untyped-call]
    return total / targets.shape[0]


def token_losses(hidden: Tensor, weight: Tensor, targets: Tensor) -> Tensor:
    """Cross-entropy of every single token, in nats and in fp32, for scoring.

    Args:
        hidden: (N, C); weight: (V, C); targets: int64 (N,).

    Returns:
        fp32 (N,).
    """
    return torch.cat(
        [
            F.cross_entropy(
                (hidden[start : start + CHUNK] @ weight.T).float(),
                targets[start : start + CHUNK],
                reduction="none",
            )
            for start in range(0, hidden.shape[0], CHUNK)
        ]
    )


class TrainingLoss(nn.Module):
    """A model and its loss as one module, so that DDP sees every use of the tied weight.

    Args:
        model: what is trained; saved and scored as it is, never compiled.
        compiled: run the blocks through torch.compile.
    """

    def __init__(self, model: GPT, compiled: bool = False) -> None:
        super().__init__()
        self.model = model
        hidden: Callable[[Tensor], Tensor] = model.hidden
        self._hidden = torch.compile(hidden) if compiled else hidden

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy in nats, an fp32 scalar; inputs and targets int64 (B, T)."""
        hidden = self._hidden(inputs)
        return linear_cross_entropy(
            hidden.flatten(0, 1), self.model.token_embedding.weight, targets.flatten()
        )
