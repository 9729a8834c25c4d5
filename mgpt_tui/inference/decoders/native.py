"""The model as compiled code: decode.c behind the interface of a decoder."""

from __future__ import annotations

import copy
import ctypes
import math
from collections.abc import Collection, Sequence
from ctypes import POINTER, c_int32, c_size_t, c_uint8, c_void_p
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mgpt_tui.inference.decoders import structs
from mgpt_tui.inference.decoders.choosing import Choosing, Compiled
from mgpt_tui.inference.decoders.compiling import library, made_by
from mgpt_tui.inference.decoders.decoder import Scores, Tokens
from mgpt_tui.inference.decoders.edits import Edit, placed
from mgpt_tui.inference.decoders.look import Look
from mgpt_tui.inference.decoders.places import Place
from mgpt_tui.inference.decoders.record import NAMES, Begin, Floats, Record, new_record
from mgpt_tui.inference.request import NATIVE
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.weights import Weights

KEYS = 64
"""Keys side by side in a cache, as in decode.c."""


class NativeCache:
    """Keys and values in bfloat16, laid out as decode.c wants them: keys lie side by side.

    Attributes:
        length: tokens held, of every sequence as many.
        keys_values: uint16 (n_layer, 2, B, n_head, S, head_size), S being `block_size` padded to
            `KEYS`; of keys, which are (S / KEYS, head_size, KEYS) there, this tells how many.
        address: where they lie.
    """

    def __init__(self, config: GPTConfig, batch_size: int = 1) -> None:
        self.config = config
        shape = (
            *(config.n_layer, 2, batch_size, config.n_head),
            *(_padded(config.block_size), config.head_size),
        )
        self.keys_values = structs.aligned(math.prod(shape), np.uint16).reshape(shape)
        self.address = self.keys_values.ctypes.data
        self.length = 0

    def truncate(self, length: int) -> None:
        """See `Cache`."""
        if not 0 <= length <= self.length:
            raise ValueError(f"cannot cut {self.length} tokens to {length}")
        self.length = length

    def rows(self, chosen: list[int]) -> NativeCache:
        """See `Cache`."""
        copy, held = NativeCache(self.config, len(chosen)), _padded(self.length)
        copy.keys_values[..., :held, :] = self.keys_values[:, :, chosen, :, :held]
        copy.length = self.length
        return copy


class NativeDecoder:
    """The model with 8-bit integers on both sides of every product, see decode.c.

    A text is the same to the last bit for any number of threads, however many are decoded side
    by side, and whether the story before it was written just now or is read from a file.

    Attributes:
        threads: that it computes with; may be changed at any time.
        made_by: the compiler and its version.
        choosing: see `Decoder`.

    Args:
        config: shape of the model.
        weights: some of them are shared.

    Raises:
        NoCompiler: where the code cannot be compiled.
    """

    precision = NATIVE

    def __init__(self, config: GPTConfig, weights: Weights) -> None:
        self.config, self.threads = config, 1
        self._kept: list[NDArray[Any]] = []  # alive as long as the pointers to them
        self._code = code = library()
        code.packed_size.restype = c_size_t
        code.packed_size.argtypes = [c_int32, c_int32]
        code.pack.argtypes = [c_void_p, c_int32, c_int32, c_void_p]
        code.pack.restype = None
        self.made_by = made_by()
        code.scratch_floats.restype = c_size_t
        room = code.scratch_floats(config.n_embd, config.neurons)
        self._scratch = self._held(structs.aligned(room, np.float32))
        # All of them in one array, which the system then gives large pages.
        self._panels = structs.aligned(self._bytes_of_panels(), np.uint8)
        self._read = code.read_tokens
        self._read.restype = c_int32
        self._read.argtypes = [
            *(POINTER(structs.Model), c_void_p, c_int32, c_int32, c_int32),
            *(c_void_p, c_void_p, c_void_p, POINTER(Look), c_int32),
        ]
        self.choosing: Choosing = Compiled(code, config.vocab_size)
        self._edits: list[tuple[Place, Edit]] = []
        self._look: Look | None = None
        blocks = [self._block(weights, layer) for layer in range(config.n_layer)]
        self._model = structs.Model(
            *(config.n_layer, config.n_head, config.n_embd, config.neurons),
            *(config.block_size, config.vocab_size),
            *(config.scaled_scores, config.exact_gelu, config.norm_epsilon),
            self._floats(weights["token_embedding.weight"]),
            self._floats(weights["position_embedding.weight"]),
            (structs.Block * len(blocks))(*blocks),
            self._norm(weights, "final_norm"),
            self._matrix(weights, "token_embedding" if config.tied_head else "unembedding"),
        )

        self._model_at = ctypes.byref(self._model)

    def new_cache(self, rows: int) -> NativeCache:
        """See `Decoder`."""
        return NativeCache(self.config, rows)

    def read(self, tokens: Tokens, cache: NativeCache) -> Scores:
        """See `Decoder`.

        Raises:
            IndexError: where there are no such tokens, or the cache has no room for them.
        """
        logits = np.empty((len(tokens), self.config.vocab_size), np.float32)
        self._read_on(tokens, cache, logits.ctypes.data, self._look)
        return logits

    def take(self, tokens: Tokens, cache: NativeCache) -> None:
        """See `Decoder`; errors as in `read`."""
        self._read_on(tokens, cache, None, self._look)

    def recorded(
        self,
        tokens: Sequence[int],
        want: Collection[str] = NAMES,
        logit_rows: Sequence[int] | None = None,
        cache: NativeCache | None = None,
        begin: Begin | None = None,
    ) -> Record:
        """See `OpenDecoder`: the numbers that the scores were made of, to the last bit."""
        cache = self.new_cache(1) if cache is None else cache
        record = new_record(self.config, tokens, want, cache.length, logit_rows, begin=begin)
        logits = record.logits.ctypes.data if record.logit_rows else None
        read = np.array([tokens], np.int64)
        self._read_on(read, cache, logits, Look(self._edits, record, begin))
        return record

    def edited(self, edits: Sequence[Edit]) -> NativeDecoder:
        """See `OpenDecoder`; both share their working memory, so one of them reads at a time."""
        decoder = copy.copy(self)
        decoder._edits = placed(edits, self.config)
        decoder._look = Look(decoder._edits) if decoder._edits else None
        return decoder

    def weight(self, name: str) -> Floats:
        """See `OpenDecoder`: of a matrix, what its integers stand for."""
        return structs.weight(self._model, name)

    def _read_on(
        self, tokens: Tokens, cache: NativeCache, logits: int | None, look: Look | None
    ) -> None:
        (B, T), tokens = tokens.shape, np.ascontiguousarray(tokens, np.int64)
        done = self._read(
            *(self._model_at, tokens.ctypes.data, B, T, cache.length, cache.address),
            *(self._scratch, logits, look, self.threads),
        )
        if not done:
            raise IndexError(f"cannot read {T} tokens after {cache.length}, or not these")
        cache.length += T

    def _block(self, weights: Weights, layer: int) -> structs.Block:
        block = f"blocks.{layer}."
        return structs.Block(
            self._norm(weights, f"{block}attention_norm"),
            self._matrix(weights, f"{block}attention.qkv"),
            self._matrix(weights, f"{block}attention.proj"),
            self._norm(weights, f"{block}mlp_norm"),
            self._matrix(weights, f"{block}mlp.fc"),
            self._matrix(weights, f"{block}mlp.proj"),
            self.config.local_window(layer),
        )

    def _bytes_of_panels(self) -> int:
        """Of all matrices together."""
        C, F, size = self.config.n_embd, self.config.neurons, self._code.packed_size
        block = sum(size(*shape) for shape in ((3 * C, C), (C, C), (F, C), (C, F)))
        return int(self.config.n_layer * block + size(self.config.vocab_size, C))

    def _norm(self, weights: Weights, name: str) -> structs.Norm:
        return structs.Norm(
            self._floats(weights[f"{name}.weight"]), self._floats(weights.get(f"{name}.bias"))
        )

    def _matrix(self, weights: Weights, name: str) -> structs.Matrix:
        """Weights (outputs, inputs) as integers with a scale a row."""
        integers, scale = weights.int8_rows(f"{name}.weight")
        integers = np.ascontiguousarray(integers)
        outputs, inputs = integers.shape
        size = self._code.packed_size(outputs, inputs)
        panels, self._panels = self._panels[:size], self._panels[size:]
        self._code.pack(integers.ctypes.data, outputs, inputs, panels.ctypes.data)
        return structs.Matrix(
            ctypes.cast(self._held(panels), POINTER(c_uint8)),
            self._floats(np.pad(scale, (0, -outputs % structs.LANES))),
            self._floats(weights.get(f"{name}.bias")),
            outputs,
            inputs,
        )

    def _floats(self, array: NDArray[np.float32] | None) -> Any:
        return None if array is None else ctypes.cast(self._held(array), structs.FloatsAt)

    def _held(self, array: NDArray[Any]) -> int:
        """The address of an array, which stays there from now on."""
        self._kept.append(np.ascontiguousarray(array))
        return self._kept[-1].ctypes.data


def _padded(length: int) -> int:
    """To whole groups of `KEYS`."""
    return length + -length % KEYS
