"""MrityunjayaGPT: the whole language model in one file, to be read from top to bottom.

A GPT-2-style decoder (Radford et al., "Language Models are Unsupervised Multitask Learners",
2019): token and position embeddings, `n_layer` blocks that each add attention and an MLP to a
residual stream, a final norm, and a head that shares its weights with the token embedding.

Shapes are written with these letters:

    B  sequences in the batch            C  n_embd, width of the residual stream
    T  tokens read in this call          H  n_head, attention heads
    S  tokens seen: cached ones + T      D  C / H, width of one head
    V  vocab_size
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.kv_cache import KVCache

Recorder = Callable[[str, Tensor], None]
"""Called with a name ("blocks.0.attention") and a tensor for whoever wants to look inside."""


def causal_mask(n_new: int, n_seen: int, device: torch.device) -> Tensor:
    """Which keys each query may look at: itself and what came before.

    Returns:
        bool (T, S), True where looking is allowed. Query t stands at position S - T + t.
    """
    positions = torch.arange(n_seen, device=device)
    return positions[None, :] <= positions[n_seen - n_new :, None]


def written_out_attention(
    q: Tensor, k: Tensor, v: Tensor, dropout: nn.Dropout
) -> tuple[Tensor, Tensor]:
    """softmax(Q K^T / sqrt(D)) V with a causal mask, step by step.

    Formula (1) of Vaswani et al., "Attention Is All You Need" (2017).

    Args:
        q: (B, H, T, D); k, v: (B, H, S, D).

    Returns:
        What each query gathered (B, H, T, D), and the weights it used (B, H, T, S).
    """
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])  # (B, H, T, S)
    allowed = causal_mask(q.shape[-2], k.shape[-2], q.device)  # (T, S)
    scores = scores.masked_fill(~allowed, float("-inf"))
    weights = torch.softmax(scores, dim=-1)  # (B, H, T, S), each row sums to 1
    return dropout(weights) @ v, weights  # (B, H, T, D)


def fused_attention(q: Tensor, k: Tensor, v: Tensor, dropout: float) -> Tensor:
    """The same sum by torch's fused kernel, which never writes the (T, S) weights down.

    Dao et al., "FlashAttention" (2022). Shapes as in `written_out_attention`.
    """
    n_new, n_seen = q.shape[-2], k.shape[-2]
    if n_new == n_seen:
        return F.scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True)
    mask = None if n_new == 1 else causal_mask(n_new, n_seen, q.device)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout)


class CausalSelfAttention(nn.Module):
    """Every token gathers what it needs from the tokens before it."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.n_head = config.n_head
        self.qkv = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
        self.proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
        self.attention_dropout = nn.Dropout(config.dropout)
        self.residual_dropout = nn.Dropout(config.dropout)
        self.fused_attention = fused_attention  # training may put a faster one here

    def forward(
        self, x: Tensor, layer: int, cache: KVCache | None, record: Recorder | None, fused: bool
    ) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        B, T, C = x.shape
        qkv = self.qkv(x).view(B, T, 3, self.n_head, C // self.n_head)  # (B, T, 3, H, D)
        qkv = qkv.permute(2, 0, 3, 1, 4)  # (3, B, H, T, D)
        q, k, v = qkv  # each (B, H, T, D)
        if cache is not None:
            k, v = cache.append(layer, qkv[1:])  # each (B, H, S, D)
        if fused and record is None:
            dropout = self.attention_dropout.p if self.training else 0.0
            y = self.fused_attention(q, k, v, dropout)  # (B, H, T, D)
        else:
            y, weights = written_out_attention(q, k, v, self.attention_dropout)
            if record is not None:
                record(f"blocks.{layer}.attention", weights)  # (B, H, T, S)
        y = y.transpose(1, 2).reshape(B, T, C)  # heads side by side again
        added: Tensor = self.residual_dropout(self.proj(y))
        return added


class MLP(nn.Module):
    """Every token thinks for itself: widen four times, bend (tanh-GELU), narrow again."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.fc = nn.Linear(config.n_embd, 4 * config.n_embd, bias=config.bias)
        self.proj = nn.Linear(4 * config.n_embd, config.n_embd, bias=config.bias)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Tensor, layer: int, record: Recorder | None) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        hidden = F.gelu(self.fc(x), approximate="tanh")  # (B, T, 4C)
        if record is not None:
            record(f"blocks.{layer}.mlp", hidden)
        added: Tensor = self.dropout(self.proj(hidden))
        return added


class Block(nn.Module):
    """Attention, then MLP; each reads a normed copy and adds its result to the stream."""

    def __init__(self, config: GPTConfig) -> None:
        super().__init__()
        self.attention_norm = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.attention = CausalSelfAttention(config)
        self.mlp_norm = nn.LayerNorm(config.n_embd, bias=config.bias)
        self.mlp = MLP(config)

    def forward(
        self, x: Tensor, layer: int, cache: KVCache | None, record: Recorder | None, fused: bool
    ) -> Tensor:
        """(B, T, C) -> (B, T, C)."""
        x = x + self.attention(self.attention_norm(x), layer, cache, record, fused)
        x = x + self.mlp(self.mlp_norm(x), layer, record)
        if record is not None:
            record(f"blocks.{layer}.residual", x)
        return x


class GPT(nn.Module):
    """Tokens in, a score for every possible next token out.

    Args:
        config: the shape.
        generator: source of the initial weights; without one they stay as torch made them,
            which is right where a checkpoint is about to be loaded.
    """

    def __init__(self, config: GPTConfig, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.n_embd)
        self.position_embedding = nn.Embedding(config.block_size, config.n_embd)
        self.embedding_dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.final_norm = nn.LayerNorm(config.n_embd, bias=config.bias)
        if generator is not None:
            self.init_weights(generator)

    @torch.no_grad()
    def init_weights(self, generator: torch.Generator) -> None:
        """Draw the weights as GPT-2 does: N(0, 0.02), smaller where a block adds to the stream.

        There are two additions per block, so their standard deviation shrinks by
        sqrt(2 * n_layer) and the stream keeps its scale at any depth.
        """
        small = 0.02 / math.sqrt(2 * self.config.n_layer)
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                std = small if name.endswith("proj.weight") else 0.02
                weight.normal_(0.0, std, generator=generator)
            elif name.endswith("bias"):
                weight.zero_()
            else:
                weight.fill_(1.0)

    def hidden(
        self,
        tokens: Tensor,
        cache: KVCache | None = None,
        record: Recorder | None = None,
        fused: bool = True,
    ) -> Tensor:
        """The residual stream after the final norm: what the head reads.

        Args:
            tokens: int64 (B, T).
            cache: what was read before; it is extended by these T tokens.
            record: receives what a view may want to show; written-out attention is used then.
            fused: False takes the written-out attention.

        Returns:
            (B, T, C).

        Raises:
            ValueError: where cached and new tokens together exceed `block_size`.
        """
        T = tokens.shape[1]
        start = 0 if cache is None else cache.length
        if start + T > self.config.block_size:
            raise ValueError(f"{start + T} tokens exceed the block size {self.config.block_size}")
        positions = torch.arange(start, start + T, device=tokens.device)  # (T,)
        x = self.token_embedding(tokens) + self.position_embedding(positions)  # (B, T, C)
        x = self.embedding_dropout(x)
        if record is not None:
            record("embedding", x)
        for layer, block in enumerate(self.blocks):
            x = block(x, layer, cache, record, fused)
        if cache is not None:
            cache.advance(T)
        normed: Tensor = self.final_norm(x)
        return normed

    def head(self, hidden: Tensor) -> Tensor:
        """(..., C) -> logits (..., V): how well each token's embedding matches the stream."""
        return F.linear(hidden, self.token_embedding.weight)

    def forward(
        self,
        tokens: Tensor,
        cache: KVCache | None = None,
        record: Recorder | None = None,
        fused: bool = True,
    ) -> Tensor:
        """Logits of the next token at every position: (B, T, V). Arguments as in `hidden`."""
        logits = self.head(self.hidden(tokens, cache, record, fused))
        if record is not None:
            record("logits", logits)
        return logits
