"""Damage what the program reads, and see that nothing but a plain message comes of it.

    python campaigns/fuzz.py [TARGET ...]

Every target makes an input of a random generator, mostly something real that it damages, and gives
it to a reader. A reader takes it or raises a `UserError`; all else is a find, and so are an input
that takes ten seconds of the processor, one that waits for a minute, one that ends the process, and
a file written outside the folders that were given. A find is saved, and told with what runs it
again.

FUZZ_SEED draws other inputs, FUZZ_SECONDS is how long it takes (a minute), FUZZ_INPUTS how many
inputs each target gets at most (without FUZZ_SECONDS however long that takes). `FUZZ_SEED=7
FUZZ_ONLY=123` with the name of one target runs its input 123 alone.
"""

from __future__ import annotations

import ctypes
import importlib
import multiprocessing
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import damage

from mgpt_tui.cores import cores
from mgpt_tui.errors import UserError
from mgpt_tui.paths import LOCATIONS

Target = Callable[[random.Random], None]
MODULES = ("files", "training", "lines", "sources", "keys", "family")
"""Of `fuzzers/`."""
HANG = 10
"""Seconds of the processor that an input may take, however busy the machine is."""
DEAD = 6 * HANG
"""Seconds after which a process that waits, or does not hear its alarm, is killed."""
MOST_FINDS = 20
"""Different finds after which a target is left alone."""
SAVED = Path("fuzz-finds")


class Hang(BaseException):
    """An input took too long; no reader catches this."""


@dataclass
class Tally:
    """What came of a target, shared with the process that runs it."""

    started: ctypes.c_longlong
    refused: ctypes.c_longlong
    finds: ctypes.c_longlong

    @classmethod
    def new(cls) -> Tally:
        return cls(*(multiprocessing.Value(ctypes.c_longlong, 0, lock=False) for _ in range(3)))


def targets() -> dict[str, Target]:
    """All targets of all modules that are there, made ready to run."""
    found: dict[str, Target] = {}
    with sandbox():
        for name in MODULES:
            module = importlib.import_module(f"fuzzers.{name}")
            getattr(module, "make_ready", int)()
            found |= module.TARGETS
    return found


def generator(seed: int, name: str, number: int) -> random.Random:
    """What draws an input, the same for the same three."""
    return random.Random(f"{seed} {name} {number}")


def work(
    name: str, target: Target, numbers: Iterator[int], seed: int, until: float, tally: Tally
) -> None:
    """Run one target until its numbers or its time are over, in a process of its own."""
    with sandbox() as outside:
        before, seen = listing(outside), set()
        for number in numbers:
            if time.monotonic() > until or tally.finds.value >= MOST_FINDS:
                break
            tally.started.value = number + 1
            if find := attempt(name, target, number, seed, tally):
                where = str(re.findall(r'File "(.*)"?, line (\d+)', find)[-1:])
                if where not in seen:
                    seen.add(where)
                    tally.finds.value += 1
                    report(name, number, seed, find)
            if number % 2000 == 0 and (after := listing(outside)) != before:
                tally.finds.value += 1
                report(name, number, seed, f"Written outside: {sorted(after - before)}")
                before = after
        if listing(outside) != before:
            tally.finds.value += 1
            report(name, number, seed, f"Written outside: {sorted(listing(outside) - before)}")


def attempt(name: str, target: Target, number: int, seed: int, tally: Tally) -> str:
    """Run one input; the traceback of what should not have come, or nothing."""
    damage.tried.clear()
    unheard: list[str] = []
    sys.unraisablehook = lambda raised: unheard.append(_told(raised))
    signal.setitimer(signal.ITIMER_PROF, HANG)
    try:
        target(generator(seed, name, number))
    except UserError:
        tally.refused.value += 1
    except KeyboardInterrupt:
        raise
    except BaseException:
        return traceback.format_exc()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        sys.unraisablehook = sys.__unraisablehook__
    return "".join(unheard)


def _told(raised: sys.UnraisableHookArgs) -> str:
    """What Python tells of an error that nothing can catch, such as while something is closed."""
    trace = traceback.format_exception(raised.exc_type, raised.exc_value, raised.exc_traceback)
    return f"{raised.err_msg or 'Ignored in'} {raised.object!r}\n{''.join(trace)}"


def report(name: str, number: int, seed: int, find: str) -> None:
    """Save what failed, and say how to run it again."""
    SAVED_IN.mkdir(exist_ok=True)
    base = SAVED_IN / f"{name.replace(' ', '-')}-{seed}-{number}"
    for part, content in enumerate(damage.tried):
        base.with_suffix(f".{part}").write_bytes(content)
    base.with_suffix(".txt").write_text(find, encoding="utf-8", errors="replace")
    print(
        f"\nFOUND by {name}, saved as {base}.*\n{find.strip()}\n"
        f"Again: FUZZ_SEED={seed} FUZZ_ONLY={number} python campaigns/fuzz.py {name!r}\n",
        flush=True,
    )


SAVED_IN = SAVED.absolute()


class sandbox:
    """Folders of its own, far from anything, as home, and for whatever targets write.

    Entering gives the folder in which nothing should change but what lies under `given`.
    """

    def __enter__(self) -> Path:
        fast = Path("/dev/shm")
        self._folder = Path(
            tempfile.mkdtemp(prefix="mgpt-fuzz-", dir=fast if fast.is_dir() else None)
        )
        given = self._folder / "a" / "b" / "c" / "given"
        for path in (given / "cwd", self._folder / "home"):
            path.mkdir(parents=True)
        self._back = Path.cwd()
        os.chdir(given / "cwd")
        os.environ["HOME"] = str(self._folder / "home")
        for location in LOCATIONS.values():
            os.environ[location.variable] = str(given / location.name)
        tempfile.tempdir = str(given)
        os.fsync = lambda descriptor: None  # type: ignore[assignment]
        signal.signal(signal.SIGPROF, _alarm)
        return self._folder

    def __exit__(self, *_: object) -> None:
        os.chdir(self._back)
        shutil.rmtree(self._folder, ignore_errors=True)


def _alarm(*_: object) -> None:
    raise Hang(f"longer than {HANG} s")


def listing(folder: Path) -> frozenset[str]:
    """Everything under a sandbox but what is under `given`, with sizes."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "given"]
        found += [f"{place}/{name} {os.lstat(f'{place}/{name}').st_size}" for name in names]
        found += [f"{place}/{name}" for name in folders]
    return frozenset(found)


@dataclass
class Running:
    """A target in a process of its own."""

    name: str
    process: Any
    tally: Tally
    began: float
    first: int
    at: int = 0
    since: float = 0.0

    def is_stuck(self) -> bool:
        """Whether it has been at one input for longer than an alarm could leave it there."""
        if self.tally.started.value != self.at:
            self.at, self.since = self.tally.started.value, time.monotonic()
        return time.monotonic() - self.since > DEAD

    def end(self, seed: int) -> str:
        """Take note of its end, and say what came of it."""
        if self.process.is_alive():
            self.process.kill()
        self.process.join()
        if self.process.exitcode:
            self.tally.finds.value += 1
            how = f"ended by {self.process.exitcode}, at input {self.tally.started.value - 1}"
            print(
                f"\nFOUND by {self.name}: its process was {how}.\nAgain: FUZZ_SEED={seed} "
                f"FUZZ_ONLY={self.tally.started.value - 1} python campaigns/fuzz.py {self.name!r}\n"
            )
        inputs = max(0, self.tally.started.value - self.first)
        seconds = time.monotonic() - self.began
        taken = 1 - self.tally.refused.value / max(1, inputs)
        return (
            f"{self.name:<22} {inputs:>10,} inputs  {inputs / seconds:>8,.0f}/s  "
            f"{taken:>4.0%} taken  {self.tally.finds.value or 'no'} finds"
        )


def main() -> int:
    """Run the targets that were asked for, or all; 1 where something was found."""
    seed = int(os.environ.get("FUZZ_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    inputs, only = os.environ.get("FUZZ_INPUTS"), os.environ.get("FUZZ_ONLY")
    known = targets()
    asked = sys.argv[1:] or list(known)
    if unknown := [name for name in asked if name not in known]:
        print(f"There is no target {unknown[0]!r}. Targets: {', '.join(known)}.")
        return 2
    together = max(1, min(cores(), len(asked)))
    seconds = os.environ.get("FUZZ_SECONDS", "inf" if inputs or only else "60")
    share = float(seconds) * together / len(asked)
    print(f"{len(asked)} targets, seed {seed}", flush=True)
    context = multiprocessing.get_context("fork")
    waiting, running, finds = list(asked), [], 0
    while waiting or running:
        while waiting and len(running) < together:
            name, tally, now = waiting.pop(0), Tally.new(), time.monotonic()
            first = int(only) if only else 0
            numbers = iter(range(first, first + 1 if only else int(inputs or 10**12)))
            process = context.Process(
                target=work, args=(name, known[name], numbers, seed, now + share, tally)
            )
            process.start()
            running.append(Running(name, process, tally, now, first, since=now))
        for one in list(running):
            if not one.process.is_alive() or one.is_stuck():
                running.remove(one)
                print(one.end(seed), flush=True)
                finds += one.tally.finds.value
        time.sleep(0.05)
    print("Nothing was found." if not finds else f"{finds} finds; they are in {SAVED_IN}.")
    return int(finds > 0)


if __name__ == "__main__":
    sys.exit(main())
