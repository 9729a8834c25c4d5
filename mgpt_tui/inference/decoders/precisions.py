"""The ways to run a model, by the names of `--precision`. Torch is imported where it is needed."""

from __future__ import annotations

from typing import Any

from mgpt_tui.inference.decoders import compiling
from mgpt_tui.inference.decoders.decoder import FastDecoder, OpenDecoder
from mgpt_tui.inference.decoders.native import NativeDecoder
from mgpt_tui.inference.request import NATIVE, TORCH_PRECISIONS
from mgpt_tui.memory import check_room
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.weights import Weights

CPU = "cpu"


def precisions_of(device: str) -> list[str]:
    """Those for a device, by its type; `NATIVE` among them needs a compiler yet."""
    if device == CPU:
        return [*TORCH_PRECISIONS, NATIVE]
    return [name for name in TORCH_PRECISIONS if name != "int8"]  # there is no kernel for it


def is_available(precision: str, device: str) -> bool:
    """Whether a model can be run so here."""
    return precision in precisions_of(device) and (precision != NATIVE or compiling.is_available())


def decoding_bytes(config: GPTConfig, precision: str) -> int:
    """About how much memory it takes to decode with a model, beside the weights as they are read.

    In `NATIVE` matrices are 8-bit integers and embeddings fp32; with torch there is the readable
    model in fp32, and the packed one beside it. Either way there are keys and values of one text.
    """
    embeddings = (config.vocab_size + config.block_size) * config.n_embd
    held = config.n_layer * 2 * config.block_size * config.n_embd
    if precision == NATIVE:
        return config.block_parameters() + embeddings * 5 + held * 2
    packed = {"fp32": 4, "bf16": 2, "int8": 1}[precision]
    return config.parameters() * (4 + packed) + held * 4


def decoder_in(
    precision: str, config: GPTConfig, weights: Weights, device: str = CPU
) -> FastDecoder[Any]:
    """A model, packed to be run in one of `precisions_of` its device.

    Args:
        precision: the name.
        config: shape of the model.
        weights: some of them are shared.
        device: as torch calls it.

    Raises:
        NoCompiler: where that is compiled code, and there is no compiler.
        OutOfMemory: where memory has no room for it.
    """
    return decoders_in(precision, config, weights, device)[0]


def decoders_in(
    precision: str, config: GPTConfig, weights: Weights, device: str = CPU
) -> tuple[FastDecoder[Any], OpenDecoder]:
    """`decoder_in`, and a decoder of the same model to look into.

    In `NATIVE` they differ in nothing but their threads, which may be set apart; else the other one
    is the readable model in fp32, which has the weights before they were rounded.
    """
    if device == CPU:
        check_room("To decode with this model", decoding_bytes(config, precision))
    if precision == NATIVE:
        native = NativeDecoder(config, weights)
        return native, native.edited(())
    from mgpt_tui.inference.decoders.in_torch.making import packed_and_plain

    return packed_and_plain(precision, config, weights, device)
