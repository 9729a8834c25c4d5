"""Batches in their order, on the device that reads them."""

from __future__ import annotations

import torch
from torch import Tensor

from training.data.batches import BatchSampler
from training.step.distributed import World

Batch = tuple[Tensor, Tensor]
"""Inputs and targets: int64 (B, T) each."""


class BatchFeed:
    """What this process reads of each step, part by part.

    A GPU works on its own once it has been asked to. Meanwhile `prepare` makes the batch that
    comes next and sends it off from pinned memory, so that the GPU never waits for one. What a
    batch holds depends on step and part alone, whatever was prepared.

    Args:
        sampler: draws the sequences.
        device: that reads them.
        world: the processes, which share out each part among them.
        parts: batches whose gradients are added up before a step.

    Attributes:
        ahead: whether batches are prepared; on a CPU, which does all itself, nothing is gained.
    """

    def __init__(
        self, sampler: BatchSampler, device: torch.device, world: World, parts: int
    ) -> None:
        self._sampler = sampler
        self._device = device
        self._world = world
        self._parts = parts
        self.ahead = device.type == "cuda"
        self._ready: tuple[tuple[int, int], Batch] | None = None

    def batch(self, step: int, part: int) -> Batch:
        """Part `part` of a step (the first is 0), on the device."""
        if self._ready is not None:
            place, batch = self._ready
            self._ready = None
            if place == (step, part):
                return batch
        return self._made(step, part)

    def prepare(self, step: int, part: int) -> None:
        """Make what comes after part `part` of a step, and send it to the device."""
        if not self.ahead:
            return
        place = (step, part + 1) if part + 1 < self._parts else (step + 1, 0)
        self._ready = place, self._made(*place)

    def _made(self, step: int, part: int) -> Batch:
        size = self._world.size
        inputs, targets = self._sampler.batch(
            step, part * size + self._world.rank, self._parts * size
        )
        return self._sent(inputs), self._sent(targets)

    def _sent(self, tensor: Tensor) -> Tensor:
        if self._device.type != "cuda":
            return tensor.to(self._device)
        return tensor.pin_memory().to(self._device, non_blocking=True)
