"""The mean of the weights that a run keeps beside them."""

from __future__ import annotations

import pytest
import torch

from mgpt_tui.model.checkpoint import load_checkpoint
from training.step.average import WeightAverage
from training.trainer import Trainer


def weights_of(trainer: Trainer) -> torch.Tensor:
    return trainer.model.blocks[0].mlp.fc.weight.detach().clone()


@pytest.mark.parametrize("steps", [1, 3, 100])
def test_it_is_exponential_after_a_plain_mean(tiny_model, steps):
    weight = tiny_model.final_norm.weight
    before = weight.detach().clone()
    try:
        subject, expected = WeightAverage(tiny_model, steps), torch.zeros_like(weight)
        for number in range(1, 8):
            weight.data.fill_(number)
            subject.add()
            share = 1 / min(number, steps)
            expected = (1 - share) * expected + share * number
        address = weight.data_ptr()
        with subject.in_place() as trained:
            torch.testing.assert_close(weight.detach(), expected)
            assert torch.equal(trained["weights.final_norm.weight"], torch.full_like(weight, 7))
        assert weight.data_ptr() == address and bool((weight == 7).all())
    finally:
        weight.data.copy_(before)


def test_the_mean_is_scored_and_saved_and_does_not_change_what_is_learnt(make_trainer):
    alone, subject = make_trainer("alone"), make_trainer("kept", average=100)
    pairs = list(zip(alone.steps(), subject.steps(), strict=True))
    assert [left.loss for left, _ in pairs] == [right.loss for _, right in pairs]
    assert torch.equal(weights_of(alone), weights_of(subject))
    last = pairs[-1]
    assert last[0].evaluation.validation != last[1].evaluation.validation
    saved = load_checkpoint(subject.run.checkpoint(8)).model
    with subject.average.in_place():
        assert torch.equal(weights_of(subject), saved.blocks[0].mlp.fc.weight)
        again = subject.validation.score(subject.model)
    assert again == last[1].evaluation.validation


def test_a_run_goes_on_exactly(make_trainer):
    whole = make_trainer("whole", average=3)
    list(whole.steps())
    parts = make_trainer("parts", average=3)
    for metrics in parts.steps():
        if metrics.step == 3:
            break
    parts.save()
    parts = make_trainer("parts", average=3, resume=True)
    list(parts.steps())
    assert torch.equal(weights_of(whole), weights_of(parts))
    mean, other = (load_checkpoint(run.run.checkpoint(8)).model for run in (whole, parts))
    for left, right in zip(mean.parameters(), other.parameters(), strict=True):
        assert torch.equal(left, right)


@pytest.mark.parametrize(("before", "after"), [(3, None), (None, 3)])
def test_it_may_be_taken_up_and_left_off_later(make_trainer, before, after):
    first = make_trainer(average=before, max_steps=4)
    list(first.steps())
    later = make_trainer(average=after, resume=4)
    assert torch.equal(weights_of(first), weights_of(later))
    list(later.steps())
