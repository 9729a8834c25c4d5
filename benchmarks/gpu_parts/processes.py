"""Several processes, and one that is killed: with the real command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from gpu_parts.job import Job, Skipped, within
from gpu_parts.material import made_up, settings

TORCHRUN = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node")


def run(job: Job) -> None:
    """See `Part`."""
    job.check("torchrun, a group of one", group)
    job.check("kill -9 and resume", killed)
    job.check("more processes than GPUs", too_many)


def group(job: Job) -> dict[str, Any]:
    """torchrun with one process: gradients go through DDP and NCCL (gloo on a CPU)."""
    made_up(job, "storyteller")
    command = [
        *TORCHRUN,
        "1",
        "-m",
        "gpu_parts.group",
        job.device.type,
        str(job.minutes),
        str(job.scratch),
    ]
    figures: dict[str, Any] = json.loads(_done(command).splitlines()[-1])
    bound = 1e-3 if job.on_gpu else 0.0
    return figures | {"largest difference": within(figures["largest difference"], bound)}


def too_many(job: Job) -> dict[str, Any]:
    """Two processes for one GPU are refused in one line."""
    import torch

    there = torch.cuda.device_count() if job.on_gpu else 0
    if not there:
        raise Skipped("a CPU takes any number")
    if not job.has_time(0):
        raise Skipped("no time left")
    command = [*TORCHRUN, str(there + 1), "-m", "mgpt_tui", *_train(job, "many", 2)]
    done = subprocess.run(command, capture_output=True, text=True)
    said = f"has {there} GPU(s) for {there + 1} processes."
    assert done.returncode != 0 and said in done.stderr, done.stderr[-600:]
    return {"says": said}


def killed(job: Job) -> dict[str, Any]:
    """A run that is killed after a checkpoint and resumed, against one that was not."""
    if not job.thorough:
        raise Skipped("takes three minutes asked for")
    steps = 60
    _done([sys.executable, "-m", "mgpt_tui", *_train(job, "straight", steps)])
    command = [sys.executable, "-m", "mgpt_tui", *_train(job, "killed", steps)]
    runs = Path(os.environ["MGPT_DATA_DIR"]) / "runs"
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        until = time.monotonic() + 120
        while not list((runs / "killed").glob("step-*")) and time.monotonic() < until:
            assert process.poll() is None, "it ended by itself"
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    _done([*command, "--resume"])
    straight, resumed = (_losses(runs / name) for name in ("straight", "killed"))
    assert straight.keys() == resumed.keys(), "steps are missing"
    worst = max(abs(resumed[step] - loss) / loss for step, loss in straight.items())
    return {"largest difference": within(worst, 0.02 if job.on_gpu else 0.0)}


def _train(job: Job, name: str, steps: int) -> list[str]:
    """The words of a run that evaluates every 20 steps."""
    values = settings(job, "storyteller", max_steps=steps, eval_every=20, dropout=0.1, log_every=1)
    values |= {"batch_size": 8, "optimizer": "muon", "dtype": "bf16"}
    flags = [f"--{key.replace('_', '-')}={value}" for key, value in values.items()]
    return ["train", "--data", str(made_up(job, "storyteller").folder), "--name", name, *flags]


def _losses(run: Path) -> dict[int, float]:
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return {record["step"]: record["loss"] for record in map(json.loads, lines)}


def _done(command: list[str]) -> str:
    """What a command printed.

    Raises:
        AssertionError: where it fails, with its last words.
    """
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"exit code {done.returncode}: {done.stderr[-900:]}"
    return done.stdout
