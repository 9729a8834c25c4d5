"""What `export` wrote, `import` takes in again with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.registry import find_model
from mgpt_tui.model.tokenizer import Tokenizer
from tests.conftest import Outcome
from tests.family.models import KINDS, checkpoint_of

OWN_PATTERN = r"\p{N}| ?\p{L}+|\s+|[^\s\p{L}\p{N}]+"
"""Splits text otherwise than GPT-2's, which hf alone has room for."""

CASES = [
    *(("hf", kind) for kind in KINDS),
    *(("gguf", kind) for kind in ("trained here", "gpt2", "own head")),
    *(
        ("nanogpt", kind) for kind in ("original", "exact", "exact with biases")
    ),  # it has no other GELU
]
SHAPES = KINDS | {
    "own head": {"norm_bias": True, "tied_head": False, "mlp_width": 96, "norm_epsilon": 1e-3},
    "exact": {"exact_gelu": True},
    "exact with biases": {"exact_gelu": True, "bias": True},
}


@pytest.mark.parametrize(("to", "kind"), CASES)
def test_the_same_bits_come_back(
    mgpt: Callable[..., Outcome], tmp_path: Path, trimmed: Tokenizer, to: str, kind: str
) -> None:
    tokenizer = Tokenizer(trimmed.ranks, OWN_PATTERN) if to == "hf" else trimmed
    ours = checkpoint_of(tmp_path / "ours", tokenizer, **SHAPES[kind])
    out, form = tmp_path / "out", "f32" if to == "gguf" else "fp32"
    exported = mgpt("export", tmp_path / "ours", out, "--to", to, "--weights", form)
    assert exported.code == 0, exported.err
    imported = mgpt("import", out, "--name", "back")
    assert imported.code == 0, imported.err
    back = load_checkpoint(find_model("back").path)
    assert back.tokenizer.digest == ours.tokenizer.digest
    assert back.tokenizer.pattern == ours.tokenizer.pattern
    config = back.info.config  # no more biases than before, and nothing said at greater length
    assert config == replace(ours.info.config, dropout=config.dropout)
    state = back.model.state_dict()
    for name, weight in ours.model.state_dict().items():
        assert torch.equal(state[name], weight), name
