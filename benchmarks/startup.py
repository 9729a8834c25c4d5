"""How soon the program answers: `--help`, and the app's first paint in a real terminal.

    python benchmarks/startup.py [--rounds 7]

Beside them, in the same run and in turn, stand their peers: the bare interpreter, and an empty
Textual app. One JSON line on standard output: medians in seconds, and ratios to the peers.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import time

EMPTY_APP = (
    "from textual.app import App\n"
    "from textual.widgets import Static\n"
    "class Empty(App):\n"
    "    def compose(self):\n"
    "        yield Static('storyteller')\n"
    "Empty().run()\n"
)


def run_seconds(command: list[str]) -> float:
    """Wall time of a whole command."""
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def paint_seconds(command: list[str], marker: bytes, environment: dict[str, str]) -> float:
    """Time from the start of a full-screen program to `marker` being drawn at 80 x 24.

    Raises:
        RuntimeError: where it is not drawn within 30 seconds.
    """
    started = time.perf_counter()
    child, terminal = pty.fork()
    if child == 0:
        os.execvpe(command[0], command, environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    seen = b""
    try:
        while marker not in seen:
            ready, _, _ = select.select([terminal], [], [], 30)
            if not ready:
                raise RuntimeError(f"{marker!r} was not drawn")
            seen += os.read(terminal, 65536)
        return time.perf_counter() - started
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(terminal)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    times: dict[str, list[float]] = {"python": [], "help": [], "empty_app": [], "app": []}
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"HOME": home, "TERM": "xterm-256color"}
        for variable in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
            environment.pop(variable, None)
        for _ in range(rounds):
            times["python"].append(run_seconds([sys.executable, "-c", "pass"]))
            times["help"].append(run_seconds([sys.executable, "-m", "mgpt_tui", "--help"]))
            empty = [sys.executable, "-c", EMPTY_APP]
            times["empty_app"].append(paint_seconds(empty, b"storyteller", environment))
            app = [sys.executable, "-m", "mgpt_tui"]
            times["app"].append(paint_seconds(app, b"storyteller", environment))
    medians = {name: round(statistics.median(values), 3) for name, values in times.items()}
    ratios = {
        "help_to_python": round(medians["help"] / medians["python"], 2),
        "app_to_empty_app": round(medians["app"] / medians["empty_app"], 2),
    }
    print(json.dumps({"rounds": rounds, "median_seconds": medians, "ratios": ratios}))


if __name__ == "__main__":
    main()
