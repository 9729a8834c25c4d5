"""Samples that a run writes do not change it."""

import itertools

import pytest
import torch

from training.config import TrainConfig
from training.evaluation.sample import write_sample
from training.runs.checkpoints import RunFolder
from training.trainer import Trainer

SETTINGS = {
    "preset": "tiny",
    "n_embd": 16,
    "block_size": 32,
    "batch_size": 4,
    "max_steps": 6,
    "eval_every": 2,
    "warmup_steps": 1,
    "learning_rate": 1e-2,
    "dropout": 0.2,
    "device": "cpu",
    "dtype": "fp32",
}


def run(prepared, name, **changes):
    trainer = Trainer(TrainConfig().updated(SETTINGS | changes), prepared, RunFolder(name))
    return list(trainer.steps())


@pytest.mark.parametrize("training", [True, False])
def test_mode_and_random_state_stay_as_they_were(tiny_model, byte_tokenizer, training):
    tiny_model.train(training)
    try:
        torch.manual_seed(3)
        before = torch.random.get_rng_state()
        sample = write_sample(tiny_model, byte_tokenizer, "Once", 20)
        assert torch.equal(torch.random.get_rng_state(), before)
        assert tiny_model.training is training
        assert all(module.training is training for module in tiny_model.modules())
    finally:
        tiny_model.eval()
    assert sample.prompt == "Once"
    assert sample == write_sample(tiny_model, byte_tokenizer, "Once", 20)
    assert sample != write_sample(tiny_model, byte_tokenizer, "Twice", 20)


def test_controls_in_the_prompt_become_pictures(tiny_model, byte_tokenizer):
    assert write_sample(tiny_model, byte_tokenizer, "a\x1b[2Jb", 1).prompt == "a␛[2Jb"


def test_a_prompt_longer_than_the_window_is_fine(tiny_model, byte_tokenizer):
    assert write_sample(tiny_model, byte_tokenizer, "word " * 50, 5).prompt.startswith("word")


def test_a_run_is_the_same_with_samples_and_without(prepared):
    with_samples = run(prepared, "with", sample_tokens=30)
    without = run(prepared, "without", sample_tokens=0)
    assert [m.loss for m in with_samples] == [m.loss for m in without]
    samples = [m.evaluation.sample for m in with_samples if m.evaluation]
    assert len(samples) == 3
    assert all(a.text != b.text for a, b in itertools.pairwise(samples))
    assert all(m.evaluation.sample is None for m in without if m.evaluation)


def test_the_prompt_is_a_setting(prepared):
    steps = run(prepared, "own", sample_prompt="A fox", sample_tokens=5, max_steps=2)
    assert steps[-1].evaluation.sample.prompt == "A fox"
