"""From weights to the decoders that run with torch: the one way in from what knows no torch."""

from __future__ import annotations

import torch

from mgpt_tui.inference.decoders.in_torch.graphs import GraphDecoder
from mgpt_tui.inference.decoders.in_torch.packed import PackedDecoder
from mgpt_tui.inference.decoders.in_torch.plain import PlainDecoder
from mgpt_tui.model.checkpoint import gpt_of
from mgpt_tui.model.config import GPTConfig
from mgpt_tui.model.weights import Weights


def place_of(device: str) -> str:
    """What a device is, and the torch that computes on it, in words."""
    place = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    return f"{place}, {torch.backends.cpu.get_cpu_capability()}, torch {torch.__version__}"


def packed_and_plain(
    precision: str, config: GPTConfig, weights: Weights, device: str
) -> tuple[PackedDecoder, PlainDecoder]:
    """A model as it is fast and as it is readable; see `precisions.decoders_in`."""
    model = gpt_of(config, weights, device)
    on_gpu = model.token_embedding.weight.device.type == "cuda"
    packed = GraphDecoder(model, precision) if on_gpu else PackedDecoder(model, precision)
    return packed, PlainDecoder(model)
