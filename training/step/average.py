"""A mean of the weights along the way, kept beside those that are trained.

Late weights circle round a better place than any of them; their mean lies nearer to it (Polyak and
Juditsky, "Acceleration of Stochastic Approximation by Averaging", 1992; Izmailov et al., "Averaging
Weights Leads to Wider Optima", 2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from mgpt_tui.model.gpt import GPT
from training.step.distributed import World

PREFIX = "weights."
"""Of the names of trained weights in a checkpoint whose model is their mean."""


class WeightAverage:
    """An exponential mean that reaches back about `steps` steps; in the first ones a plain mean.

    Args:
        model: whose weights; they are left where they are, as optimizers and graphs know them.
        steps: a step leaves 1 - 1/steps of the mean as it was; fewer make it the mean of all.
    """

    def __init__(self, model: GPT, steps: int) -> None:
        self.count = 0
        self._steps = steps
        self._weights = dict(model.named_parameters())
        self._mean = {name: weight.detach().clone() for name, weight in self._weights.items()}

    @property
    def bytes(self) -> int:
        """What the mean takes up."""
        return sum(weight.nbytes for weight in self._mean.values())

    @torch.no_grad()
    def begin(self, count: int) -> None:
        """Take the model's present weights for the mean of `count` steps."""
        self.count = count
        for name, weight in self._weights.items():
            self._mean[name].copy_(weight)

    @torch.no_grad()
    def add(self) -> None:
        """Take in the weights after a step."""
        self.count += 1
        share = 1 / min(self.count, self._steps)
        torch._foreach_lerp_(list(self._mean.values()), list(self._weights.values()), share)

    @contextmanager
    def in_place(self) -> Iterator[dict[str, Tensor]]:
        """A block in which the model has the mean weights.

        Yields:
            The trained weights by name, with `PREFIX`.
        """
        self._swap()
        try:
            yield {PREFIX + name: weight for name, weight in self._mean.items()}
        finally:
            self._swap()

    def share(self, world: World) -> None:
        """Take over the mean of the first process, which alone may have read one.

        Raises:
            LostPeer: where a process has died.
        """
        if world.size == 1:
            return
        own = {name: weight.cpu() for name, weight in self._mean.items()} if world.first else {}
        for name, weight in load_tensors(world.share(save_tensors(own))).items():
            self._mean[name].copy_(weight)

    @torch.no_grad()
    def _swap(self) -> None:
        for name, weight in self._weights.items():
            kept = weight.clone()
            weight.copy_(self._mean[name])
            self._mean[name].copy_(kept)


def parted(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The trained weights among a checkpoint's tensors, by their own names, and all others."""
    weights = {
        name.removeprefix(PREFIX): tensor
        for name, tensor in tensors.items()
        if name.startswith(PREFIX)
    }
    others = {name: tensor for name, tensor in tensors.items() if not name.startswith(PREFIX)}
    return weights, others
