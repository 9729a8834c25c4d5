"""The model with its weights packed: the same numbers with few and cheap calls a token.

A token's arithmetic takes some hundred microseconds, and every call of torch one or two more.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgpt_tui.inference.decoders.choosing import IN_NUMPY, Choosing
from mgpt_tui.inference.decoders.decoder import Scores, Tokens
from mgpt_tui.inference.decoders.in_torch.matrices import FORMATS, Product
from mgpt_tui.model.gpt import GPT, Block, causal_mask
from mgpt_tui.model.kv_cache import KVCache


class _Norm(NamedTuple):
    """The weights of a LayerNorm."""

    weight: Tensor
    bias: Tensor | None
    epsilon: float

    def __call__(self, x: Tensor) -> Tensor:
        return torch.layer_norm(x, self.weight.shape, self.weight, self.bias, self.epsilon)


class _PackedBlock(NamedTuple):
    """The weights of one block, and how many tokens one of them sees in it (0: all)."""

    attention_norm: _Norm
    qkv: Product
    attention_proj: Product
    mlp_norm: _Norm
    fc: Product
    mlp_proj: Product
    window: int


class PackedDecoder:
    """The model with its weights packed, equal to `PlainDecoder` but for rounding.

    The residual stream has the precision of the products; keys and values are fp32 on a CPU.

    In int8 tokens read at once give what they give one by one, to the last bit: the products of
    8-bit weights do so by themselves, and attention is computed query by query. So a text is the
    same again whether the story before it was written just now or is read from a file.

    Args:
        model: not one that is still being trained: some weights are shared with it.
        precision: a key of `matrices.FORMATS`.
    """

    made_by = f"torch {torch.__version__}"

    def __init__(self, model: GPT, precision: str) -> None:
        self.config = model.config
        self.precision = precision
        self.threads = torch.get_num_threads()
        self.device = model.token_embedding.weight.device
        dtype = torch.float32 if precision == "fp32" else torch.bfloat16
        self._cache_dtype = torch.float32 if self.device.type == "cpu" else dtype
        self._token_embedding = model.token_embedding.weight.detach().to(dtype)
        self._position_embedding = model.position_embedding.weight.detach().to(dtype)
        # CUDA has no norm of bf16 numbers with fp32 weights.
        norms = torch.float32 if self.device.type == "cpu" else dtype
        self._blocks = [_packed(block, precision, norms) for block in model.blocks]
        self._windows = {block.window for block in self._blocks}
        self._final_norm = _norm(model.final_norm, norms)
        self._head = FORMATS[precision](model.head_weight.detach())
        self._scale = None if self.config.scaled_scores else 1.0  # None is 1 / sqrt(D)
        self._gelu = "none" if self.config.exact_gelu else "tanh"

    choosing: Choosing = IN_NUMPY

    def new_cache(self, rows: int) -> KVCache:
        """See `Decoder`."""
        return KVCache(self.config, rows, self.device, self._cache_dtype)

    def read(self, tokens: Tokens, cache: KVCache) -> Scores:
        """See `Decoder`."""
        with self._own_threads():
            scores: Scores = self.logits(torch.from_numpy(tokens), cache).numpy(force=True)
        return scores

    @torch.inference_mode()
    def take(self, tokens: Tokens, cache: KVCache) -> None:
        """See `Decoder`."""
        with self._own_threads():
            self._last(torch.from_numpy(tokens), cache)

    @torch.inference_mode()
    def logits(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """`read` of tokens on any device, with scores on the decoder's: fp32 (B, V)."""
        return self._head(self._final_norm(self._last(tokens, cache))).float()

    @contextmanager
    def _own_threads(self) -> Iterator[None]:
        """Compute with `threads`; the number that torch was told otherwise comes back."""
        before = torch.get_num_threads()
        if before == self.threads or self.device.type != "cpu":
            yield
            return
        torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def _last(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """The residual stream at the last tokens: (B, C)."""
        B, T = tokens.shape
        C, H = self.config.n_embd, self.config.n_head
        start = cache.length
        masks = self._masks(T, start + T)
        positions = self._position_embedding[start : start + T]  # (T, C)
        x = F.embedding(tokens.to(self.device), self._token_embedding) + positions  # (B, T, C)
        x = x.view(B * T, C)
        for block, (room, keys, values) in zip(self._blocks, cache.room(T), strict=True):
            qkv = block.qkv(block.attention_norm(x)).view(B, T, 3, H, C // H)
            qkv = qkv.permute(2, 0, 3, 1, 4)  # (3, B, H, T, D)
            room.copy_(qkv[1:])
            q = qkv[0].to(keys.dtype)
            y = self._attention(q, keys, values, masks[block.window], block.window)
            x += block.attention_proj(y.transpose(1, 2).reshape(B * T, C))
            hidden = F.gelu(block.fc(block.mlp_norm(x)), approximate=self._gelu)
            x += block.mlp_proj(hidden)
        cache.advance(T)
        return x if T == 1 else x.view(B, T, C)[:, -1]

    @torch.inference_mode()
    def step(self, tokens: Tensor, position: Tensor, keys_values: Tensor) -> Tensor:
        """`read` one token each, at a position that the device alone knows: for CUDA graphs.

        Args:
            tokens: int64 (B,), on the device.
            position: int64 (1,), on the device: how many tokens were read before.
            keys_values: of a cache of B sequences, which is extended by this token.

        Returns:
            fp32 (B, V).
        """
        B, C, H = len(tokens), self.config.n_embd, self.config.n_head
        S = keys_values.shape[4]
        places = torch.arange(S, device=tokens.device)
        nothing = torch.zeros(S, device=tokens.device, dtype=keys_values.dtype)
        masks = {}
        for window in self._windows:
            unseen = places > position  # (S,)
            if window:
                unseen = unseen | (places <= position - window)
            masks[window] = nothing.masked_fill(unseen, -math.inf).view(1, 1, 1, S)
        x = F.embedding(tokens, self._token_embedding)  # (B, C)
        x = x + F.embedding(position, self._position_embedding)
        for block, held in zip(self._blocks, keys_values.unbind(0), strict=True):
            qkv = block.qkv(block.attention_norm(x)).view(B, 3, H, 1, C // H)
            qkv = qkv.transpose(0, 1).to(held.dtype)  # (3, B, H, 1, D)
            held.index_copy_(3, position, qkv[1:])
            y = F.scaled_dot_product_attention(
                qkv[0], held[0], held[1], masks[block.window], scale=self._scale
            )  # (B, H, 1, D)
            x += block.attention_proj(y.reshape(B, C))
            hidden = F.gelu(block.fc(block.mlp_norm(x)), approximate=self._gelu)
            x += block.mlp_proj(hidden)
        return self._head(self._final_norm(x)).float()

    def _masks(self, n_new: int, n_seen: int) -> dict[int, Tensor | None]:
        """What the new tokens may look at, for each local window that there is."""
        if n_new == 1:
            return dict.fromkeys(self._windows)
        return {window: causal_mask(n_new, n_seen, self.device, window) for window in self._windows}

    def _attention(
        self, q: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, window: int
    ) -> Tensor:
        """Attention of T new tokens to S: (B, H, T, D)."""
        T, S = q.shape[2], keys.shape[2]
        if not window if T == 1 else self.precision != "int8":
            return F.scaled_dot_product_attention(q, keys, values, mask, scale=self._scale)
        queries = []
        for number, end in enumerate(range(S - T + 1, S + 1)):
            seen = min(end, window or end)
            k, v = (held.narrow(2, end - seen, seen) for held in (keys, values))
            query = q.narrow(2, number, 1)
            queries.append(F.scaled_dot_product_attention(query, k, v, scale=self._scale))
        return queries[0] if T == 1 else torch.cat(queries, dim=2)


def _packed(block: nn.Module, precision: str, norms: torch.dtype) -> _PackedBlock:
    assert isinstance(block, Block)
    attention, mlp = block.attention, block.mlp
    return _PackedBlock(
        _norm(block.attention_norm, norms),
        _linear(attention.qkv, precision),
        _linear(attention.proj, precision),
        _norm(block.mlp_norm, norms),
        _linear(mlp.fc, precision),
        _linear(mlp.proj, precision),
        attention.window,
    )


def _norm(norm: nn.LayerNorm, dtype: torch.dtype) -> _Norm:
    bias = None if norm.bias is None else norm.bias.detach().to(dtype)
    return _Norm(norm.weight.detach().to(dtype), bias, norm.eps)


def _linear(linear: nn.Linear, precision: str) -> Product:
    product = FORMATS[precision](linear.weight.detach())
    if linear.bias is None:
        return product
    bias = linear.bias.detach().float()
    return lambda x: product(x) + bias
