"""How soon the program answers, and what it takes while it writes.

    python benchmarks/startup.py [--rounds 7]

Timed: `--help`, and beside it the bare interpreter; the app's first paint in a real terminal, and
beside it an empty Textual app. Of the app also, counted from its start: when its engine is ready,
and when the first word of a story stands there, enter having been pressed as soon as it had
painted. While it goes on writing, the memory of the app and of its engine (Linux): "resident" is
all that a process has in memory, "proportional" counts a page that n processes share as an nth; and
whether either has torch's libraries mapped.

One JSON line on standard output: medians in seconds and bytes, and ratios to the peers.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time
from contextlib import suppress
from pathlib import Path

EMPTY_APP = (
    "from textual.app import App\n"
    "from textual.widgets import Static\n"
    "class Empty(App):\n"
    "    def compose(self):\n"
    "        yield Static('storyteller')\n"
    "Empty().run()\n"
)

PROGRAM = [sys.executable, "-m", "mgpt_tui"]
SEED = 1
PATIENCE = 120.0
"""Seconds without anything drawn after which a program counts as stuck."""
WRITING = 2.0
"""Seconds that the app writes before its memory is looked at."""


def run_seconds(command: list[str]) -> float:
    """Wall time of a whole command."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


class Program:
    """A full-screen program in a terminal of 80 x 24, and the time since its start."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._started = time.perf_counter()
        self._drawn = b""
        self._terminal, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self._process = subprocess.Popen(
            command, stdin=inside, stdout=inside, stderr=inside, start_new_session=True,
            env=environment,
        )  # fmt: skip
        os.close(inside)
        self.pid = self._process.pid

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)  # its engine ends with it

    def seconds_to(self, pattern: bytes) -> float:
        """Wait until that is drawn; seconds since the start.

        Raises:
            RuntimeError: where nothing is drawn for `PATIENCE` seconds.
        """
        while not re.search(pattern, self._drawn):
            self._read()
        return time.perf_counter() - self._started

    def type(self, keys: bytes) -> None:
        """Press keys; what was drawn before does not count any more."""
        self._drawn = b""
        os.write(self._terminal, keys)

    def read_on(self, seconds: float) -> None:
        """Let it draw for so long; it must go on drawing to the end."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            self._read()

    def _read(self) -> None:
        if not select.select([self._terminal], [], [], PATIENCE)[0]:
            raise RuntimeError(f"nothing was drawn after {self._drawn[-200:]!r}")
        self._drawn += os.read(self._terminal, 65536)


def paint_seconds(command: list[str], environment: dict[str, str]) -> float:
    """Time from the start of a full-screen program to the word "storyteller" in it."""
    with Program(command, environment) as program:
        return program.seconds_to(b"storyteller")


def first_word(environment: dict[str, str]) -> str:
    """What a story without a beginning begins with; compiled code is there from now on."""
    command = [*PROGRAM, "generate", "--prompt", "", "--max-tokens", "1", "--seed", str(SEED)]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.split()[0]


def measure_app(environment: dict[str, str], word: str) -> tuple[dict[str, float], dict[str, int]]:
    """The app from its start into a story: seconds, and bytes while it writes."""
    with Program(PROGRAM, environment) as app:
        seconds = {"app": app.seconds_to(b"storyteller")}
        app.type(b"\r")
        seconds["app_first_word"] = app.seconds_to(re.escape(word.encode()))
        app.read_on(WRITING)
        (engine,) = children(app.pid)
        return seconds, {
            f"{kind}_of_{name}": size
            for name, pid in (("app", app.pid), ("engine", engine))
            for kind, size in memory(pid).items()
        }


def ready_seconds(environment: dict[str, str]) -> float:
    """From the start of the app, in which nothing is typed, to its engine's being ready."""
    with Program(PROGRAM, environment) as app:
        return app.seconds_to(rb"storyteller \d+M")  # its size, which the engine tells


def children(pid: int) -> list[int]:
    """Processes that a process has started, whichever of its threads it was."""
    found: list[int] = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # of a thread that has just ended
            found += map(int, file.read_text().split())
    return found


def memory(pid: int) -> dict[str, int]:
    """Bytes of a process, and how many of torch's libraries it has mapped."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kilobytes = {name: int(size) for name, size in re.findall(r"(\w+): +(\d+) kB", rollup)}
    mapped = re.findall(r"\S*libtorch\S*", Path(f"/proc/{pid}/maps").read_text())
    return {
        "resident": 1024 * kilobytes["Rss"],
        "proportional": 1024 * kilobytes["Pss"],
        "torch_libraries": len(set(mapped)),
    }


def environment_in(home: Path) -> dict[str, str]:
    """A home of its own, in which stories begin with one seed and do not end."""
    folders = ("MGPT_CONFIG_DIR", "MGPT_DATA_DIR", "MGPT_STATE_DIR", "MGPT_CACHE_DIR")
    sampling = {"seed": SEED, "max_tokens": 1_000_000, "ignore_end": True}
    (home / "settings.json").write_text(json.dumps({"sampling": sampling}))
    environment = os.environ | dict.fromkeys(folders, str(home)) | {"TERM": "xterm-256color"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # as installed, modules are compiled
    return environment


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    names = ("python", "help", "empty_app", "app", "app_ready", "app_first_word")
    times: dict[str, list[float]] = {name: [] for name in names}
    sizes: dict[str, list[int]] = {}
    with tempfile.TemporaryDirectory() as home:
        environment = environment_in(Path(home))
        word = first_word(environment)
        for _ in range(rounds):
            times["python"].append(run_seconds([sys.executable, "-c", "pass"]))
            times["help"].append(run_seconds([*PROGRAM, "--help"]))
            empty = [sys.executable, "-c", EMPTY_APP]
            times["empty_app"].append(paint_seconds(empty, environment))
            times["app_ready"].append(ready_seconds(environment))
            seconds, found = measure_app(environment, word)
            for name, taken in seconds.items():
                times[name].append(taken)
            for name, size in found.items():
                sizes.setdefault(name, []).append(size)
    medians = {name: round(statistics.median(values), 3) for name, values in times.items()}
    bytes_taken = {name: round(statistics.median(values)) for name, values in sizes.items()}
    bytes_taken["resident_together"] = sum(
        bytes_taken[f"resident_of_{name}"] for name in ("app", "engine")
    )
    ratios = {
        "help_to_python": round(medians["help"] / medians["python"], 2),
        "app_to_empty_app": round(medians["app"] / medians["empty_app"], 2),
    }
    report = {"rounds": rounds, "median_seconds": medians, "bytes": bytes_taken, "ratios": ratios}
    print(json.dumps(report))


if __name__ == "__main__":
    main()
