"""Tokens in, scores of the next one out: the model as the engine runs it.

`PlainDecoder` is the readable model itself. `PackedDecoder` computes the same with few and cheap
calls a token: a token's arithmetic takes some hundred microseconds, and every call of torch one or
two more.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mgpt_tui.inference.matrices import FORMATS, Product
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT, Block, causal_mask
from mgpt_tui.model.kv_cache import KVCache


class Decoder(Protocol):
    """What the engine asks of a model."""

    config: GPTConfig

    def new_cache(self, rows: int) -> KVCache:
        """Room for `rows` sequences."""

    def read(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """Read on, and tell what may follow.

        Args:
            tokens: int64 (B, T), on the CPU.
            cache: what the B sequences read before; it is extended by these T tokens.

        Returns:
            fp32 (B, V), the scores after the last of them, on the decoder's device.
        """


class PlainDecoder:
    """A GPT as it is written, in its own precision and on its own device."""

    def __init__(self, model: GPT) -> None:
        self.config = model.config
        self.model = model.eval()

    def new_cache(self, rows: int) -> KVCache:
        """See `Decoder`."""
        weight = self.model.token_embedding.weight
        return KVCache(self.config, rows, weight.device, weight.dtype)

    @torch.inference_mode()
    def read(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """See `Decoder`."""
        hidden = self.model.hidden(tokens.to(cache.keys_values.device), cache)  # (B, T, C)
        return self.model.head(hidden[:, -1]).float()


class _Norm(NamedTuple):
    """The weights of a LayerNorm."""

    weight: Tensor
    bias: Tensor | None

    def __call__(self, x: Tensor) -> Tensor:
        return torch.layer_norm(x, self.weight.shape, self.weight, self.bias)


class _PackedBlock(NamedTuple):
    """The weights of one block."""

    attention_norm: _Norm
    qkv: Product
    attention_proj: Product
    mlp_norm: _Norm
    fc: Product
    mlp_proj: Product


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

    def __init__(self, model: GPT, precision: str) -> None:
        self.config = model.config
        self.precision = precision
        self.device = model.token_embedding.weight.device
        dtype = torch.float32 if precision == "fp32" else torch.bfloat16
        self._cache_dtype = torch.float32 if self.device.type == "cpu" else dtype
        self._token_embedding = model.token_embedding.weight.detach().to(dtype)
        self._position_embedding = model.position_embedding.weight.detach().to(dtype)
        self._blocks = [_packed(block, precision) for block in model.blocks]
        self._final_norm = _norm(model.final_norm)
        self._head = FORMATS[precision](model.token_embedding.weight.detach())

    def new_cache(self, rows: int) -> KVCache:
        """See `Decoder`."""
        return KVCache(self.config, rows, self.device, self._cache_dtype)

    @torch.inference_mode()
    def read(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """See `Decoder`."""
        B, T = tokens.shape
        C, H = self.config.n_embd, self.config.n_head
        start = cache.length
        mask = None if T == 1 else causal_mask(T, start + T, self.device)
        positions = self._position_embedding[start : start + T]  # (T, C)
        x = F.embedding(tokens.to(self.device), self._token_embedding) + positions  # (B, T, C)
        x = x.view(B * T, C)
        for block, (room, keys, values) in zip(self._blocks, cache.room(T), strict=True):
            qkv = block.qkv(block.attention_norm(x)).view(B, T, 3, H, C // H)
            qkv = qkv.permute(2, 0, 3, 1, 4)  # (3, B, H, T, D)
            room.copy_(qkv[1:])
            q = qkv[0].to(keys.dtype)
            y = self._attention(q, keys, values, mask)  # (B, H, T, D)
            x += block.attention_proj(y.transpose(1, 2).reshape(B * T, C))
            hidden = F.gelu(block.fc(block.mlp_norm(x)), approximate="tanh")
            x += block.mlp_proj(hidden)
        cache.advance(T)
        last = x if T == 1 else x.view(B, T, C)[:, -1]
        return self._head(self._final_norm(last)).float()

    def _attention(self, q: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """Attention of T new tokens to S: (B, H, T, D)."""
        T, S = q.shape[2], keys.shape[2]
        if T == 1 or self.precision != "int8":
            return F.scaled_dot_product_attention(q, keys, values, mask)
        ends = range(S - T + 1, S + 1)
        queries = [
            F.scaled_dot_product_attention(
                q.narrow(2, number, 1), keys.narrow(2, 0, end), values.narrow(2, 0, end)
            )
            for number, end in enumerate(ends)
        ]
        return torch.cat(queries, dim=2)


def _packed(block: nn.Module, precision: str) -> _PackedBlock:
    assert isinstance(block, Block)
    attention, mlp = block.attention, block.mlp
    return _PackedBlock(
        _norm(block.attention_norm),
        _linear(attention.qkv, precision),
        _linear(attention.proj, precision),
        _norm(block.mlp_norm),
        _linear(mlp.fc, precision),
        _linear(mlp.proj, precision),
    )


def _norm(norm: nn.LayerNorm) -> _Norm:
    bias = None if norm.bias is None else norm.bias.detach().float()
    return _Norm(norm.weight.detach().float(), bias)


def _linear(linear: nn.Linear, precision: str) -> Product:
    product = FORMATS[precision](linear.weight.detach())
    if linear.bias is None:
        return product
    bias = linear.bias.detach().float()
    return lambda x: product(x) + bias
