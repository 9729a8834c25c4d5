"""Whether the trainer's steps on a device are what they should be."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import torch

from gpu_parts.job import Job, Skipped, within
from gpu_parts.material import made_up, settings
from mgpt_tui.errors import UserError
from training.config import TrainConfig
from training.launch import train
from training.runs.checkpoints import RunFolder
from training.start import TrainRequest
from training.trainer import Trainer

COUNT = 20


def run(job: Job) -> None:
    """See `Part`."""
    if not job.thorough:  # without a C++ compiler, but through all that comes before it
        torch.compile = partial(torch.compile, backend="aot_eager")
    job.check("fp32 against the CPU", against_cpu)
    job.check("twice the same", twice)
    job.check("resume", resume)
    job.check("fp16 that overflows", overflow)
    job.check("no number", no_number)
    job.check("compile", compiled)
    job.check("compile, gradients added up", partial(compiled, parts=2))
    job.check("compile, dropout later", late_dropout)
    job.check("out of memory", out_of_memory)


def _trainer(job: Job, name: str, *, resume: bool = False, **changes: Any) -> Trainer:
    folder = RunFolder(f"{job.part}-{name}")
    config = TrainConfig().updated(settings(job, "storyteller", **({"batch_size": 8} | changes)))
    saved = folder.load() if resume else None
    return Trainer(config, made_up(job, "storyteller"), folder, None, saved)


def _losses(trainer: Trainer) -> list[float]:
    return [metrics.loss for metrics in trainer.steps()]


def _apart(one: list[float], other: list[float]) -> float:
    """Largest difference of losses, as a share."""
    return max(abs(a - b) / b for a, b in zip(one, other, strict=True))


def against_cpu(job: Job) -> dict[str, Any]:
    """AdamW, no dropout, fp32: the same losses but for rounding."""
    some = {"dtype": "fp32", "max_steps": COUNT}
    own = _losses(_trainer(job, "device", **some))
    cpu = _losses(_trainer(job, "cpu", **some | {"device": "cpu"}))
    assert own[-1] < own[0], "the loss does not fall"
    return {"largest difference": within(_apart(own, cpu), 2e-3), "first": cpu[0], "last": cpu[-1]}


def twice(job: Job) -> dict[str, Any]:
    """The same run once more: whether it is the same to the last bit, and else by how much not."""
    found = {}
    for optimizer in ("adamw", "muon"):
        some = {"optimizer": optimizer, "dropout": 0.1, "max_steps": COUNT, "dtype": "bf16"}
        one, other = (_losses(_trainer(job, f"{optimizer}-{n}", **some)) for n in range(2))
        found[optimizer] = within(_apart(one, other), 0.02 if job.on_gpu else 0.0)
    return found


def resume(job: Job) -> dict[str, Any]:
    """Stopped after half of the steps and resumed, against a run without a stop."""
    some = {"optimizer": "muon", "dropout": 0.1, "max_steps": COUNT, "dtype": "bf16"}
    straight = _losses(_trainer(job, "straight", **some))
    trainer, told = _trainer(job, "stopped", **some), []
    for metrics in trainer.steps():
        told.append(metrics.loss)
        if metrics.step == COUNT // 2:
            trainer.ask_to_stop(15)
    trainer.save()
    assert len(told) == trainer.step == COUNT // 2 + trainer.update.lag
    told += _losses(_trainer(job, "stopped", resume=True, **some))
    bound = 0.02 if job.on_gpu else 0.0
    return {"largest difference": within(_apart(told, straight), bound), "lag": trainer.update.lag}


def overflow(job: Job) -> dict[str, Any]:
    """A scale that is far too large: steps are left out until it has come down."""
    trainer = _trainer(job, "fp16", dtype="fp16", max_steps=40)
    trainer.update.scaler.load_state_dict(trainer.update.scaler.state_dict() | {"scale": 2.0**36})
    start = trainer.model.token_embedding.weight.detach().clone()
    steps, moved, norms, losses = trainer.steps(), [], [], []
    for metrics in steps:
        moved.append(not torch.equal(start, trainer.model.token_embedding.weight))
        norms.append(metrics.grad_norm)
        losses.append(metrics.loss)
    assert not moved[0], "a step that overflowed moved the weights"
    assert not math.isfinite(norms[0]), "nothing overflowed"
    assert moved[-1] and math.isfinite(norms[-1]), "it has not recovered"
    assert losses[-1] < losses[0], "the loss does not fall"
    return {
        "steps left out": moved.index(True),
        "scale at the end": trainer.update.scaler.get_scale(),
    }


def no_number(job: Job) -> dict[str, Any]:
    """A weight that becomes NaN after step 5 is told of step 6, or of the one under way."""
    trainer = _trainer(job, "nan", dtype="bf16", max_steps=COUNT)
    told, begun = [], 0
    try:
        for metrics in trainer.steps():
            told.append(metrics.step)
            if metrics.step == 5:
                begun = trainer.step + 1
                with torch.no_grad():
                    trainer.model.final_norm.weight.fill_(math.nan)
    except UserError as error:
        assert f"at step {begun}." in error.message, error.message
        assert told == list(range(1, begun)), f"steps {told} were told"
        return {"told of step": begun}
    raise AssertionError("nothing was told")


def compiled(job: Job, parts: int = 1) -> dict[str, Any]:
    """`--compile` against eager, in the losses."""
    if not job.has_time(35):
        raise Skipped("no time left")
    if parts > 1 and not job.thorough:
        raise Skipped("takes three minutes asked for")
    some = {"dtype": "bf16", "max_steps": COUNT, "grad_accumulation": parts}
    eager = _losses(_trainer(job, f"eager-{parts}", **some))
    trainer = _trainer(job, f"compiled-{parts}", compile=True, **some)
    assert trainer.compile_problem is None, trainer.compile_problem
    return {"largest difference": within(_apart(_losses(trainer), eager), 0.02)}


def late_dropout(job: Job) -> dict[str, Any]:
    """A run that begins without dropout and goes on with it, as the storyteller's recipe does."""
    if not job.has_time(35):
        raise Skipped("no time left")
    some = {"dropout": 0.1, "dropout_form": "channel", "dropout_after": 0.5, "dtype": "bf16"}
    trainer = _trainer(job, "late", compile=True, max_steps=COUNT, **some)
    assert trainer.compile_problem is None, trainer.compile_problem
    compiles = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    losses = _losses(trainer)
    again = torch._dynamo.utils.counters["stats"]["unique_graphs"] - compiles
    assert losses[-1] < losses[0], "the loss does not fall"
    assert again == 0, f"{again} graphs were compiled while it trained"
    return {"compiled while it trained": again}


def out_of_memory(job: Job) -> dict[str, Any]:
    """What a user reads who asks for too much."""
    if not job.on_gpu:
        raise Skipped("a CPU would use all of the machine's memory")
    values = settings(job, "small", batch_size=256, max_steps=2)
    torch.cuda.set_per_process_memory_fraction(0.02)
    try:
        train(TrainRequest(name="too-large", data=made_up(job, "small").folder, values=values))
    except UserError as error:
        assert "not enough memory" in error.message, error.message
        assert "--batch-size" in error.remedy, error.remedy
        return {"says": f"{error.message} {error.remedy}"}
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    raise AssertionError("it fitted")
