"""What campaigns share: a home of their own for real runs of the program, and how runs compare."""

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

TIMES = ("tokens_per_second", "seconds", "mfu", "memory_bytes", "memory_peak_bytes")
"""What a log tells of the machine rather than of the model."""
HANGS = 120.0
"""Seconds after which a process that does not reach a step counts as hung."""


class Different(Exception):
    """What the campaign is there to find."""


@dataclass(frozen=True)
class Lab:
    """A folder with a home of its own and prepared data.

    Attributes:
        launcher: words to put before `-m mgpt_tui`, as those of torchrun.
        threads: that a process computes with.
    """

    folder: Path
    launcher: tuple[str, ...] = ()
    threads: int = 2

    @property
    def runs(self) -> Path:
        return self.folder / "home" / "runs"

    @property
    def home(self) -> dict[str, str]:
        """What tells the program to keep its files here."""
        return {
            "MGPT_DATA_DIR": str(self.folder / "home"),
            "MGPT_CONFIG_DIR": str(self.folder / "config"),
            "MGPT_STATE_DIR": str(self.folder / "state"),
            "MGPT_CACHE_DIR": str(self.folder / "cache"),
        }

    def start(self, *arguments: str, log: str) -> subprocess.Popen[bytes]:
        """`mgpt-tui` with these arguments; what it says goes to the file `log`."""
        environment = os.environ | self.home | {"OMP_NUM_THREADS": str(self.threads)}
        with (self.folder / log).open("ab") as stream:
            return subprocess.Popen(
                [sys.executable, *self.launcher, "-m", "mgpt_tui", *arguments],
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
            raise Different(
                f"`mgpt-tui {' '.join(arguments)}` exited with {code}:\n{self.said(log)}"
            )

    def said(self, log: str, characters: int = 2000) -> str:
        """The end of what was written to the file `log`."""
        return (self.folder / log).read_text(errors="replace")[-characters:]


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


def moments(draw: random.Random, steps: int, every: int, count: int) -> list[int]:
    """Steps to end a run of so many at, in order: none before its first checkpoint, and none so
    late that a fast machine is through before the end reaches it.
    """
    return sorted(draw.sample(range(every + 1, steps - 6 * every), count))


@dataclass(frozen=True)
class Before:
    """What there is of a run before a process takes it up.

    Attributes:
        log: which file its log is; 0 where there is none.
        step: of its newest checkpoint, from which the process goes on.
    """

    log: int
    step: int

    @classmethod
    def of(cls, run: Path) -> Before:
        steps = [int(path.name.removeprefix("step-")) for path in run.glob("step-*")]
        return cls(_identity(run), max(steps, default=0))

    def has_log(self, run: Path) -> bool:
        """Whether the process has made its own log, which holds the old steps too."""
        return _identity(run) != self.log


def wait_for(process: subprocess.Popen[bytes], run: Path, step: int, before: Before) -> bool:
    """Wait until `process` has logged `step` and a step of its own; False where it ends first.

    Raises:
        Different: where it hangs.
    """
    deadline, step = time.monotonic() + HANGS, max(step, before.step + 1)
    while not before.has_log(run) or logged(run) < step:
        if process.poll() is not None:
            return False
        if time.monotonic() > deadline:
            process.kill()
            raise Different(f"{run.name} does not reach step {step}.")
        time.sleep(0.002)
    return True


def _identity(run: Path) -> int:
    log = run / "metrics.jsonl"
    return log.stat().st_ino if log.exists() else 0


def logged(run: Path) -> int:
    """Steps in the log of a run so far, where it logs every one."""
    log = run / "metrics.jsonl"
    return log.read_bytes().count(b"\n") if log.exists() else 0


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


def compare(left_alone: Path, killed: Path, steps: int) -> None:
    """Hold a run that was killed against the same run left alone.

    Raises:
        Different: where anything does.
    """
    expected, found = records(left_alone), records(killed)
    if list(expected) != list(range(1, steps + 1)):
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


def campaign(
    about: str,
    ends: int,
    body: Callable[[Lab, random.Random, int], str],
    *,
    ready: Callable[[Lab], None] = prepare,
) -> int:
    """Run a campaign in a folder of its own and report.

    Args:
        about: the docstring of the script.
        ends: how often `body` ends a run by default.
        body: takes the lab, what draws the moments, and how often to end a run; returns a
            summary.
        ready: what comes first; prepares data to train on if left out.

    Returns:
        The exit code: 1 where something differs.
    """
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument(
        "--ends", type=int, default=ends, help="how often a run is ended [default: %(default)s]"
    )
    parser.add_argument("--seed", type=int, help="draws the moments; left out, a new one is drawn")
    parser.add_argument("--keep-files", action="store_true", help="leave the runs behind")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(10**6) if options.seed is None else options.seed
    folder = Path(tempfile.mkdtemp(prefix="mgpt-campaign-"))
    print(f"{about.splitlines()[0]}\nseed {seed}, in {folder}", flush=True)
    started, lab = time.monotonic(), Lab(folder)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a shell
        signal.signal(signal.SIGINT, signal.default_int_handler)  # children are to hear Ctrl-C
    try:
        ready(lab)
        summary = body(lab, random.Random(seed), options.ends)
    except Different as difference:
        print(f"\nDIFFERENT (seed {seed}): {difference}\nThe runs are left in {folder}.")
        return 1
    if not options.keep_files:
        shutil.rmtree(folder)
    print(f"{summary}; {time.monotonic() - started:.0f} s.")
    return 0


def note_texts(log: Path) -> None:
    """Let the app of this process write down every text that its session has, and when."""
    from mgpt_tui.ui.session.session import Session

    hear = Session.handle

    def handle(session: Session, events: Any) -> Any:
        notices = hear(session, events)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps([time.monotonic(), session.story.text]) + "\n")
        return notices

    Session.handle = handle  # type: ignore[method-assign]
