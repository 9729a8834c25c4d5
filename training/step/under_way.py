"""Steps that a device has been asked for, and whose figures come later.

To read a number from a GPU is to wait until it has done all that came before. A trainer that
reads each step's loss at once has the GPU wait for it in turn, a part of every step. So the
figures travel by themselves, and are read when the next step is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class UnderWay:
    """A step that was asked for.

    Attributes:
        step: its number, from 1.
        sequences: read so far in the run, this step's included.
        factor: of the learning rate.
        read: tells its loss and the norm of its gradient, and waits until they are there.
    """

    step: int
    sequences: int
    factor: float
    read: Callable[[], tuple[float, float]]


class Figures:
    """Numbers of a device on their way to the CPU.

    Args:
        losses: scalars, one for each part of a step; they may be written over afterwards.
        norm: scalar.
    """

    def __init__(self, losses: Sequence[Tensor], norm: Tensor) -> None:
        values = torch.stack([*losses, norm.to(losses[0].dtype)])
        self._arrived: torch.cuda.Event | None = None
        if values.device.type == "cuda":
            self._values = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
            self._values.copy_(values, non_blocking=True)
            self._arrived = torch.cuda.Event()  # type: ignore[no-untyped-call]
            self._arrived.record()
        else:
            self._values = values

    def read(self) -> tuple[float, float]:
        """The sum of the losses and the norm; waits until they are there."""
        if self._arrived is not None:
            self._arrived.synchronize()
        *losses, norm = self._values.tolist()
        return sum(losses), norm
