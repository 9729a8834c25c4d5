"""What `export` wrote and `import` reads is the model that it was, bit by bit."""

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
from tests.family.models import checkpoint_of

NEO = {"bias": True, "qkv_bias": False, "scaled_scores": False, "local_windows": (0, 5)}
KINDS = {
    "hf": ({}, {"bias": True}, {"norm_bias": True, "tied_head": False, "mlp_width": 96}, NEO),
    "gguf": ({}, {"qkv_bias": True, "norm_epsilon": 1e-6}),
    "nanogpt": ({"exact_gelu": True}, {"exact_gelu": True, "bias": True}),
}
CASES = [(to, shape) for to, shapes in KINDS.items() for shape in shapes]


@pytest.mark.parametrize(("to", "shape"), CASES, ids=str)
def test_it_comes_back(
    to: str,
    shape: dict[str, object],
    tmp_path: Path,
    trimmed: Tokenizer,
    mgpt: Callable[..., Outcome],
) -> None:
    ours = checkpoint_of(tmp_path / "ours", trimmed, **shape)
    form = "f32" if to == "gguf" else "fp32"
    out = tmp_path / "out"
    assert mgpt("export", tmp_path / "ours", out, "--to", to, "--weights", form).code == 0
    outcome = mgpt("import", out, "--name", "back")
    assert outcome.code == 0, outcome.err
    back = load_checkpoint(find_model("back").path)
    assert replace(back.info.config, dropout=0) == replace(ours.info.config, dropout=0)
    assert back.tokenizer.digest == ours.tokenizer.digest
    for name, weight in ours.model.state_dict().items():
        assert torch.equal(back.model.state_dict()[name], weight), name
