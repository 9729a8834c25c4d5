"""What a run will need, told before it begins: time, memory and disk.

Time and memory come from a rehearsal: forward and backward passes of a few sequences, from which
the whole batch is reckoned, as both grow in a straight line with it.
"""

from __future__ import annotations

import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from training.explain import duration, size
from training.loss import ROWS
from training.machine import flops_per_token, memory_used, peak_flops
from training.trainer import Trainer

SHORT_RUN = 20.0
"""Seconds, at the machine's peak, below which a run is not worth a rehearsal."""
REHEARSAL = 0.6
"""Seconds that the largest rehearsal may take; there are two of it."""
BESIDES = 1.08
"""A step's time over that of its forward and backward passes: the optimizer takes the rest."""
SCATTERED = 1.1
"""Memory that the process takes from the system over what it has in use."""
FORWARD = 0.4
"""Share of the forward pass in forward and backward, for evaluations."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the rest of a run needs.

    Attributes:
        seconds: its time; None where it is too short to be rehearsed, with memory.
        step_seconds: the part of one step.
        memory: bytes at most, of all processes on this machine.
        memory_free: bytes that this process has or may still get; None where nobody tells.
        disk: bytes of the checkpoints that will be written, beyond what is there.
        disk_free: bytes that the disk can still hold.
    """

    seconds: float | None
    step_seconds: float | None
    memory: int | None
    memory_free: int | None
    disk: int
    disk_free: int

    def line(self) -> str:
        """All of it in one line."""
        parts = []
        if self.seconds is not None and self.step_seconds is not None:
            parts.append(f"{duration(self.seconds)} ({self.step_seconds:.2g} s a step)")
        if self.memory is not None:
            there = f" ({size(self.memory_free)} free)" if self.memory_free is not None else ""
            parts.append(f"{size(self.memory)} of memory{there}")
        parts.append(f"{size(self.disk)} of disk ({size(self.disk_free)} free)")
        return "This will take about " + ", ".join(parts) + "."

    def warnings(self) -> list[str]:
        """What will not suffice, a line each."""
        found = []
        if self.memory and self.memory_free is not None and self.memory > self.memory_free:
            found.append(
                "Warning: the memory may not suffice. Lower --batch-size (and raise "
                "--grad-accumulation), --block-size or the model's size."
            )
        if self.disk > self.disk_free:
            found.append(
                "Warning: the disk will not hold the checkpoints. Free some space, or keep fewer "
                "with --keep."
            )
        return found


def estimate(trainer: Trainer) -> Estimate:
    """Reckon what the rest of a run needs; nothing of the trainer or of torch's state changes."""
    config, world = trainer.config, trainer.world
    steps = config.schedule.max_steps - trainer.step
    tokens = steps * trainer.tokens_per_step / world.size
    least = tokens * flops_per_token(trainer.model.config)
    least /= peak_flops(trainer.device, trainer.dtype)
    seconds = step_seconds = memory = None
    if least >= SHORT_RUN:
        passes = _rehearse(trainer)
        batch, block = config.batch, trainer.model.config.block_size
        one_pass = passes.seconds * batch.batch_size
        step_seconds = one_pass * batch.grad_accumulation * BESIDES
        evaluated = one_pass * FORWARD * trainer.validation_tokens / (batch.batch_size * block)
        seconds = steps * step_seconds + _evaluations(trainer) * evaluated
        memory = _memory(trainer, passes) * world.local_size
    run = trainer.run.path
    return Estimate(
        seconds,
        step_seconds,
        memory,
        _memory_free(trainer.device),
        _disk(trainer),
        shutil.disk_usage(next(path for path in (run, *run.parents) if path.exists())).free,
    )


@dataclass(frozen=True, slots=True)
class _Passes:
    """What the rehearsal showed.

    Attributes:
        seconds: time of a sequence, forward and backward.
        kept: bytes of a whole batch that are kept for going backward.
        resident: bytes in use when all of torch was awake, but before the larger rehearsal.
    """

    seconds: float
    kept: float
    resident: int


def _rehearse(trainer: Trainer) -> _Passes:
    """Pass a few sequences: twice with count, then ever more by the clock.

    A compiled model is rehearsed with the whole batch, the shape that it was compiled for.
    """
    whole = trainer.config.batch.batch_size
    if trainer.config.machine.compile:
        kept, (resident, _) = _kept(trainer, whole), memory_used(trainer.device)
        return _Passes(_seconds(trainer, whole) / whole, kept, resident or 0)
    kept = _kept(trainer, 1)
    resident, _ = memory_used(trainer.device)
    if whole > 1:
        kept += (_kept(trainer, 2) - kept) * (whole - 1)  # a straight line
    sequences, seconds = 1, _seconds(trainer, 1)
    while sequences < whole and 4 * seconds < REHEARSAL:
        sequences = min(4 * sequences, whole)
        seconds = _seconds(trainer, sequences)
    seconds = min(seconds, _seconds(trainer, sequences))
    return _Passes(seconds / sequences, kept, resident or 0)


def _kept(trainer: Trainer, sequences: int) -> int:
    """Bytes that a pass keeps for going backward, weights left out."""
    kept = {weight.data_ptr(): 0 for weight in trainer.model.parameters()}

    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        trainer.rehearse(sequences)
    return sum(kept.values())


def _seconds(trainer: Trainer, sequences: int) -> float:
    """Time of a pass."""
    started = time.perf_counter()
    trainer.rehearse(sequences)
    return time.perf_counter() - started


def _memory(trainer: Trainer, passes: _Passes) -> int:
    """Bytes of a process at its peak: when it turns backward, or writes a checkpoint."""
    model, batch = trainer.model.config, trainer.config.batch
    weights = 4 * model.parameters()
    states = 0 if trainer.step else _state_bytes(trainer)  # a resumed run has them already
    tokens = batch.batch_size * model.block_size
    width = 4 if trainer.dtype == torch.float32 else 2
    # Gradients on their way down, four times as wide in the MLP, and a chunk of logits.
    passing = tokens * model.n_embd * 10 * width + ROWS * model.vocab_size * (4 + width)
    training = passes.kept + passing
    saving = 2 * weights + _state_bytes(trainer)
    return int(SCATTERED * (passes.resident + weights + states + max(training, saving)))


def _state_bytes(trainer: Trainer) -> int:
    """Bytes of the optimizer's state: a momentum for Muon, two moments for AdamW."""
    return sum(
        weight.numel() * 4 * (1 if isinstance(part, torch.optim.Muon) else 2)
        for part in trainer.optimizers.parts
        for group in part.param_groups
        for weight in group["params"]
    )


def _evaluations(trainer: Trainer) -> int:
    """How many evaluations, and checkpoints, are to come."""
    last, every = trainer.config.schedule.max_steps, trainer.config.report.eval_every
    return -(-last // every) - trainer.step // every


def _disk(trainer: Trainer) -> int:
    """Bytes that the checkpoints will take beyond those that are there already."""
    one = 4 * trainer.model.config.parameters() + _state_bytes(trainer)
    keep, there = trainer.config.report.keep, len(trainer.run.checkpoints())
    count = _evaluations(trainer)
    if keep is not None:  # those, the best, and the one that is being written
        count = max(0, min(count, keep + 2 - there))
    return count * one


def _memory_free(device: torch.device) -> int | None:
    """Bytes that this process has or may still get, or None where the system does not tell."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0] + torch.cuda.memory_reserved(device)
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    available = re.search(r"MemAvailable:\s+(\d+) kB", text)
    if available is None:
        return None
    now, _ = memory_used(device)
    return min([int(available[1]) * 1024, *_left_in_group()]) + (now or 0)


def _left_in_group() -> list[int]:
    """Bytes left to the control group that holds this process, as containers set it."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit = (folder / "memory.max").read_text(encoding="ascii").strip()
        used = int((folder / "memory.current").read_text(encoding="ascii"))
        return [] if limit == "max" else [max(0, int(limit) - used)]
    except (OSError, ValueError):
        return []
