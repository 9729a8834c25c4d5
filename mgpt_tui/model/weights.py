"""A model's weights as arrays of numpy: as a file stores them, and in fp32. Without torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import deserialize

from mgpt_tui.model.config import GPTConfig

Array = NDArray[Any]
Floats = NDArray[np.float32]

SCALE = ".scale"
"""Ends the name of what belongs to a matrix of 8-bit integers."""

INT8_MOST = 127
"""The largest integer of a row, either way."""

SMALLEST = np.float32(1e-12)
"""Rows with no larger number are rounded as if they had one."""

STORED = {"F32": "<f4", "BF16": "<u2", "I8": "i1"}
"""What safetensors calls the types that there are; numpy has no bfloat16, so its bits are kept."""

BIASES = {
    "attention_norm": "norm",
    "attention.qkv": "qkv",
    "attention.proj": "proj",
    "mlp_norm": "norm",
    "mlp.fc": "mlp",
    "mlp.proj": "mlp",
    "final_norm": "norm",
}
"""Which kind of bias a part of the model has, see `GPTConfig.has_bias`."""


def shapes(config: GPTConfig) -> dict[str, tuple[int, ...]]:
    """Every weight of a model by its name in `model/gpt.py`, with its shape."""
    C, F = config.n_embd, config.neurons
    norm: dict[str, tuple[int, ...]] = {"weight": (C,)}
    if config.has_bias("norm"):
        norm["bias"] = (C,)
    matrices = {
        "attention.qkv": (3 * C, C),
        "attention.proj": (C, C),
        "mlp.fc": (F, C),
        "mlp.proj": (C, F),
    }
    block: dict[str, tuple[int, ...]] = {}
    for name, shape in matrices.items():
        block[f"{name}.weight"] = shape
        if config.has_bias(BIASES[name]):
            block[f"{name}.bias"] = shape[:1]
    for name in ("attention_norm", "mlp_norm"):
        block |= {f"{name}.{part}": size for part, size in norm.items()}
    head = {} if config.tied_head else {"unembedding.weight": (config.vocab_size, C)}
    return {
        "token_embedding.weight": (config.vocab_size, C),
        "position_embedding.weight": (config.block_size, C),
        **{
            f"blocks.{layer}.{name}": size
            for layer in range(config.n_layer)
            for name, size in block.items()
        },
        **{f"final_norm.{part}": size for part, size in norm.items()},
        **head,
    }


def int8_rows(weight: Floats) -> tuple[NDArray[np.int8], Floats]:
    """A matrix (out, in) as 8-bit integers (out, in) and an fp32 scale a row, max |row| / 127."""
    scale = np.maximum(np.abs(weight).max(axis=1), SMALLEST) / np.float32(INT8_MOST)  # (out,)
    with np.errstate(invalid="ignore"):  # what is no number shows in the scale
        integers = np.rint(weight / scale[:, None]).astype(np.int8)
    return integers, scale


class Weights(Mapping[str, Floats]):
    """Weights by name; each is made in fp32 when it is asked for.

    Args:
        stored: arrays of fp32, of the bits of bfloat16 (uint16), or matrices of int8 with an
            fp32 scale a row as another entry, whose name ends with `SCALE`.

    Raises:
        ValueError: where there is something else.
    """

    def __init__(self, stored: Mapping[str, Array]) -> None:
        self._stored = {name: array for name, array in stored.items() if not name.endswith(SCALE)}
        self._scales: dict[str, Floats] = {}
        for name, array in self._stored.items():
            if array.dtype == np.int8:
                scale = stored.get(name + SCALE)
                if scale is None or scale.dtype != np.float32 or scale.shape != array.shape[:1]:
                    raise ValueError(f"{name} has no scale for each of its rows")
                self._scales[name] = scale
            elif array.dtype not in (np.float32, np.uint16):
                raise ValueError(f"{name} is of type {array.dtype}")

    @classmethod
    def parse(cls, content: bytes) -> Weights:
        """Those of a safetensors file.

        Raises:
            safetensors.SafetensorError, ValueError: where it is none, or not of weights.
        """
        stored = {}
        for name, entry in deserialize(content):  # type: ignore[no-untyped-call]
            kind = STORED.get(entry["dtype"])
            if kind is None:
                raise ValueError(f"{name} is of type {entry['dtype']}")
            stored[name] = np.frombuffer(entry["data"], kind).reshape(entry["shape"])
        return cls(stored)

    def __getitem__(self, name: str) -> Floats:
        array = self._stored[name]
        if array.dtype == np.int8:
            whole: Floats = array.astype(np.float32) * self._scales[name][:, None]
            return whole
        if array.dtype == np.uint16:
            return (array.astype(np.uint32) << 16).view(np.float32)
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._stored)

    def __len__(self) -> int:
        return len(self._stored)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Of every weight."""
        return {name: array.shape for name, array in self._stored.items()}

    def int8_rows(self, name: str) -> tuple[NDArray[np.int8], Floats]:
        """`int8_rows` of a matrix."""
        integers = self._stored[name]
        if integers.dtype == np.int8:
            most, largest = _most(integers), self._largest(name)
            # Then all of them come out again as they are, which takes no computing.
            if (most == INT8_MOST).all() and (largest >= SMALLEST).all():
                return integers, largest / np.float32(INT8_MOST)
        return int8_rows(self[name])

    def are_finite(self) -> bool:
        """Whether all of them are finite numbers."""
        return all(
            bool(np.isfinite(self._largest(name) if name in self._scales else self[name]).all())
            for name in self
        )

    def _largest(self, name: str) -> Floats:
        with np.errstate(over="ignore", invalid="ignore"):
            largest: Floats = _most(self._stored[name]) * self._scales[name]
        return largest


def _most(integers: Array) -> Floats:
    """The largest size in each row of int8 (out, in): fp32 (out,)."""
    most: Floats = np.maximum(integers.max(axis=1), -integers.min(axis=1).astype(np.float32))
    return most
