"""The model as decode.c has it in memory, and what stands there."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_float, c_int32, c_uint8
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mgpt_tui.inference.decoders.record import Floats

LANES = 16
"""Outputs side by side in a panel of weights, as in decode.c."""

ZERO = 128
"""What stands for 0 in the unsigned weights, as in decode.c."""

LINE = 64
"""Bytes of a cache line."""

FIELDS = {
    "attention.qkv": "qkv",
    "attention.proj": "attention_proj",
    "mlp.fc": "fc",
    "mlp.proj": "mlp_proj",
}
"""Of a block, where they have other names than in the model."""

FloatsAt = POINTER(c_float)


def aligned(count: int, dtype: DTypeLike) -> NDArray[Any]:
    """Zeros that begin with a cache line: (count,). Vectors across two lines take twice as long."""
    size = count * np.dtype(dtype).itemsize
    room = np.zeros(size + LINE, np.uint8)
    start = -room.ctypes.data % LINE
    return room[start : start + size].view(dtype)


class Norm(ctypes.Structure):
    """See decode.c."""

    _fields_ = (("weight", FloatsAt), ("bias", FloatsAt))


class Matrix(ctypes.Structure):
    """See decode.c."""

    _fields_ = (
        ("weight", POINTER(c_uint8)),
        ("scale", FloatsAt),
        ("bias", FloatsAt),
        ("outputs", c_int32),
        ("inputs", c_int32),
    )


class Block(ctypes.Structure):
    """See decode.c."""

    _fields_ = (
        ("attention_norm", Norm),
        ("qkv", Matrix),
        ("attention_proj", Matrix),
        ("mlp_norm", Norm),
        ("fc", Matrix),
        ("mlp_proj", Matrix),
        ("window", c_int32),
    )


class Model(ctypes.Structure):
    """See decode.c."""

    _fields_ = (
        ("n_layer", c_int32),
        ("n_head", c_int32),
        ("n_embd", c_int32),
        ("neurons", c_int32),
        ("block_size", c_int32),
        ("vocab_size", c_int32),
        ("scaled_scores", c_int32),
        ("exact_gelu", c_int32),
        ("epsilon", c_float),
        ("token_embedding", FloatsAt),
        ("position_embedding", FloatsAt),
        ("blocks", POINTER(Block)),
        ("final_norm", Norm),
        ("head", Matrix),
    )


def weight(model: Model, name: str) -> Floats:
    """A copy of a weight, by its name in `model/gpt.py`; "head.weight" is the head's.

    Returns:
        fp32; of a matrix, what its 8-bit integers stand for.

    Raises:
        KeyError: where there is no such one.
    """
    of, _, kind = name.rpartition(".")
    found, C = _part(model, of), model.n_embd
    values: Any = None
    shape: tuple[int, ...] = (C,)
    match found, kind:
        case Matrix(), "weight":
            return _unpacked(found)
        case Matrix(), "bias":
            values, shape = found.bias, (found.outputs,)
        case Norm(), "weight" | "bias":
            values = getattr(found, kind)
        case FloatsAt(), "weight":
            rows = model.vocab_size if of == "token_embedding" else model.block_size
            values, shape = found, (rows, C)
    if not values:  # nor a pointer that is NULL
        raise KeyError(name)
    return np.ctypeslib.as_array(values, shape).copy()


def _part(model: Model, of: str) -> Any:
    """What a part of the model is here; None where there is no such one."""
    if not of.startswith("blocks."):
        return getattr(model, of, None)
    _, layer, part = of.split(".", 2)
    if int(layer) >= model.n_layer:
        return None
    return getattr(model.blocks[int(layer)], FIELDS.get(part, part), None)


def _unpacked(matrix: Matrix) -> Floats:
    """(outputs, inputs) out of panels, see `pack` in decode.c."""
    outputs, inputs = matrix.outputs, matrix.inputs
    shape = (-(-outputs // LANES), -(-inputs // 4), LANES, 4)
    panels = np.ctypeslib.as_array(matrix.weight, shape).transpose(0, 2, 1, 3)
    integers = panels.reshape(shape[0] * LANES, shape[1] * 4)[:outputs, :inputs]
    scale = np.ctypeslib.as_array(matrix.scale, (outputs,))
    numbers: Floats = (integers.astype(np.float32) - ZERO) * scale[:, None]
    return numbers
