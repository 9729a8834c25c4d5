"""The ways to run a model, by the names of `--precision`."""

from __future__ import annotations

import torch

from mgpt_tui.inference import compiling
from mgpt_tui.inference.decoder import PackedDecoder
from mgpt_tui.inference.matrices import formats_on
from mgpt_tui.inference.native import NativeDecoder
from mgpt_tui.inference.request import NATIVE
from mgpt_tui.model.gpt import GPT

FastDecoder = PackedDecoder | NativeDecoder


def precisions_of(device: torch.device) -> list[str]:
    """Those for a device; `NATIVE` among them needs a compiler yet."""
    return [*formats_on(device), *([NATIVE] if device.type == "cpu" else [])]


def is_available(precision: str, device: torch.device) -> bool:
    """Whether a model can be run so here."""
    return precision in precisions_of(device) and (precision != NATIVE or compiling.is_available())


def decoder_in(precision: str, model: GPT) -> FastDecoder:
    """A model, packed to be run in one of `precisions_of` its device.

    Raises:
        NoCompiler: where that is compiled code, and there is no compiler.
    """
    return NativeDecoder(model) if precision == NATIVE else PackedDecoder(model, precision)
