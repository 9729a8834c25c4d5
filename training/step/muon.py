"""Muon with all matrices of a shape in one product, for a GPU.

torch's own takes the matrices one by one: for six blocks that is some five hundred small kernels
a step, more than all of forward and backward has. The mathematics and the saved state are the
same, so a run may go on with the other form.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class BatchedMuon(torch.optim.Muon):
    """Takes the place of `torch.optim.Muon`, with `adjust_lr_fn="match_rms_adamw"`."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """One step; gradients that are None leave their matrix as it is.

        Args:
            closure: not looked at; the trainer has none.
        """
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._move(weights, group)

    def _move(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        lr, momentum = group["lr"], group["momentum"]
        grads: list[Tensor] = [weight.grad for weight in weights if weight.grad is not None]
        for weight in weights:
            if "momentum_buffer" not in self.state[weight]:
                self.state[weight]["momentum_buffer"] = torch.zeros_like(weight)
        means = [self.state[weight]["momentum_buffer"] for weight in weights]
        torch._foreach_lerp_(means, grads, 1 - momentum)
        updates = torch._foreach_lerp(grads, means, momentum) if group["nesterov"] else means
        torch._foreach_mul_(weights, 1 - lr * group["weight_decay"])
        for indices in _alike(weights):
            together = torch.stack([_wide(updates[index]) for index in indices]).bfloat16()
            moves = _orthogonal(together, group).float().unbind(0)
            size = 0.2 * math.sqrt(max(weights[indices[0]].shape))
            torch._foreach_add_(
                [weights[index] for index in indices],
                [
                    move.T.contiguous() if _is_tall(weights[index]) else move
                    for index, move in zip(indices, moves, strict=True)
                ],
                alpha=-lr * size,
            )


def _is_tall(matrix: Tensor) -> bool:
    return matrix.shape[0] > matrix.shape[1]


def _wide(matrix: Tensor) -> Tensor:
    """The matrix with no more rows than columns, so that the square products are small."""
    return matrix.mT if _is_tall(matrix) else matrix


def _alike(weights: list[Tensor]) -> list[list[int]]:
    """The numbers of matrices that have one shape once they are `_wide`, in groups."""
    groups: dict[torch.Size, list[int]] = {}
    for index, weight in enumerate(weights):
        groups.setdefault(_wide(weight).shape, []).append(index)
    return list(groups.values())


def _orthogonal(matrices: Tensor, group: dict[str, Any]) -> Tensor:
    """The nearest orthogonal matrices, roughly, by Newton-Schulz iterations: bf16 (n, rows, cols).

    Jordan et al., "Muon" (2024): singular values come to between about 0.5 and 1.5.
    """
    a, b, c = group["ns_coefficients"]
    norms: Tensor = torch.linalg.vector_norm(matrices, dim=(1, 2), keepdim=True)
    x: Tensor = matrices / norms.clamp(min=group["eps"])
    for _ in range(group["ns_steps"]):
        gram = torch.bmm(x, x.mT)
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x
