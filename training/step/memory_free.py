"""How much memory a training process may get, what it has by now included."""

from __future__ import annotations

import torch

from mgpt_tui.memory import memory_left
from training.step.machine import memory_used


def memory_free(device: torch.device, processes: int = 1) -> int | None:
    """Bytes that the processes here have or may still get; None where the system does not tell.

    Args:
        device: a GPU has memory of its own.
        processes: how many of this run share the machine.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    left = memory_left(processes)
    now, _ = memory_used(device)
    return None if left is None else left + (now or 0)
