"""What `export` wrote, `import` takes in again with the same bits."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.registry import find_model
from mgpt_tui.model.tokenizer import Tokenizer
from tests.conftest import Outcome
from tests.family.models import KINDS, WITHOUT_SETTINGS, checkpoint_of


@pytest.mark.parametrize(
    ("to", "kind"),
    [
        *(("hf", kind) for kind in KINDS),
        *(("nanogpt", kind) for kind in WITHOUT_SETTINGS),
    ],
)
def test_the_same_bits_come_back(
    mgpt: Callable[..., Outcome], tmp_path: Path, trimmed: Tokenizer, to: str, kind: str
) -> None:
    ours = checkpoint_of(tmp_path / "ours", trimmed, **KINDS[kind])
    out = tmp_path / "out"
    exported = mgpt("export", tmp_path / "ours", out, "--to", to)
    assert exported.code == 0, exported.err
    imported = mgpt("import", out, "--name", "back")
    assert imported.code == 0, imported.err
    back = load_checkpoint(find_model("back").path)
    assert back.tokenizer.digest == ours.tokenizer.digest
    assert back.tokenizer.pattern == ours.tokenizer.pattern
    state, expected = back.model.state_dict(), ours.model.state_dict()
    assert state.keys() == expected.keys()  # no more biases than before
    for name, weight in expected.items():
        assert torch.equal(state[name], weight), name
    if to != "nanogpt" or ours.info.config.exact_gelu:  # it has no other GELU
        tokens = torch.arange(3, 35)[None]
        with torch.no_grad():
            assert torch.equal(back.model(tokens), ours.model(tokens))
