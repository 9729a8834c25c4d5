"""An imported model learns more: data by its tokenizer, then `train --init-from`."""

import json

import pytest
import torch

from mgpt_tui.model.checkpoint import load_checkpoint
from mgpt_tui.model.registry import find_model

STEPS = ("--batch-size", 4, "--learning-rate", 1e-2, "--warmup-steps", 0, "--dropout", 0)


@pytest.mark.parametrize("shape", ["gpt_neo", "untied", "narrow"])
def test_it_learns_and_goes_on_in_its_own_shape(theirs, mgpt, tmp_path, shape):
    assert mgpt("import", theirs(shape).folder, "--name", "base").code == 0
    stories = [f"Once there was a girl who had {n} hats near the woods." for n in range(60)]
    (tmp_path / "stories.txt").write_text("\n<|endoftext|>\n".join(stories))
    data = tmp_path / "data"
    outcome = mgpt(
        "prepare", "--source", tmp_path / "stories.txt", "--out", data, "--tokenizer", "base"
    )
    assert outcome.code == 0, outcome.err
    outcome = mgpt(
        *("train", "--data", data, "--name", "finer", "--init-from", "base", "--max-steps", 20),
        *STEPS,
    )
    assert outcome.code == 0, outcome.err
    losses = [
        json.loads(mgpt("eval", name, "--data", data, "--json").out)["loss"]
        for name in ("base", "finer")
    ]
    assert losses[1] < 0.7 * losses[0]
    assert mgpt("train", "--name", "finer", "--resume", "--max-steps", 22).code == 0
    base, finer = (load_checkpoint(find_model(name).path) for name in ("base", "finer/last"))
    assert finer.info.config.family() == base.info.config.family()
    assert finer.tokenizer.digest == base.tokenizer.digest
    for name, weight in base.model.named_parameters():
        assert not torch.equal(weight, finer.model.get_parameter(name)), name
