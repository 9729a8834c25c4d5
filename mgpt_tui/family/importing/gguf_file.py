"""A GGUF file with a model of the architecture `gpt2`, as llama.cpp runs it.

Nothing in such a file is trusted: each length is held against what is left of the file before
anything of that size is read.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import numpy as np

from mgpt_tui.errors import UserError
from mgpt_tui.family.gguf_layout import ALIGNMENT, BLOCK, MAGIC, Q8_0, VERSION, Kind, TensorKind
from mgpt_tui.family.importing.foreign import Foreign, shape_of
from mgpt_tui.family.importing.vocabulary import (
    REMEDY,
    NoVocabulary,
    Vocabulary,
    by_merges,
    gpt2_for,
    pairs,
)
from mgpt_tui.family.importing.weights_files import AGAIN, Stored
from mgpt_tui.family.names import GGUF
from mgpt_tui.files import os_error, stat_regular
from mgpt_tui.model.split_pattern import GPT2_PATTERN
from mgpt_tui.model.weights import Floats
from mgpt_tui.text import one_line

ARCHITECTURE = "gpt2"
VERSIONS = (2, VERSION)
MOST_VALUES, MOST_TENSORS = 10_000, 100_000
LONGEST_ARRAY, LONGEST_TEXT = 2**20, 2**20

_CODES = {
    Kind.U8: "B",
    Kind.I8: "b",
    Kind.U16: "H",
    Kind.I16: "h",
    Kind.U32: "I",
    Kind.I32: "i",
    Kind.F32: "f",
    Kind.BOOL: "?",
    Kind.U64: "Q",
    Kind.I64: "q",
    Kind.F64: "d",
}


@dataclass(frozen=True, slots=True)
class _Tensor:
    shape: tuple[int, ...]
    kind: TensorKind
    offset: int

    @property
    def size(self) -> int:
        """Bytes that it takes."""
        numbers = int(np.prod(self.shape, dtype=object))
        if self.kind is TensorKind.Q8_0:
            return numbers // BLOCK * Q8_0.itemsize
        return numbers * (4 if self.kind is TensorKind.F32 else 2)


class _Reader:
    """The header of a file, read value by value; where it is damaged, `fail` says so."""

    def __init__(self, path: Path, file: BinaryIO, size: int) -> None:
        self.path, self._file, self._size = path, file, size

    def fail(self, reason: str) -> NoReturn:
        raise UserError(f"{self.path} cannot be read as GGUF: {reason}.", AGAIN)

    def bytes(self, count: int) -> bytes:
        """The next so many."""
        if count > self._size - self._file.tell():
            self.fail("it is cut off")
        return self._file.read(count)

    def number(self, kind: Kind) -> Any:
        """The next number."""
        code = "<" + _CODES[kind]
        return struct.unpack(code, self.bytes(struct.calcsize(code)))[0]

    def text(self) -> str:
        """The next text; bytes that are no UTF-8 become U+FFFD."""
        length = self.number(Kind.U64)
        if length > LONGEST_TEXT:
            self.fail("it has a text that is too long")
        return self.bytes(length).decode(errors="replace")

    def value(self, kind: int, inside: bool = False) -> Any:
        """The next value of a kind; of an array, a list."""
        if kind == Kind.STRING:
            return self.text()
        if kind == Kind.ARRAY and not inside:
            of, length = self.number(Kind.U32), self.number(Kind.U64)
            if length > LONGEST_ARRAY:
                self.fail("it has a list that is too long")
            return [self.value(of, inside=True) for _ in range(length)]
        if kind not in _CODES:
            self.fail(f"it has a value of the unknown kind {kind}")
        return self.number(Kind(kind))

    def values(self, count: int) -> dict[str, Any]:
        """What the file tells beside its tensors, by name."""
        found = {}
        for _ in range(count):
            name = self.text()
            found[name] = self.value(self.number(Kind.U32))
        return found

    def tensors(self, count: int) -> dict[str, _Tensor]:
        """Names, shapes, kinds and places of all tensors."""
        found = {}
        for _ in range(count):
            name, dimensions = self.text(), self.number(Kind.U32)
            if not 1 <= dimensions <= 4:
                self.fail(f"{one_line(name)[:40]} has {dimensions} dimensions")
            sizes = [self.number(Kind.U64) for _ in range(dimensions)]
            kind, offset = self.number(Kind.U32), self.number(Kind.U64)
            if kind not in set(TensorKind):
                self.fail(
                    f"{one_line(name)[:40]} is kept in a way that is not known here (kind {kind}); "
                    f"{', '.join(known.name for known in TensorKind)} are"
                )
            found[name] = _Tensor(tuple(sizes[::-1]), TensorKind(kind), offset)
        return found

    def data(self, alignment: Any, tensors: Mapping[str, _Tensor]) -> int:
        """Where the data begins; every tensor lies within the file."""
        if type(alignment) is not int or not 1 <= alignment <= 2**20:
            self.fail(f"its alignment is {alignment!r:.40}")
        begin = -(-self._file.tell() // alignment) * alignment
        for name, tensor in tensors.items():
            if tensor.kind is TensorKind.Q8_0 and tensor.shape[-1] % BLOCK:
                self.fail(f"{one_line(name)[:40]} has rows that are no whole blocks")
            if begin + tensor.offset + tensor.size > self._size:
                self.fail("it is cut off")
        return begin


def is_gguf(path: Path) -> bool:
    """Whether a file begins as one does."""
    try:
        stat_regular(path)
        with path.open("rb") as file:
            return file.read(len(MAGIC)) == MAGIC
    except (OSError, UserError):
        return False


def read_file(path: Path, origin: dict[str, Any], vocabulary: Vocabulary | None = None) -> Foreign:
    """The model in a file, its weights not read yet.

    Args:
        path: the file.
        origin: what is known of where it is from.
        vocabulary: in place of the one in the file.

    Raises:
        UserError: where it is of another architecture, or damaged.
    """
    try:
        size = stat_regular(path).st_size
        with path.open("rb") as file:
            reader = _Reader(path, file, size)
            if reader.bytes(len(MAGIC)) != MAGIC:
                reader.fail("it begins otherwise")
            version = reader.number(Kind.U32)
            if version not in VERSIONS:
                reader.fail(f"its version is {version}, and {VERSION} is known here")
            n_tensors, n_values = reader.number(Kind.U64), reader.number(Kind.U64)
            if n_tensors > MOST_TENSORS or n_values > MOST_VALUES:
                reader.fail("it says that it holds more than any model does")
            told = reader.values(n_values)
            tensors = reader.tensors(n_tensors)
            begin = reader.data(told.get("general.alignment", ALIGNMENT), tensors)
    except OSError as error:
        raise os_error(error, path) from None
    if told.get("general.architecture") != ARCHITECTURE:
        raise UserError(
            f"{path} is of the architecture {told.get('general.architecture')!r:.40}, and "
            f"{ARCHITECTURE} is known here.",
            "Take a model of that.",
        )
    config = shape_of(path, **_shape(path, told, tensors))
    return Foreign(
        source=path,
        naming=GGUF,
        config=config,
        tensors={
            name: Stored(tensor.shape, partial(_read, path, begin, tensor))
            for name, tensor in tensors.items()
        },
        vocabulary=vocabulary or _vocabulary(path, told) or gpt2_for(config.vocab_size, path),
        origin={"format": f"GGUF {ARCHITECTURE}", **origin},
    )


def _shape(path: Path, told: Mapping[str, Any], tensors: Mapping[str, _Tensor]) -> dict[str, Any]:
    """The settings of `GPTConfig`."""

    def number(name: str) -> int:
        value = told.get(f"{ARCHITECTURE}.{name}")
        if type(value) is not int:
            raise UserError(f"{path} does not tell its {name} as a number.", AGAIN)
        return value

    epsilon = told.get(f"{ARCHITECTURE}.attention.layer_norm_epsilon")
    embedding = tensors.get("token_embd.weight")
    if type(epsilon) is not float or embedding is None:
        raise UserError(f"{path} lacks the epsilon of its norms, or its embedding.", AGAIN)
    return {
        "vocab_size": embedding.shape[0],
        "block_size": number("context_length"),
        "n_layer": number("block_count"),
        "n_head": number("attention.head_count"),
        "n_embd": number("embedding_length"),
        "mlp_width": number("feed_forward_length"),
        "norm_epsilon": float(str(np.float32(epsilon))),  # 1e-5, not 9.9999997e-06
        "dropout": 0.0,
    }


def _vocabulary(path: Path, told: Mapping[str, Any]) -> Vocabulary | None:
    """The vocabulary in the file; None where it has none."""
    tokens, merges = (told.get(f"tokenizer.ggml.{name}") for name in ("tokens", "merges"))
    if tokens is None:
        return None
    try:
        model, pre = told.get("tokenizer.ggml.model"), told.get("tokenizer.ggml.pre", "gpt-2")
        if (model, pre) != ("gpt2", "gpt-2"):
            raise NoVocabulary(f"it is no byte-level BPE of GPT-2's kind ({model!r}, {pre!r})"[:90])
        texts = isinstance(tokens, list) and all(isinstance(token, str) for token in tokens)
        if not texts or not isinstance(merges, list):
            raise NoVocabulary("it has no tokens or no merges")
        ids: dict[str, int] = {}
        for id, token in enumerate(tokens):
            ids.setdefault(token, id)  # what fills the vocabulary up may be named alike
        return by_merges(ids, pairs(merges), GPT2_PATTERN)
    except NoVocabulary as error:
        raise UserError(f"The tokenizer in {path} cannot be used: {error}.", REMEDY) from None


def _read(path: Path, begin: int, tensor: _Tensor) -> Floats:
    """A tensor in fp32."""
    try:
        with path.open("rb") as file:
            file.seek(begin + tensor.offset)
            content = file.read(tensor.size)
    except OSError as error:
        raise os_error(error, path) from None
    if len(content) < tensor.size:  # it has become shorter
        raise UserError(f"{path} is cut off.", AGAIN)
    return _UNPACKED[tensor.kind](content).reshape(tensor.shape)


def _bf16(content: bytes) -> Floats:
    return (np.frombuffer(content, "<u2").astype(np.uint32) << 16).view(np.float32)


def _q8_0(content: bytes) -> Floats:
    blocks = np.frombuffer(content, Q8_0)
    whole: Floats = blocks["scale"].astype(np.float32)[:, None] * blocks["integers"]
    return whole


_UNPACKED: Mapping[TensorKind, Callable[[bytes], Floats]] = {
    TensorKind.F32: lambda content: np.frombuffer(content, "<f4").astype(np.float32),
    TensorKind.F16: lambda content: np.frombuffer(content, "<f2").astype(np.float32),
    TensorKind.BF16: _bf16,
    TensorKind.Q8_0: _q8_0,
}
