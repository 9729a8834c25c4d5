"""Batches that are made ahead."""

import pytest
import torch

from training.data.batches import BatchSampler
from training.step.distributed import World
from training.step.feed import BatchFeed

CPU = torch.device("cpu")


@pytest.fixture
def sampler(prepared):
    return BatchSampler(prepared.train.tokens, 16, 12, seed=3)


@pytest.mark.parametrize("rank", [0, 1])
def test_what_is_prepared_is_what_would_have_been_made(sampler, rank):
    world, parts = World(rank=rank, size=2), 3
    feed = BatchFeed(sampler, CPU, world, parts)
    feed.ahead = True
    made = []
    sampler_batch = sampler.batch

    def counted(*place):
        made.append(place)
        return sampler_batch(*place)

    sampler.batch = counted
    for step in range(4, 7):
        for part in range(parts):
            inputs, targets = feed.batch(step, part)
            expected = sampler_batch(step, part * 2 + rank, parts * 2)
            assert torch.equal(inputs, expected[0])
            assert torch.equal(targets, expected[1])
            feed.prepare(step, part)
    assert len(made) == 3 * parts + 1  # each once, and the one that is ready by now


def test_another_batch_than_the_prepared_one_may_be_asked_for(sampler):
    feed = BatchFeed(sampler, CPU, World(), 1)
    feed.ahead = True
    feed.batch(0, 0)
    feed.prepare(0, 0)
    assert torch.equal(feed.batch(7, 0)[0], sampler.batch(7, 0, 1)[0])


def test_a_cpu_prepares_nothing(sampler, monkeypatch):
    feed = BatchFeed(sampler, CPU, World(), 1)
    monkeypatch.setattr(sampler, "batch", lambda *place: pytest.fail("made"))
    feed.prepare(0, 0)
