"""Kill a training run again and again, and find it the same as one that was left alone.

    python campaigns/resume.py [--kills N] [--seed N] [--keep-files]

For each precision and optimizer a real `mgpt-tui train` runs to its end undisturbed. The same run
is then begun anew, killed with SIGKILL at random moments (in a step, while a checkpoint is
written, while `last` and `best` are pointed at it, while an old one is removed) and resumed each
time. In the end both must have the same figures for every step, to the last bit, and the same
weights and optimizer state, byte for byte. Exits with 1 and a report where they have not.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
TIMES = ("tokens_per_second", "seconds", "mfu", "memory_bytes", "memory_peak_bytes")
"""What a log tells of the machine rather than of the model."""
PATIENCE = 120.0
"""Seconds after which a process that makes no step counts as hung."""

STARTING = "starting"
ASKED = "asked to stop"
PHASES: dict[str, Callable[[str], bool]] = {
    "in a step": lambda name: True,
    "saving": lambda name: name.startswith(".tmp-step-") and name.count("-") == 3,
    "pointing": lambda name: name.startswith((".tmp-last.json-", ".tmp-best.json-")),
    "pruning": lambda name: name.startswith(".tmp-step-") and name.count("-") == 2,
}
"""Moments to kill at, by the names in the run's folder that betray them. Two more are `STARTING`,
and `ASKED`, which is no kill but a SIGTERM, so that there is a checkpoint between evaluations too.
"""


class Different(Exception):
    """What the campaign is there to find."""


@dataclass(frozen=True)
class Lab:
    """A folder with a home of its own and prepared data."""

    folder: Path

    @property
    def runs(self) -> Path:
        return self.folder / "home" / "runs"

    def start(self, *arguments: str, log: str) -> subprocess.Popen[bytes]:
        """`mgpt-tui` with these arguments; what it says goes to the file `log`."""
        environment = os.environ | {
            "MGPT_DATA_DIR": str(self.folder / "home"),
            "MGPT_CONFIG_DIR": str(self.folder / "config"),
            "MGPT_STATE_DIR": str(self.folder / "state"),
            "MGPT_CACHE_DIR": str(self.folder / "cache"),
            "OMP_NUM_THREADS": "2",
        }
        with (self.folder / log).open("ab") as stream:
            return subprocess.Popen(
                [sys.executable, "-m", "mgpt_tui", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                env=environment,
            )

    def finish(self, *arguments: str, log: str) -> None:
        """Run `mgpt-tui` to its end.

        Raises:
            Different: where it fails.
        """
        code = self.start(*arguments, log=log).wait()
        if code != 0:
            words = (self.folder / log).read_text(errors="replace")[-2000:]
            raise Different(f"`mgpt-tui {' '.join(arguments)}` exited with {code}:\n{words}")


def prepare(lab: Lab) -> None:
    """Make up stories and turn them into tokens."""
    names = ("Mia", "Tom", "Ada", "Ben", "Zoe", "Sam", "Lio", "Eva")
    things = ("kite", "boat", "drum", "lamp", "ball", "cake", "shell", "cart")
    places = ("pond", "hill", "barn", "shore", "yard")
    draw = random.Random(0)
    stories = [
        f"{draw.choice(names)} found a {draw.choice(things)} by the {draw.choice(places)}. "
        f"It was number {number}. {draw.choice(names)} came and asked to see it, so they played "
        f"{draw.randint(2, 99)} times and went home before the rain."
        for number in range(800)
    ]
    text = lab.folder / "stories.txt"
    text.write_text("\n<|endoftext|>\n".join(stories), encoding="utf-8")
    lab.finish(
        *("prepare", "--source", str(text), "--out", str(lab.folder / "data")),
        *("--vocab-size", "400", "--val-fraction", "0.05"),
        log="prepare.log",
    )


def records(run: Path) -> dict[int, dict[str, Any]]:
    """The log of a run by step, without what depends on the clock.

    Raises:
        Different: where a step is there twice.
    """
    found: dict[int, dict[str, Any]] = {}
    for line in (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if record["step"] in found:
            raise Different(f"{run.name} has step {record['step']} twice in its log.")
        found[record["step"]] = {key: record[key] for key in record if key not in TIMES}
    return found


def digests(run: Path) -> dict[str, str]:
    """SHA-256 of what the last checkpoint of a run learned."""
    folder = run / json.loads((run / "last.json").read_text())["checkpoint"]
    names = ("model.safetensors", "optimizer.safetensors")
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}


def compare(left_alone: Path, killed: Path) -> None:
    """Say what differs.

    Raises:
        Different: where anything does.
    """
    expected, found = records(left_alone), records(killed)
    if list(expected) != list(range(1, STEPS + 1)):
        raise Different(f"{left_alone.name} has not logged every step.")
    if list(found) != list(expected):
        missing = sorted(expected.keys() - found.keys())
        raise Different(f"{killed.name} has not logged every step in order; missing: {missing}")
    for step, record in expected.items():
        for key, value in record.items():
            if found[step].get(key) != value:
                raise Different(
                    f"{killed.name} differs at step {step}: {key} is {found[step].get(key)!r}, "
                    f"undisturbed it was {value!r}."
                )
    for name, digest in digests(left_alone).items():
        if digests(killed)[name] != digest:
            raise Different(f"{killed.name} ends with another {name}.")


def kill_in(
    process: subprocess.Popen[bytes], run: Path, step: int, phase: str, draw: random.Random
) -> str | None:
    """Kill `process` once it has logged `step` and is in `phase`.

    Returns:
        What it was doing, or None where it ended before.
    """
    if phase == STARTING:
        time.sleep(draw.uniform(0.5, 4))
        process.kill()
        return f"{phase}{_left(process, run)}"
    log, deadline = run / "metrics.jsonl", time.monotonic() + PATIENCE
    while not log.exists() or log.read_bytes().count(b"\n") < step:
        if process.poll() is not None:
            return None
        if time.monotonic() > deadline:
            process.kill()
            raise Different(f"{run.name} does not reach step {step}.")
        time.sleep(0.002)
    if phase == ASKED:
        process.terminate()
        if process.wait() != 128 + signal.SIGTERM:
            raise Different(f"{run.name} exited with {process.returncode} on SIGTERM.")
        return phase
    is_phase, seen = PHASES[phase], ""
    deadline = time.monotonic() + 5
    while process.poll() is None:
        seen = next(filter(is_phase, os.listdir(run)), "")  # noqa: PTH208 - as fast as can be
        if seen or time.monotonic() > deadline:
            break
    if phase in ("in a step", "saving"):
        time.sleep(draw.uniform(0, 0.03 if phase == "in a step" else 0.01))
    if process.poll() is not None:
        return None
    process.kill()
    return f"{phase if seen else 'in a step'}{_left(process, run)}"


def _left(process: subprocess.Popen[bytes], run: Path) -> str:
    """What a process that is being killed leaves unfinished, in words."""
    process.wait()
    names = sorted(path.name for path in run.glob(".tmp-*"))
    return f", leaving {' '.join(names)}" if names else ""


def torment(lab: Lab, name: str, options: tuple[str, ...], kills: int, draw: random.Random) -> int:
    """Train the run `name`, ending it `kills` times; returns how often that was a SIGKILL."""
    run = lab.runs / name
    begin = ("train", "--data", str(lab.folder / "data"), "--name", name, *SETTINGS, *options)
    resume = ("train", "--name", name, "--resume")
    phases = [*PHASES, STARTING, ASKED]
    draw.shuffle(phases)
    killed = 0
    for number, step in enumerate(sorted(draw.sample(range(EVERY + 1, STEPS - EVERY), kills))):
        checkpoints = sorted(path.name for path in run.glob("step-*"))
        process = lab.start(*(resume if checkpoints else begin), log=f"{name}.log")
        phase = phases[number % len(phases)]
        moment = kill_in(process, run, step, phase, draw)
        if moment is None:
            raise Different(
                f"{name} ended by itself with code {process.returncode}:\n"
                + (lab.folder / f"{name}.log").read_text(errors="replace")[-2000:]
            )
        killed += phase != ASKED
        log = run / "metrics.jsonl"
        reached = log.read_bytes().count(b"\n") if log.exists() else 0
        newest = max((path.name for path in run.glob("step-*")), default="no checkpoint")
        what = "stop" if phase == ASKED else f"kill {killed}"
        print(f"  {what}: at step {reached}, {moment}; goes on from {newest}", flush=True)
    lab.finish(*resume, log=f"{name}.log")
    return killed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=6, help="for each variant [default: 6]")
    parser.add_argument("--seed", type=int, help="draws the moments; left out, a new one is drawn")
    parser.add_argument("--keep-files", action="store_true", help="leave the runs behind")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    draw = random.Random(seed)
    folder = Path(tempfile.mkdtemp(prefix="mgpt-campaign-"))
    print(f"seed {seed}, {options.kills} early ends for each of {', '.join(VARIANTS)}, in {folder}")
    started, killed = time.monotonic(), 0
    try:
        lab = Lab(folder)
        prepare(lab)
        for variant, choice in VARIANTS.items():
            name = variant.replace(" ", "-")
            print(f"{variant}: {STEPS} steps, a checkpoint every {EVERY}", flush=True)
            begin = ("train", "--data", str(lab.folder / "data"), "--name", f"{name}-alone")
            lab.finish(*begin, *SETTINGS, *choice, log=f"{name}-alone.log")
            killed += torment(lab, name, choice, options.kills, draw)
            compare(lab.runs / f"{name}-alone", lab.runs / name)
            print(f"  the same: {STEPS} steps, weights and optimizer state", flush=True)
    except Different as difference:
        print(f"\nDIFFERENT after {killed} kills (seed {seed}): {difference}")
        print(f"The runs are left in {folder}.")
        return 1
    if not options.keep_files:
        shutil.rmtree(folder)
    spent = time.monotonic() - started
    print(f"All the same after {killed} kills; {spent:.0f} s.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
