"""Kill a training run again and again, and find it the same as one that was left alone.

    python campaigns/resume.py [--ends N] [--seed N] [--keep-files]

For each precision and optimizer a real `mgpt-tui train` runs to its end undisturbed. The same run
is then begun anew, killed with SIGKILL at random moments (in a step, while a checkpoint is
written, while `last` and `best` are pointed at it, while an old one is removed) and resumed each
time. In the end both must have the same figures for every step, to the last bit, and the same
weights and optimizer state, byte for byte. Exits with 1 and a report where they have not.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lab import Before, Different, Lab, campaign, compare, logged, moments, wait_for

STEPS = 240
EVERY = 8
VARIANTS: dict[str, tuple[str, ...]] = {
    "fp32": ("--dtype", "fp32"),
    "bf16": ("--dtype", "bf16", "--grad-accumulation", "2"),
    "fp16 muon": ("--dtype", "fp16", "--optimizer", "muon"),
}
SETTINGS = (
    *("--preset", "tiny", "--n-embd", "32", "--block-size", "64", "--batch-size", "8"),
    *("--dropout", "0.1", "--story-starts", "0.3", "--learning-rate", "3e-3"),
    *("--max-steps", str(STEPS), "--warmup-steps", "20", "--decay", "cosine"),
    *("--eval-every", str(EVERY), "--eval-stories", "12", "--sample-tokens", "8"),
    *("--log-every", "1", "--keep", "2", "--device", "cpu"),
)
STEPPING = "in a step"
STARTING = "starting"
ASKED = "asked to stop"
PHASES: dict[str, Callable[[str], bool]] = {
    "saving": lambda name: name.startswith(".tmp-step-") and name.count("-") == 3,
    "pointing": lambda name: name.startswith((".tmp-last.json-", ".tmp-best.json-")),
    "pruning": lambda name: name.startswith(".tmp-step-") and name.count("-") == 2,
}
"""Moments to kill at, by the names in the run's folder that betray them. Three more are `STEPPING`,
`STARTING`, and `ASKED`, which is no kill but a SIGTERM, so that there is a checkpoint between
evaluations too.
"""


def kill_in(
    process: subprocess.Popen[bytes],
    run: Path,
    step: int,
    before: Before,
    phase: str,
    draw: random.Random,
) -> str | None:
    """Kill `process` once it has logged `step` and is in `phase`.

    Returns:
        What it was doing, or None where it ended before.
    """
    if phase == STARTING:
        deadline = time.monotonic() + draw.uniform(0.5, 4)
        while time.monotonic() < deadline and not before.has_log(run):
            time.sleep(0.002)
        process.kill()
        return f"{phase}{_left(process, run)}"
    if not wait_for(process, run, step, before):
        return None
    if phase == ASKED:
        process.terminate()
        if process.wait() not in (128 + signal.SIGTERM, 0):  # 0: it had just come to its end
            raise Different(f"{run.name} exited with {process.returncode} on SIGTERM.")
        return phase if process.returncode else None
    if phase == STEPPING:
        time.sleep(draw.uniform(0, 0.03))
    elif not _betrayed(process, run, PHASES[phase]):
        phase = STEPPING
    if phase == "saving":
        time.sleep(draw.uniform(0, 0.01))
    if process.poll() is not None:
        return None
    process.kill()
    return f"{phase}{_left(process, run)}"


def _betrayed(process: subprocess.Popen[bytes], run: Path, is_phase: Callable[[str], bool]) -> bool:
    """Wait for a new name in the run's folder that shows a phase; False where none comes soon."""
    old, deadline = set(os.listdir(run)), time.monotonic() + 5  # noqa: PTH208
    while process.poll() is None and time.monotonic() < deadline:
        names = os.listdir(run)  # noqa: PTH208 - as fast as can be
        if any(is_phase(name) and name not in old for name in names):
            return True
    return False


def _left(process: subprocess.Popen[bytes], run: Path) -> str:
    """What a process that is being killed leaves unfinished, in words."""
    process.wait()
    names = sorted(path.name for path in run.glob(".tmp-*"))
    return f", leaving {' '.join(names)}" if names else ""


def torment(lab: Lab, name: str, options: tuple[str, ...], ends: int, draw: random.Random) -> int:
    """Train the run `name`, ending it `ends` times; returns how often that was a SIGKILL."""
    run = lab.runs / name
    begin = ("train", "--data", str(lab.folder / "data"), "--name", name, *SETTINGS, *options)
    resume = ("train", "--name", name, "--resume")
    phases = [*PHASES, STEPPING, STARTING, ASKED]
    draw.shuffle(phases)
    killed = 0
    for number, step in enumerate(moments(draw, STEPS, EVERY, ends)):
        phase = phases[number % len(phases)]
        before = Before.of(run)
        process = lab.start(*(resume if any(run.glob("step-*")) else begin), log=f"{name}.log")
        moment = kill_in(process, run, step, before, phase, draw)
        if moment is None:
            if process.returncode != 0:
                said = lab.said(f"{name}.log")
                raise Different(f"{name} ended with code {process.returncode}:\n{said}")
            print("  it was through before the next end reached it", flush=True)
            return killed
        killed += phase != ASKED
        what = "stop" if phase == ASKED else f"kill {killed}"
        newest = max((path.name for path in run.glob("step-*")), default="the beginning")
        print(f"  {what}: at step {logged(run)}, {moment}; goes on from {newest}", flush=True)
    lab.finish(*resume, log=f"{name}.log")
    return killed


def body(lab: Lab, draw: random.Random, ends: int) -> str:
    killed = 0
    for variant, options in VARIANTS.items():
        name = variant.replace(" ", "-")
        print(f"{variant}: {STEPS} steps, a checkpoint every {EVERY}", flush=True)
        begin = ("train", "--data", str(lab.folder / "data"), "--name", f"{name}-alone")
        lab.finish(*begin, *SETTINGS, *options, log=f"{name}-alone.log")
        killed += torment(lab, name, options, ends, draw)
        compare(lab.runs / f"{name}-alone", lab.runs / name, STEPS)
        print(f"  the same: {STEPS} steps, weights and optimizer state", flush=True)
    if killed < 2 * ends - 2:  # of three times `ends - 1`, less where a machine is that fast
        raise Different(f"Only {killed} kills reached a run.")
    return f"All the same after {killed} kills"


if __name__ == "__main__":
    sys.exit(campaign(__doc__ or "", 6, body))
