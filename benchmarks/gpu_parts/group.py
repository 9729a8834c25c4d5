"""A process that torchrun starts: trains in a group, and alone, and compares the losses."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist

from gpu_parts.job import Job
from gpu_parts.material import made_up, settings
from training.config import TrainConfig
from training.runs.checkpoints import RunFolder
from training.step.distributed import backend, data_parallel
from training.trainer import Trainer

COUNT = 6


def main() -> None:
    device, minutes, scratch = sys.argv[1:]
    job = Job("group", torch.device(device), float(minutes), 60, None, Path(), Path(scratch))
    dist.init_process_group(backend())
    values = settings(job, "storyteller", batch_size=8, max_steps=COUNT, grad_accumulation=2)
    losses = []
    for name in ("group", "alone"):
        config = TrainConfig().updated(values)
        trainer = Trainer(config, made_up(job, "storyteller"), RunFolder(f"group-{name}"))
        if name == "group":
            trainer.update.loss = data_parallel(trainer.update.loss, job.device)
        losses.append([metrics.loss for metrics in trainer.steps()])
    sums = {}
    for kind in {"cpu", job.device.type}:  # both ways of talking
        ones = torch.ones(3, device=kind)
        dist.all_reduce(ones)
        sums[kind] = ones.sum().item()
    assert set(sums.values()) == {3.0 * int(os.environ["WORLD_SIZE"])}, sums
    worst = max(abs(a - b) / b for a, b in zip(*losses, strict=True))
    print(json.dumps({"largest difference": worst, "backend": dist.get_backend_config()}))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
