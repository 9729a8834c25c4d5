"""nanoGPT's model as far as its checkpoints go: its names, its loading, its forward pass."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class LayerNorm(nn.Module):
    """With a bias or without."""

    def __init__(self, width: int, bias: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, 1e-5)


class Attention(nn.Module):
    def __init__(self, n_embd: int, n_head: int, bias: bool) -> None:
        super().__init__()
        self.n_head = n_head
        self.c_attn = nn.Linear(n_embd, 3 * n_embd, bias=bias)
        self.c_proj = nn.Linear(n_embd, n_embd, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            part.unflatten(-1, (self.n_head, -1)).transpose(1, 2)
            for part in self.c_attn(x).chunk(3, -1)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        done: Tensor = self.c_proj(y.transpose(1, 2).flatten(2))
        return done


class MLP(nn.Module):
    def __init__(self, n_embd: int, bias: bool) -> None:
        super().__init__()
        self.c_fc = nn.Linear(n_embd, 4 * n_embd, bias=bias)
        self.c_proj = nn.Linear(4 * n_embd, n_embd, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        done: Tensor = self.c_proj(F.gelu(self.c_fc(x)))  # the exact one
        return done


class Block(nn.Module):
    def __init__(self, n_embd: int, n_head: int, bias: bool) -> None:
        super().__init__()
        self.ln_1 = LayerNorm(n_embd, bias)
        self.attn = Attention(n_embd, n_head, bias)
        self.ln_2 = LayerNorm(n_embd, bias)
        self.mlp = MLP(n_embd, bias)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.ln_1(x))
        done: Tensor = x + self.mlp(self.ln_2(x))
        return done


class NanoGPT(nn.Module):
    """The arguments are those of `model_args`."""

    def __init__(
        self,
        n_layer: int,
        n_head: int,
        n_embd: int,
        block_size: int,
        bias: bool,
        vocab_size: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.transformer = nn.ModuleDict(
            {
                "wte": nn.Embedding(vocab_size, n_embd),
                "wpe": nn.Embedding(block_size, n_embd),
                "h": nn.ModuleList(Block(n_embd, n_head, bias) for _ in range(n_layer)),
                "ln_f": LayerNorm(n_embd, bias),
            }
        )
        self.lm_head = nn.Linear(n_embd, vocab_size, bias=False)
        self.transformer["wte"].weight = self.lm_head.weight

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens (B, T) to logits (B, T, V)."""
        parts = self.transformer
        x = parts["wte"](tokens) + parts["wpe"](torch.arange(tokens.shape[1]))
        for block in parts["h"]:
            x = block(x)
        logits: Tensor = self.lm_head(parts["ln_f"](x))
        return logits

    def optimizer(self) -> torch.optim.AdamW:
        """AdamW with nanoGPT's two groups: matrices decay, vectors do not."""
        weights = list(self.parameters())
        return torch.optim.AdamW(
            [
                {"params": [weight for weight in weights if weight.dim() >= 2]},
                {"params": [weight for weight in weights if weight.dim() < 2]},
            ]
        )


def resumed(path: Path) -> tuple[NanoGPT, torch.optim.AdamW, dict[str, Any]]:
    """A checkpoint as `train.py --init_from=resume` takes it: model, optimizer, and all of it."""
    checkpoint = torch.load(path, weights_only=True)
    model = NanoGPT(**checkpoint["model_args"])
    model.load_state_dict(checkpoint["model"])
    optimizer = model.optimizer()
    optimizer.load_state_dict(checkpoint["optimizer"])
    return model.eval(), optimizer, checkpoint
