"""Causal attention for training on a CPU: batched products and a backward pass of our own.

torch's fused kernel for CPUs spends three times as long in its backward pass as these products
take, and turns itself off where attention weights are dropped. At a story's length the weights
fit into memory, so they are kept instead of being computed again.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from mgpt_tui.model.gpt import CausalSelfAttention, fused_attention
from training.step.dropout import apply_keep, keep_bits

ROWS = 128
"""Queries per block; the products leave out what lies right of a block's last query."""

LONGEST = 512
"""Above so many tokens the weights would take more memory than all else: fused kernel then."""


class _CausalAttention(torch.autograd.Function):
    """softmax(Q K^T / sqrt(D)) V and its gradients.

    With weights P (dropped ones P' = P * keep / share), output Y = P' V and dY at hand:
    dV = P'^T dY, dP = (dY V^T) * keep / share, dS = P * (dP - rowsum(P * dP)),
    dQ = dS K / sqrt(D), dK = dS^T Q / sqrt(D) (Dao et al., "FlashAttention", 2022, appendix B).
    """

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, dropout: float) -> Tensor:
        length = q.shape[-2]
        q = q / math.sqrt(q.shape[-1])  # (B, H, T, D), as k and v
        k, v = k.contiguous(), v.contiguous()
        y = torch.empty_like(q)
        future = q.new_full((min(ROWS, length),) * 2, -math.inf).triu_(1)
        saved = []
        for start, end in _blocks(length):
            scores = q[..., start:end, :] @ k[..., :end, :].transpose(-2, -1)  # (B, H, n, end)
            scores[..., start:].add_(future[: end - start, : end - start])
            weights = torch.softmax(scores, dim=-1)
            saved.append(weights)
            if dropout > 0:
                keep = keep_bits(weights, dropout)
                weights = apply_keep(weights, keep, dropout)
                saved.append(keep)
            y[..., start:end, :] = weights @ v[..., :end, :]
        ctx.save_for_backward(q, k, v, *saved)
        ctx.dropout = dropout
        return y

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, *saved = ctx.saved_tensors
        grad_y = grad_outputs[0].contiguous()
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        step = 2 if ctx.dropout > 0 else 1
        # From the last block, which reaches all keys and so fills their gradients first.
        for index, (start, end) in reversed(list(enumerate(_blocks(q.shape[-2])))):
            weights, grad = saved[index * step], grad_y[..., start:end, :]
            slope = grad @ v[..., :end, :].transpose(-2, -1)
            dropped = weights
            if ctx.dropout > 0:
                keep = saved[index * step + 1]
                slope = apply_keep(slope, keep, ctx.dropout)
                dropped = apply_keep(weights, keep, ctx.dropout)
            slope = torch._softmax_backward_data(slope, weights, -1, weights.dtype)
            grad_q[..., start:end, :] = slope @ k[..., :end, :]
            add_k = slope.transpose(-2, -1) @ q[..., start:end, :]
            add_v = dropped.transpose(-2, -1) @ grad
            if end == q.shape[-2]:
                grad_k, grad_v = add_k, add_v
            else:
                grad_k[..., :end, :] += add_k
                grad_v[..., :end, :] += add_v
        return grad_q / math.sqrt(q.shape[-1]), grad_k, grad_v, None


def _blocks(length: int) -> list[tuple[int, int]]:
    return [(start, min(start + ROWS, length)) for start in range(0, length, ROWS)]


def causal_attention(q: Tensor, k: Tensor, v: Tensor, dropout: float) -> Tensor:
    """`fused_attention` with a faster backward pass on a CPU.

    Args:
        q, k, v: (B, H, T, D), of one length: training has no cache.
        dropout: share of the weights to drop; keeps are drawn from torch's own generator.

    Returns:
        (B, H, T, D), in the dtype of q.
    """
    if q.shape[-2] > LONGEST or q.shape[-2] != k.shape[-2]:
        return fused_attention(q, k, v, dropout)
    attended: Tensor = _CausalAttention.apply(q, k, v, dropout)  # type: ignore[no-untyped-call]
    return attended


class CpuAttention(CausalSelfAttention):
    """The model's attention, by `causal_attention`."""

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """See `CausalSelfAttention`; what others of the family do differently is left to it."""
        if self.window or not self.scaled:
            return super().attend(q, k, v)
        return causal_attention(q, k, v, self.attention_dropout.p if self.training else 0.0)


def attention_for(device: torch.device) -> type[CausalSelfAttention]:
    """The attention that trains fastest on `device`."""
    return CpuAttention if device.type == "cpu" else CausalSelfAttention
