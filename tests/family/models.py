"""Small random models to be exported or imported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from mgpt_tui.model.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from mgpt_tui.model.config import SHAPES
from mgpt_tui.model.gpt import GPT
from mgpt_tui.model.tokenizer import Tokenizer

VOCABULARY = 700
"""Entries of the vocabulary `trimmed`."""

KINDS: dict[str, dict[str, object]] = {
    "trained here": {},
    "gpt2": {"bias": True},
    "original": {"norm_bias": True, "exact_gelu": True},
    "odd": {"tied_head": False, "mlp_width": 96, "norm_epsilon": 1e-3, "scaled_scores": False},
    "gpt_neo": {
        "bias": True,
        "qkv_bias": False,
        "scaled_scores": False,
        "local_windows": (0, 5),
        "mlp_width": 64,
    },
}
"""Shapes by what has them."""

WITHOUT_SETTINGS = ("trained here", "gpt2", "original")
"""Those that nanoGPT's code can have."""


def checkpoint_of(folder: Path, tokenizer: Tokenizer, **shape: object) -> Checkpoint:
    """A random model of two layers, all of whose weights differ, in a checkpoint."""
    config = replace(
        SHAPES["tiny"], vocab_size=tokenizer.vocab_size, block_size=32, n_embd=32, **shape
    )
    generator = torch.Generator().manual_seed(1)
    model = GPT(config, generator)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.empty_like(weight).normal_(0, 0.1, generator=generator))
    save_checkpoint(folder, model, tokenizer, {"step": 5, "tokens": 640})
    return load_checkpoint(folder)
