"""What a GGUF file is made of, for whoever writes or reads one.

Source: ggml's description of the format, version 3. All numbers are little-endian:

    header    magic, version u32, tensors u64, values u64
    values    key, kind u32, value                                     once for each
    tensors   name, dimensions u32, sizes u64 (the last axis first), kind u32, offset u64
    padding   to a multiple of the alignment, before the first tensor and between them
    data      each at its offset from the first
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

MAGIC = b"GGUF"
VERSION = 3
ALIGNMENT = 32
"""Bytes, where the file does not say otherwise (`general.alignment`)."""

BLOCK = 32
"""Weights along a row that share a scale in q8_0."""

Q8_0 = np.dtype([("scale", "<f2"), ("integers", "i1", (BLOCK,))])
"""A block: weight = scale * integer."""


class Kind(IntEnum):
    """Kinds of values, by their numbers in the format."""

    U8 = 0
    I8 = 1
    U16 = 2
    I16 = 3
    U32 = 4
    I32 = 5
    F32 = 6
    BOOL = 7
    STRING = 8
    ARRAY = 9
    U64 = 10
    I64 = 11
    F64 = 12


class TensorKind(IntEnum):
    """Kinds of tensors that models of the family come in, by their numbers in the format."""

    F32 = 0
    F16 = 1
    Q8_0 = 8
    BF16 = 30


class TokenKind(IntEnum):
    """What a token of a vocabulary is (`tokenizer.ggml.token_type`)."""

    NORMAL = 1
    CONTROL = 3


FILE_KINDS = {"f32": 0, "f16": 1, "q8_0": 7}
"""What a file is mostly made of, by its number (`general.file_type`)."""
