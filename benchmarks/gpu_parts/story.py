"""A real training: the storyteller's recipe on prepared stories, from nothing to its end."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from typing import Any

from gpu_parts.job import Job, Skipped
from gpu_parts.material import TINY
from training.config import TrainConfig, find_recipe, read_toml
from training.data.prepared import read_prepared
from training.runs.checkpoints import RunFolder
from training.trainer import Trainer

RUN = "storyteller-gpu"
RECIPE_TOKENS = 4_300_000
"""Of text that the recipe is for; more text has more steps, so that it is read as often."""
MEAN = 8
COMPILING, LEAST, ENDING = 60.0, 20, 25.0
"""Seconds that compiling takes, steps at least, and seconds for start, mean and score."""
SIZE = 16_000_000
"""Bytes that the result may have."""


def run(job: Job) -> None:
    """See `Part`."""
    job.check("story", _story)


def _story(job: Job) -> dict[str, Any]:
    if job.data is None:
        raise Skipped("needs --data FOLDER, stories that `mgpt-tui prepare` wrote")
    values = read_toml(find_recipe("storyteller"))
    recipe = values["max_steps"], values["eval_every"]
    tiny = {} if job.on_gpu else TINY | {"batch_size": 4, "eval_stories": 8, "sample_tokens": 4}
    values |= {"device": job.device.type, "compile": False} | tiny
    step, look = _rehearsed(job, values)
    data = read_prepared(job.data)
    wanted = max(LEAST, round(recipe[0] * len(data.train.tokens) / RECIPE_TOKENS))
    looks = recipe[0] / recipe[1]
    room = job.seconds - (time.monotonic() - job.began) - ENDING - looks * look
    eager, compiled = wanted * step, COMPILING + wanted * step / 2
    compiles = job.on_gpu and compiled < eager
    fits = max(0.0, room - COMPILING) / (step / 2) if compiles else max(0.0, room) / step
    steps = max(LEAST, min(wanted, int(fits))) if job.on_gpu else LEAST
    changes = tiny | {
        "device": job.device.type,
        "max_steps": steps,
        "eval_every": max(1, round(steps / looks)),
        "warmup_steps": min(values["warmup_steps"], steps // 4),
        "compile": compiles,
    }
    flags = [_flag(name, value) for name, value in changes.items()]
    began = time.perf_counter()
    _mgpt(job, "train", "--data", job.data, "--name", RUN, "--config", "storyteller", *flags)
    seconds = time.perf_counter() - began
    folder = job.out / RUN
    shutil.rmtree(folder, ignore_errors=True)  # of the time before
    _mgpt(job, "export", f"{RUN}/last", folder, "--mean", str(MEAN))
    size = sum(path.stat().st_size for path in folder.iterdir())
    assert size < SIZE, f"{folder} has {size} bytes"
    score = json.loads(_mgpt(job, "eval", folder, "--data", job.data, "--json"))
    return {
        "steps": steps,
        "steps of the recipe": wanted,
        "compiled": compiles,
        "training_seconds": round(seconds, 1),
        "bits_per_byte": score["bits_per_byte"],
        "folder": folder.name,
        "bytes": size,
    }


def _rehearsed(job: Job, values: dict[str, Any]) -> tuple[float, float]:
    """Seconds of a step, not compiled, and of an evaluation with its checkpoint."""
    assert job.data is not None
    count = 30 if job.on_gpu else 3
    values = values | {"max_steps": count, "eval_every": count, "warmup_steps": 2}
    trainer = Trainer(
        TrainConfig().updated(values), read_prepared(job.data), RunFolder("rehearsal")
    )
    times = [time.perf_counter()]
    for _ in trainer.steps():
        times.append(time.perf_counter())
    after = time.perf_counter()
    return (times[-2] - times[1]) / max(1, count - 2), after - times[-2]


def _flag(name: str, value: Any) -> str:
    word = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{word}" if value else f"--no-{word}"
    return f"--{word}={value}"


def _mgpt(job: Job, *words: Any) -> str:
    """What a command of ours prints.

    Raises:
        AssertionError: where it fails, with its last words.
    """
    command = [sys.executable, "-m", "mgpt_tui", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, f"{words[0]}: exit code {done.returncode}: {done.stderr[-900:]}"
    return done.stdout
