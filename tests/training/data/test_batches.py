"""Batches as a function of seed and step."""

import numpy as np
import pytest
import torch

from mgpt_tui.errors import UserError
from training.data import batches as dataset
from training.data.batches import BatchSampler

TOKENS = np.arange(1003, dtype=np.uint16)


def sampler(seed=0, **settings):
    return BatchSampler(TOKENS, 10, 6, seed, **settings)


def test_targets_are_one_token_ahead():
    inputs, targets = sampler().batch(0, 0, 1)
    assert inputs.shape == targets.shape == (6, 10)
    assert inputs.dtype == torch.int64
    assert torch.equal(inputs + 1, targets)


def test_a_pass_reads_every_window_once():
    batches = sampler()
    steps = -(-batches.windows // 6)
    offsets = np.concatenate([batches.offsets(step) for step in range(steps)])
    first_pass = np.sort(offsets[: batches.windows])
    assert np.array_equal(np.diff(first_pass), np.full(batches.windows - 1, 10))
    assert first_pass[0] < 20
    assert first_pass[-1] + 10 < len(TOKENS)


def test_passes_differ_and_seeds_differ():
    batches = sampler()
    again = batches.windows  # the pass whose number is 6 begins at this step
    assert not np.array_equal(batches.offsets(0), batches.offsets(again))
    assert not np.array_equal(batches.offsets(0), sampler(seed=1).offsets(0))
    assert batches.passes(again) == 6


def test_any_step_can_be_asked_for_in_any_order():
    forward = [sampler().offsets(step) for step in range(40)]
    batches = sampler()
    for step in (39, 3, 17, 0):
        assert np.array_equal(batches.offsets(step), forward[step])


def test_parts_make_up_the_step():
    whole, _ = sampler().batch(5, 0, 1)
    parts = [sampler().batch(5, part, 3)[0] for part in range(3)]
    assert torch.equal(torch.cat(parts), whole)


@pytest.mark.parametrize("piece", [dataset.PIECE, 100, 37])
def test_windows_move_back_to_the_beginning_of_their_story(monkeypatch, piece):
    monkeypatch.setattr(dataset, "PIECE", piece)
    tokens = np.tile(np.array([0, *range(1, 37)], dtype=np.uint16), 30)
    batches = BatchSampler(tokens, 10, 8, 0, story_starts=1.0, end_token=0)
    inputs, _ = batches.batch(0, 0, 1)
    assert torch.equal(inputs[:, 0], torch.zeros(8, dtype=torch.int64))
    half = BatchSampler(tokens, 10, 50, 0, story_starts=0.5, end_token=0)
    share = float((half.batch(0, 0, 1)[0][:, 0] == 0).float().mean())
    assert 0.3 < share < 0.8


@pytest.mark.parametrize("length", [0, 1, 10])
def test_a_corpus_shorter_than_a_block_is_refused(length):
    with pytest.raises(UserError, match="one block"):
        BatchSampler(TOKENS[:length], 10, 2, 0)


def test_a_corpus_of_one_block_is_enough():
    inputs, targets = BatchSampler(TOKENS[:11], 10, 2, 0).batch(3, 0, 1)
    assert inputs[0, 0] == 0
    assert targets[0, -1] == 10
