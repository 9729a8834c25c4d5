"""The head and its loss in one, without ever holding all logits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgpt_tui.model.gpt import GPT

ROWS = 1024
"""Rows of logits held at once."""

PIECE = 2**19
"""On a CPU so many logits are in fp32 at once: they stay in the processor's cache."""


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
        for start in range(0, hidden.shape[0], ROWS):
            rows = hidden[start : start + ROWS]  # (n, C)
            logits = rows @ cast.T  # (n, V)
            total += _losses_and_slopes(logits, targets[start : start + ROWS, None], needs_grad)
            if grad_hidden is not None and grad_weight is not None:
                torch.mm(logits, cast, out=grad_hidden[start : start + ROWS])
                grad_weight += logits.T @ rows
        ctx.save_for_backward(grad_hidden, grad_weight)
        ctx.weight_dtype = weight.dtype
        return total

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        grad_hidden, grad_weight = ctx.saved_tensors
        (scale,) = grad_outputs
        return grad_hidden * scale, (grad_weight * scale).to(ctx.weight_dtype), None


def _losses_and_slopes(logits: Tensor, targets: Tensor, slopes: bool) -> Tensor:
    """The summed cross-entropy of rows; with `slopes`, softmax - onehot takes the logits' place.

    Args:
        logits: (n, V), written over.
        targets: int64 (n, 1).

    Returns:
        fp32 scalar.
    """
    total = torch.zeros((), dtype=torch.float32, device=logits.device)
    size = max(1, PIECE // logits.shape[1]) if logits.device.type == "cpu" else len(logits)
    for piece, target in zip(torch.split(logits, size), torch.split(targets, size), strict=True):
        scores = piece.float()  # (size, V)
        top = scores.amax(dim=-1, keepdim=True)
        right = scores.gather(1, target)
        scores.sub_(top).exp_()
        sums = scores.sum(dim=-1, keepdim=True)
        total += (sums.log() + top - right).sum()
        if slopes:
            scores.div_(sums).scatter_add_(1, target, torch.full_like(sums, -1.0))
            piece.copy_(scores)
    return total


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
                (hidden[start : start + ROWS] @ weight.T).float(),
                targets[start : start + ROWS],
                reduction="none",
            )
            for start in range(0, hidden.shape[0], ROWS)
        ]
    )


class TrainingLoss(nn.Module):
    """A model and its loss as one module, so that DDP sees every use of the tied weight.

    Args:
        model: what is trained; saved and scored as it is, never compiled.
    """

    def __init__(self, model: GPT) -> None:
        super().__init__()
        self.model = model
        self._hidden: Callable[[Tensor], Tensor] = model.hidden

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy in nats, an fp32 scalar; inputs and targets int64 (B, T)."""
        hidden = self._hidden(inputs)
        return linear_cross_entropy(
            hidden.flatten(0, 1), self.model.token_embedding.weight, targets.flatten()
        )

    def compile_blocks(self, inputs: Tensor) -> str | None:
        """Run the blocks through torch.compile from now on, if that works on this machine.

        Args:
            inputs: int64 (B, T), of the shape to compile for; one step is tried with it.

        Returns:
            None, or why it does not work: as a rule there is no C++ compiler.
        """
        self._hidden = torch.compile(self.model.hidden)
        try:
            self(inputs, inputs).backward()
        except Exception as error:  # whatever dynamo, inductor and a compiler may raise
            self._hidden = self.model.hidden
            return (str(error).strip() or type(error).__name__).splitlines()[0]
        finally:
            self.model.zero_grad(set_to_none=True)
        return None
