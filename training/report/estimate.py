"""What a run will need, told before it begins: time, memory and disk.

Time and memory come from a rehearsal: forward and backward passes of a few sequences, from which
the whole batch is reckoned, as both grow in a straight line with it.
"""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass

import torch
from torch import Tensor

from mgpt_tui.errors import UserError
from training.report.figures import duration, size
from training.step.loss import ROWS
from training.step.machine import memory_used, peak_flops
from training.step.memory_free import memory_free
from training.trainer import Trainer

SHORT_RUN = 20.0
"""Seconds, at the machine's peak, below which a run is not worth a rehearsal."""
REHEARSAL = 0.6
"""Seconds that the largest rehearsal may take; there are two of it."""
BESIDES = 1.08
"""A step's time over that of its forward and backward passes: the optimizer takes the rest."""
SCATTERED = 1.1
"""Memory that the process takes from the system over what it has in use."""
DOUBT = 1.25
"""A run may take so many times less than is said, and is not refused for less."""
LOWER = "Lower --batch-size (and raise --grad-accumulation), --block-size or the model's size."
"""What to do where a training finds too little memory."""
FORWARD = 0.4
"""Share of the forward pass in forward and backward, for evaluations."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What the rest of a run needs.

    Attributes:
        seconds: its time; None where it is too short to be rehearsed for it.
        step_seconds: the part of one step.
        memory: bytes at most, of all processes on this machine.
        memory_free: bytes that they have or may still get; None where nobody tells.
        disk: bytes of the checkpoints that will be written, beyond what is there.
        disk_free: bytes that the disk can still hold.
        teachers_seconds: the part of `seconds` that teachers take.
        teachers_memory: the part of `memory` that they take; 0 where there are none.
    """

    seconds: float | None
    step_seconds: float | None
    memory: int
    memory_free: int | None
    disk: int
    disk_free: int
    teachers_seconds: float | None = None
    teachers_memory: int = 0

    def line(self) -> str:
        """All of it in one line."""
        parts = []
        if self.seconds is not None and self.step_seconds is not None:
            parts.append(f"{duration(self.seconds)} ({self.step_seconds:.2g} s a step)")
        there = f" ({size(self.memory_free)} free)" if self.memory_free is not None else ""
        parts.append(f"{size(self.memory)} of memory{there}")
        parts.append(f"{size(self.disk)} of disk ({size(self.disk_free)} free)")
        return "This will take about " + ", ".join(parts) + "." + self._of_teachers()

    def _of_teachers(self) -> str:
        if not self.teachers_memory:
            return ""
        parts = [size(self.teachers_memory)]
        if self.teachers_seconds is not None:
            parts.insert(0, duration(self.teachers_seconds))
        return f" Of it, the teachers take {' and '.join(parts)}."

    def check_memory(self) -> None:
        """Refuse a run that cannot fit, allowing for what an estimate may be wrong by.

        Raises:
            UserError: where it needs far more memory than there is.
        """
        if self.memory_free is not None and self.memory > DOUBT * self.memory_free:
            raise UserError(
                f"There is not enough memory for this: it takes about {size(self.memory)}, and "
                f"{size(self.memory_free)} are free.",
                f"{LOWER} --anyway begins nonetheless.",
            )

    def warnings(self) -> list[str]:
        """What will not suffice, a line each."""
        found = []
        if self.memory_free is not None and self.memory > self.memory_free:
            found.append(f"Warning: the memory may not suffice. {LOWER}")
        if self.disk > self.disk_free:
            found.append(
                "Warning: the disk will not hold the checkpoints. Free some space, or keep fewer "
                "with --keep."
            )
        return found


def estimate(trainer: Trainer, rehearse: bool = False) -> Estimate:
    """Reckon what the rest of a run needs; nothing of the trainer or of torch's state changes.

    Args:
        rehearse: tell the time however short the run is.
    """
    config, world = trainer.config, trainer.world
    steps = config.schedule.max_steps - trainer.step
    tokens = steps * trainer.tokens_per_step / world.size
    least = tokens * trainer.flops_per_token / peak_flops(trainer.device, trainer.dtype)
    seconds = step_seconds = teachers_seconds = None
    told = rehearse or least >= SHORT_RUN
    if not told and trainer.device.type != "cuda":  # whose allocator tells
        passes = _Passes(0.0, *_needed(trainer), 0.0)
    else:
        passes = _rehearse(trainer)
    if told:
        batch, block = config.batch, trainer.model.config.block_size
        one_pass = passes.seconds * batch.batch_size
        step_seconds = one_pass * batch.grad_accumulation * BESIDES
        alone = one_pass * (1 - passes.teachers_share)
        evaluated = alone * FORWARD * trainer.validation.tokens / (batch.batch_size * block)
        seconds = steps * step_seconds + _evaluations(trainer) * evaluated
        teachers_seconds = steps * step_seconds * passes.teachers_share
    run = trainer.run.path
    return Estimate(
        seconds,
        step_seconds,
        _memory(trainer, passes) * world.local_size,
        memory_free(trainer.device, world.local_size),
        _disk(trainer),
        shutil.disk_usage(next(path for path in (run, *run.parents) if path.exists())).free,
        teachers_seconds,
        _teachers_memory(trainer) * world.local_size,
    )


@dataclass(frozen=True, slots=True)
class _Passes:
    """What the rehearsal showed.

    Attributes:
        seconds: time of a sequence, forward and backward.
        kept: bytes of a whole batch that are kept for going backward.
        resident: bytes in use when all of torch was awake, but before the larger rehearsal.
        teachers_share: the part of `seconds` that teachers take.
    """

    seconds: float
    kept: float
    resident: int
    teachers_share: float


def _rehearse(trainer: Trainer) -> _Passes:
    """Pass a few sequences: twice with count, then ever more by the clock.

    A compiled model is rehearsed with the whole batch, the shape that it was compiled for, and so
    is any on a GPU, which takes as long for a few sequences as for many.
    """
    whole = trainer.config.batch.batch_size
    if trainer.device.type == "cuda":
        return _rehearse_on_gpu(trainer, whole)
    kept, resident = _needed(trainer)
    if trainer.config.machine.compile:
        seconds = _seconds(trainer, whole)
        return _Passes(seconds / whole, kept, resident, _teachers_share(trainer, whole, seconds))
    sequences, seconds = 1, _seconds(trainer, 1)
    while sequences < whole and 4 * seconds < REHEARSAL:
        sequences = min(4 * sequences, whole)
        seconds = _seconds(trainer, sequences)
    seconds = min(seconds, _seconds(trainer, sequences))
    share = _teachers_share(trainer, sequences, seconds)
    return _Passes(seconds / sequences, kept, resident, share)


def _needed(trainer: Trainer) -> tuple[float, int]:
    """Bytes that a whole batch keeps for going backward, and those in use without it.

    Two short passes tell, as what is kept grows in a straight line with the sequences.
    """
    whole = trainer.config.batch.batch_size
    if trainer.config.machine.compile:
        return _kept(trainer, whole), memory_used(trainer.device)[0] or 0
    kept = _kept(trainer, 1)
    resident, _ = memory_used(trainer.device)
    if whole > 1:
        kept += (_kept(trainer, 2) - kept) * (whole - 1)
    return kept, resident or 0


def _rehearse_on_gpu(trainer: Trainer, whole: int) -> _Passes:
    """Its own allocator tells what a pass takes at most; the first ones make ready."""
    for _ in range(2):
        trainer.update.rehearse(trainer.step, whole)
    resident = torch.cuda.memory_allocated(trainer.device)
    seconds = _seconds(trainer, whole)
    most = torch.cuda.max_memory_allocated(trainer.device)
    share = _teachers_share(trainer, whole, seconds)
    return _Passes(seconds / whole, most - resident, resident, share)


def _kept(trainer: Trainer, sequences: int) -> int:
    """Bytes that a pass keeps for going backward, weights left out."""
    kept = {weight.data_ptr(): 0 for weight in trainer.model.parameters()}

    @torch.compiler.disable  # type: ignore[untyped-decorator]  # else traced with the model
    def count(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept.setdefault(storage.data_ptr(), storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        trainer.update.rehearse(trainer.step, sequences)
    return sum(kept.values())


def _seconds(trainer: Trainer, sequences: int) -> float:
    """Time of a pass."""
    started = time.perf_counter()
    trainer.update.rehearse(trainer.step, sequences)
    return time.perf_counter() - started


def _teachers_share(trainer: Trainer, sequences: int, seconds: float) -> float:
    """The part of a pass of so many `seconds` that teachers take."""
    if trainer.update.teachers is None:
        return 0.0
    with trainer.update.untaught():
        return max(0.0, 1 - _seconds(trainer, sequences) / seconds)


def _teachers_memory(trainer: Trainer) -> int:
    """Bytes of the teachers' weights, and of what they hold of a batch."""
    teachers = trainer.update.teachers
    if teachers is None:
        return 0
    tokens = trainer.config.batch.batch_size * trainer.model.config.block_size
    return teachers.weight_bytes + teachers.hidden_bytes(tokens)


def _memory(trainer: Trainer, passes: _Passes) -> int:
    """Bytes of a process at its peak: when it turns backward, or writes a checkpoint."""
    model, batch = trainer.model.config, trainer.config.batch
    weights = 4 * model.parameters()
    states = 0 if trainer.step else _state_bytes(trainer)  # a resumed run has them already
    tokens = batch.batch_size * model.block_size
    width = 4 if trainer.dtype == torch.float32 else 2
    # Gradients on their way down, four times as wide in the MLP, and a chunk of logits.
    passing = tokens * model.n_embd * 10 * width + ROWS * model.vocab_size * (4 + width)
    if trainer.update.teachers is not None:  # their weights are resident already
        passing += trainer.update.teachers.hidden_bytes(tokens)
    on_gpu = trainer.device.type == "cuda"  # whose allocator has counted all of it
    training = passes.kept + (0 if on_gpu else passing)
    saving = 2 * weights + _state_bytes(trainer) + _average_bytes(trainer)
    return int(SCATTERED * (passes.resident + weights + states + max(training, saving)))


def _state_bytes(trainer: Trainer) -> int:
    """Bytes of the optimizer's state: a momentum for Muon, two moments for AdamW."""
    return sum(
        weight.numel() * 4 * (1 if isinstance(part, torch.optim.Muon) else 2)
        for part in trainer.update.optimizers.parts
        for group in part.param_groups
        for weight in group["params"]
    )


def _average_bytes(trainer: Trainer) -> int:
    """Bytes of the mean of the weights, where one is kept."""
    return 0 if trainer.average is None else trainer.average.bytes


def _evaluations(trainer: Trainer) -> int:
    """How many evaluations, and checkpoints, are to come."""
    last, every = trainer.config.schedule.max_steps, trainer.config.report.eval_every
    return -(-last // every) - trainer.step // every


def _disk(trainer: Trainer) -> int:
    """Bytes that the checkpoints will take beyond those that are there already."""
    one = 4 * trainer.model.config.parameters() + _state_bytes(trainer) + _average_bytes(trainer)
    keep, there = trainer.config.report.keep, len(trainer.run.checkpoints())
    count = _evaluations(trainer)
    if keep is not None:  # those, the best, and the one that is being written
        count = max(0, min(count, keep + 2 - there))
    return count * one
