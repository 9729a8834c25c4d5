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
        keys_values: (n_layer, 2, B, n_head, block_size, head_size), of the dtype given.
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
            *(config.n_layer, 2, batch_size),
            *(config.n_head, config.block_size, config.head_size),
        )
        self.keys_values = torch.zeros(shape, device=device, dtype=dtype)
        self.length = 0

    @property
    def capacity(self) -> int:
        """Most tokens it can hold."""
        return self.keys_values.shape[4]

    def append(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Write T new tokens of one layer after the `length` held; see `advance`.

        Args:
            layer: index of the block.
            keys, values: (B, n_head, T, head_size).

        Returns:
            Views of all keys and of all values so far: (B, n_head, length + T, head_size).
        """
        start, new, held = self.length, keys.shape[2], self.keys_values[layer]
        held[0].narrow(2, start, new).copy_(keys)
        held[1].narrow(2, start, new).copy_(values)
        filled = held.narrow(3, 0, start + new)
        return filled[0], filled[1]

    def room(self, n_tokens: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        """What `append` would write to and return, for all layers at once, in a few calls.

        Returns:
            For each layer a view to write `n_tokens` keys and values to (2, B, n_head, n_tokens,
            head_size), and views of all keys and of all values with them (B, n_head,
            length + n_tokens, head_size).
        """
        empty = self.keys_values.narrow(4, self.length, n_tokens).unbind(0)
        filled = self.keys_values.narrow(4, 0, self.length + n_tokens).flatten(0, 1).unbind(0)
        return list(zip(empty, filled[::2], filled[1::2], strict=True))

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
        kept = self.keys_values
        copy = KVCache(self.config, len(chosen), kept.device, kept.dtype)
        index = torch.tensor(chosen, device=kept.device)
        held = slice(0, self.length)
        copy.keys_values[..., held, :] = kept[..., held, :].index_select(2, index)
        copy.length = self.length
        return copy

    def reset(self) -> None:
        """Forget everything."""
        self.length = 0
