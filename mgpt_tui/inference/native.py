"""The model as compiled code: decode.c behind the interface of a decoder."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_float, c_int8, c_int32, c_size_t, c_void_p
from typing import Any

import torch
from torch import Tensor, nn

from mgpt_tui.inference.compiling import library
from mgpt_tui.inference.request import NATIVE
from mgpt_tui.model.checkpoint import int8_rows
from mgpt_tui.model.gpt import GPT, Block
from mgpt_tui.model.kv_cache import KVCache

_Floats = POINTER(c_float)


class _Norm(ctypes.Structure):
    _fields_ = (("weight", _Floats), ("bias", _Floats))


class _Matrix(ctypes.Structure):
    _fields_ = (
        ("weight", POINTER(c_int8)),
        ("scale", _Floats),
        ("shift", POINTER(c_int32)),
        ("bias", _Floats),
        ("outputs", c_int32),
        ("inputs", c_int32),
    )


class _Block(ctypes.Structure):
    _fields_ = (
        ("attention_norm", _Norm),
        ("qkv", _Matrix),
        ("attention_proj", _Matrix),
        ("mlp_norm", _Norm),
        ("fc", _Matrix),
        ("mlp_proj", _Matrix),
    )


class _Model(ctypes.Structure):
    _fields_ = (
        ("n_layer", c_int32),
        ("n_head", c_int32),
        ("n_embd", c_int32),
        ("block_size", c_int32),
        ("vocab_size", c_int32),
        ("token_embedding", _Floats),
        ("position_embedding", _Floats),
        ("blocks", POINTER(_Block)),
        ("final_norm", _Norm),
        ("head", _Matrix),
    )


class NativeDecoder:
    """The model with 8-bit integers on both sides of every product, see decode.c.

    A text is the same to the last bit for any number of threads, however many are decoded side
    by side, and whether the story before it was written just now or is read from a file.

    It computes with as many threads as torch is told to.

    Attributes:
        made_by: the compiler and its version.

    Args:
        model: on the CPU, and not one that is still being trained: some weights are shared.

    Raises:
        NoCompiler: where the code cannot be compiled.
    """

    precision = NATIVE

    def __init__(self, model: GPT) -> None:
        self.config = config = model.config
        self._kept: list[Tensor] = []  # alive as long as the pointers to them
        code = library()
        code.compiler.restype = c_char_p
        self.made_by = code.compiler().decode()
        code.scratch_floats.restype = c_size_t
        self._scratch = torch.empty(code.scratch_floats(config.n_embd))
        self._read = code.read_tokens
        self._read.restype = c_int32
        self._read.argtypes = [
            *(POINTER(_Model), c_void_p, c_int32, c_int32, c_int32),
            *(c_void_p, c_void_p, c_void_p, c_int32),
        ]
        blocks = [self._block(block) for block in model.blocks]
        self._model = _Model(
            *(config.n_layer, config.n_head, config.n_embd, config.block_size, config.vocab_size),
            self._floats(model.token_embedding.weight),
            self._floats(model.position_embedding.weight),
            (_Block * len(blocks))(*blocks),
            self._norm(model.final_norm),
            self._matrix(model.token_embedding.weight, None),
        )

    def new_cache(self, rows: int) -> KVCache:
        """See `Decoder`."""
        return KVCache(self.config, rows, "cpu", torch.bfloat16)

    @torch.inference_mode()
    def read(self, tokens: Tensor, cache: KVCache) -> Tensor:
        """See `Decoder`.

        Raises:
            IndexError: where there are no such tokens, or the cache has no room for them.
        """
        B, T = tokens.shape
        tokens = tokens.contiguous()
        logits = torch.empty(B, self.config.vocab_size)
        done = self._read(
            *(self._model, tokens.data_ptr(), B, T, cache.length, cache.keys_values.data_ptr()),
            *(self._scratch.data_ptr(), logits.data_ptr(), torch.get_num_threads()),
        )
        if not done:
            raise IndexError(f"cannot read {T} tokens after {cache.length}, or not these")
        cache.advance(T)
        return logits

    def _block(self, block: nn.Module) -> _Block:
        assert isinstance(block, Block)
        attention, mlp = block.attention, block.mlp
        return _Block(
            self._norm(block.attention_norm),
            self._matrix(attention.qkv.weight, attention.qkv.bias),
            self._matrix(attention.proj.weight, attention.proj.bias),
            self._norm(block.mlp_norm),
            self._matrix(mlp.fc.weight, mlp.fc.bias),
            self._matrix(mlp.proj.weight, mlp.proj.bias),
        )

    def _norm(self, norm: nn.LayerNorm) -> _Norm:
        return _Norm(self._floats(norm.weight), self._floats(norm.bias))

    def _matrix(self, weight: Tensor, bias: Tensor | None) -> _Matrix:
        """Weights (outputs, inputs) as integers with a scale a row."""
        weight = weight.detach().float()
        integers, scale = int8_rows(weight)
        shift = 128 * integers.sum(dim=1, dtype=torch.int32)
        return _Matrix(
            ctypes.cast(self._held(integers), POINTER(c_int8)),
            self._floats(scale),
            ctypes.cast(self._held(shift), POINTER(c_int32)),
            self._floats(bias),
            *weight.shape,
        )

    def _floats(self, tensor: Tensor | None) -> Any:
        if tensor is None:
            return None
        return ctypes.cast(self._held(tensor.detach().float()), _Floats)

    def _held(self, tensor: Tensor) -> int:
        """The address of a tensor, which stays there from now on."""
        self._kept.append(tensor.contiguous())
        return self._kept[-1].data_ptr()
