"""A model as one GGUF file, which llama.cpp and what is built on it run, tokenizer included.

The architecture is llama.cpp's `gpt2`, the tokenizer its byte-level BPE with GPT-2's split.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from mgpt_tui.errors import UserError
from mgpt_tui.family.byte_level import merges_of, spelled
from mgpt_tui.family.exporting.holding import with_biases
from mgpt_tui.family.gguf_layout import (
    ALIGNMENT,
    BLOCK,
    FILE_KINDS,
    MAGIC,
    Q8_0,
    VERSION,
    Kind,
    TensorKind,
    TokenKind,
)
from mgpt_tui.family.names import GGUF
from mgpt_tui.files import atomic_writer
from mgpt_tui.model.contents import Contents
from mgpt_tui.model.tokenizer import END_OF_TEXT, Tokenizer
from mgpt_tui.model.weights import Floats
from mgpt_tui.text import one_line

Value = tuple[Kind, Any]
"""A value of a file's header with its kind; an array's is of its elements."""


def write(contents: Contents, path: Path, form: str, name: str) -> None:
    """Write the file.

    Args:
        contents: the model.
        form: of the matrices: "f32", "f16" or "q8_0".
        name: what the file calls the model.

    Raises:
        UserError: where a weight is too large for its form, or the file cannot be written.
    """
    whole = with_biases(contents.info.config)
    shapes = {name: entry.their_shape for entry in GGUF.entries(whole) for name in entry.theirs}
    kinds = {name: _kind(name, shape, form) for name, shape in shapes.items()}
    values = _about_model(contents, form, name) | _about_tokens(contents.tokenizer)
    with atomic_writer(path, new=True) as file:
        file.write(MAGIC + struct.pack("<IQQ", VERSION, len(shapes), len(values)))
        for key, value in values.items():
            file.write(_text(key) + _value(*value))
        offset = 0
        for name, shape in shapes.items():
            file.write(_text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape[::-1]))
            file.write(struct.pack("<IQ", kinds[name], offset))
            offset += _aligned(_size(shape, kinds[name]))
        _pad(file)
        for name, array in GGUF.given(whole, contents.weights):  # one at a time
            file.write(_PACKED[kinds[name]](np.asarray(array, np.float32)))
            _pad(file)


def _about_model(contents: Contents, form: str, name: str) -> dict[str, Value]:
    shape = contents.info.config
    return {
        "general.architecture": (Kind.STRING, "gpt2"),
        "general.name": (Kind.STRING, one_line(name)),
        "general.file_type": (Kind.U32, FILE_KINDS[form]),
        "gpt2.block_count": (Kind.U32, shape.n_layer),
        "gpt2.context_length": (Kind.U32, shape.block_size),
        "gpt2.embedding_length": (Kind.U32, shape.n_embd),
        "gpt2.feed_forward_length": (Kind.U32, shape.neurons),
        "gpt2.attention.head_count": (Kind.U32, shape.n_head),
        "gpt2.attention.layer_norm_epsilon": (Kind.F32, shape.norm_epsilon),
        "gpt2.vocab_size": (Kind.U32, shape.vocab_size),
    }


def _about_tokens(tokenizer: Tokenizer) -> dict[str, Value]:
    pairs, _ = merges_of(tokenizer)
    tokens = [*map(spelled, tokenizer.ranks), END_OF_TEXT]
    kinds = [TokenKind.NORMAL] * len(tokenizer.ranks) + [TokenKind.CONTROL]
    end = (Kind.U32, tokenizer.end_token)
    return {
        "tokenizer.ggml.model": (Kind.STRING, "gpt2"),
        "tokenizer.ggml.pre": (Kind.STRING, "gpt-2"),  # how it splits text into pieces
        "tokenizer.ggml.tokens": (Kind.ARRAY, (Kind.STRING, tokens)),
        "tokenizer.ggml.token_type": (Kind.ARRAY, (Kind.I32, kinds)),
        "tokenizer.ggml.merges": (
            Kind.ARRAY,
            (Kind.STRING, [f"{spelled(left)} {spelled(right)}" for left, right in pairs]),
        ),
        "tokenizer.ggml.bos_token_id": end,
        "tokenizer.ggml.eos_token_id": end,
        "tokenizer.ggml.add_bos_token": (Kind.BOOL, True),  # as every text here begins
    }


def _text(text: str) -> bytes:
    content = text.encode()
    return struct.pack("<Q", len(content)) + content


def _value(kind: Kind, value: Any) -> bytes:
    """A value with its kind in front, as the header has it."""
    return struct.pack("<I", kind) + _bare(kind, value)


def _bare(kind: Kind, value: Any) -> bytes:
    if kind is Kind.STRING:
        return _text(value)
    if kind is Kind.ARRAY:
        of, elements = value
        head = struct.pack("<IQ", of, len(elements))
        return head + b"".join(_bare(of, element) for element in elements)
    codes = {Kind.U32: "<I", Kind.I32: "<i", Kind.F32: "<f", Kind.BOOL: "<?"}
    return struct.pack(codes[kind], value)


def _kind(name: str, shape: Sequence[int], form: str) -> TensorKind:
    """What a tensor is kept in, in a file of that form.

    Vectors stay f32, and positions, which are only ever added, as llama.cpp expects both; rows
    that are not made of whole blocks are kept in 16 bits instead of blocks.
    """
    if len(shape) == 1 or name == "position_embd.weight":
        return TensorKind.F32
    if form == "q8_0" and shape[-1] % BLOCK:
        return TensorKind.F16
    return TensorKind[form.upper()]


def _size(shape: Sequence[int], kind: TensorKind) -> int:
    """Bytes that a tensor takes."""
    numbers = int(np.prod(shape))
    if kind is TensorKind.Q8_0:
        return numbers // BLOCK * Q8_0.itemsize
    return numbers * (4 if kind is TensorKind.F32 else 2)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _pad(file: BinaryIO) -> None:
    at = file.tell()
    file.write(bytes(_aligned(at) - at))


def _f32(weights: Floats) -> bytes:
    return weights.astype("<f4").tobytes()


def _f16(weights: Floats) -> bytes:
    with np.errstate(over="ignore"):
        half = weights.astype("<f2")
    if not np.isfinite(half).all():
        raise UserError("Some weights are too large for 16 bits.", "Give --weights f32.")
    return half.tobytes()


def _q8_0(weights: Floats) -> bytes:
    """A scale a block, max |w| / 127; halves are rounded away from zero, as llama.cpp does."""
    blocks = weights.reshape(-1, BLOCK)
    scale = np.abs(blocks).max(axis=1) / np.float32(127)  # (blocks,)
    inverse = np.divide(1, scale, out=np.zeros_like(scale), where=scale > 0)
    exact = blocks * inverse[:, None]
    packed = np.empty(len(blocks), Q8_0)
    packed["scale"] = np.frombuffer(_f16(scale), "<f2")
    packed["integers"] = np.trunc(exact + np.copysign(np.float32(0.5), exact))
    return packed.tobytes()


_PACKED: Mapping[TensorKind, Callable[[Floats], bytes]] = {
    TensorKind.F32: _f32,
    TensorKind.F16: _f16,
    TensorKind.Q8_0: _q8_0,
}
