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

from mgpt_tui.inference.matrices import FORMATS, Matrix, Product
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.gpt import GPT, Block, causal_mask
from mgpt_tui.model.kv_cache import KVCache

BATCH = 4
"""Texts side by side from which on products for batches pay."""


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
        packed = [_packed(block, precision) for block in model.blocks]
        self._blocks, self._batch_blocks = map(list, zip(*packed, strict=True))
        self._final_norm = _norm(model.final_norm)
        self._head = FORMATS[precision](model.token_embedding.weight.detach()).product

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
        blocks = self._batch_blocks if T == 1 and B >= BATCH else self._blocks
        for block, (room, keys, values) in zip(blocks, cache.room(T), strict=True):
            qkv = block.qkv(block.attention_norm(x)).view(B, T, 3, H, C // H)
            qkv = qkv.permute(2, 0, 3, 1, 4)  # (3, B, H, T, D)
            room.copy_(qkv[1:])
            q = qkv[0].to(keys.dtype)
            y = F.scaled_dot_product_attention(q, keys, values, mask)  # (B, H, T, D)
            x += block.attention_proj(y.transpose(1, 2).reshape(B * T, C))
            hidden = F.gelu(block.fc(block.mlp_norm(x)), approximate="tanh")
            x += block.mlp_proj(hidden)
        cache.advance(T)
        last = x if T == 1 else x.view(B, T, C)[:, -1]
        return self._head(self._final_norm(last)).float()


def _packed(block: nn.Module, precision: str) -> tuple[_PackedBlock, _PackedBlock]:
    """The weights of a block once, for single texts and for batches."""
    assert isinstance(block, Block)
    norms = _norm(block.attention_norm), _norm(block.mlp_norm)
    attention, mlp = block.attention, block.mlp
    matrices = [
        _linear(linear, precision) for linear in (attention.qkv, attention.proj, mlp.fc, mlp.proj)
    ]

    def with_products(qkv: Product, proj: Product, fc: Product, mlp_proj: Product) -> _PackedBlock:
        return _PackedBlock(norms[0], qkv, proj, norms[1], fc, mlp_proj)

    single = with_products(*(matrix.product for matrix in matrices))
    return single, with_products(*(matrix.batch for matrix in matrices))


def _norm(norm: nn.LayerNorm) -> _Norm:
    bias = None if norm.bias is None else norm.bias.detach().float()
    return _Norm(norm.weight.detach().float(), bias)


def _linear(linear: nn.Linear, precision: str) -> Matrix:
    matrix = FORMATS[precision](linear.weight.detach())
    if linear.bias is None:
        return matrix
    bias = linear.bias.detach().float()
    return Matrix(lambda x: matrix.product(x) + bias, lambda x: matrix.batch(x) + bias)
