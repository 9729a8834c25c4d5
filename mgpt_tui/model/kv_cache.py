"""The memory of a decoder: keys and values of the tokens it has read, allocated once."""

from __future__ import annotations

import torch
from torch import Tensor

from mgpt_tui.model.config import GPTConfig


class KVCache:
    """Keys and values of every layer for up to `config.block_size` tokens.

    A token's key and value never change once it is read (attention is causal), so reading one
    more token costs one token's work: all earlier ones are looked up here. See Pope et al.,
    "Efficiently Scaling Transformer Inference" (2022), section 3.

    Attributes:
        length: tokens held, the same for every layer and every sequence of the batch.
        keys, values: (n_layer, B, n_head, block_size, head_size), of the dtype given.
    """

    def __init__(
        self,
        config: GPTConfig,
        batch_size: int = 1,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.config = config
        shape = (
            config.n_layer,
            batch_size,
            config.n_head,
            config.block_size,
            config.head_size,
        )
        self.keys = torch.zeros(shape, device=device, dtype=dtype)
        self.values = torch.zeros(shape, device=device, dtype=dtype)
        self.length = 0

    @property
    def capacity(self) -> int:
        """Most tokens it can hold."""
        return self.keys.shape[3]

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write T new tokens of one layer after the `length` held; see `advance`.

        Args:
            layer: index of the block.
            keys, values: (B, n_head, T, head_size).

        Returns:
            Views of all keys and values so far: (B, n_head, length + T, head_size).
        """
        start, new = self.length, keys.shape[2]
        all_keys, all_values = self.keys[layer], self.values[layer]
        all_keys.narrow(2, start, new).copy_(keys)
        all_values.narrow(2, start, new).copy_(values)
        return all_keys.narrow(2, 0, start + new), all_values.narrow(2, 0, start + new)

    def advance(self, n_tokens: int) -> None:
        """Count `n_tokens` as held, once every layer has appended them."""
        self.length += n_tokens

    def truncate(self, length: int) -> None:
        """Forget all but the first `length` tokens; costs nothing.

        Raises:
            ValueError: where fewer are held.
        """
        if not 0 <= length <= self.length:
            raise ValueError(f"cannot cut {self.length} tokens to {length}")
        self.length = length

    def rows(self, chosen: list[int]) -> KVCache:
        """A copy with some of the sequences, each as often as it is chosen."""
        copy = KVCache(self.config, len(chosen), self.keys.device, self.keys.dtype)
        index = torch.tensor(chosen, device=self.keys.device)
        held = slice(0, self.length)
        copy.keys[:, :, :, held] = self.keys[:, :, :, held].index_select(1, index)
        copy.values[:, :, :, held] = self.values[:, :, :, held].index_select(1, index)
        copy.length = self.length
        return copy

    def reset(self) -> None:
        """Forget everything."""
        self.length = 0
