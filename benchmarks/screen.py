"""What the screen costs while a model writes 1,000 tokens a second.

    python benchmarks/screen.py [--rounds 3]

The app runs in a real terminal (a pseudo-terminal of 80 x 24 and of 160 x 48 cells) with an engine
that only pretends: a thread of the app's own process that sends words on time, so that its work
counts as the app's. Measured over `SECONDS` from word 500 and from word 10,000 on: the share of one
core that the process uses, and, in runs of their own, how long a key that is typed takes to show
in the prompt. At the end the saved story must be what was sent.

One JSON line on standard output: medians over the rounds, the 95th percentile of all keys.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import pty
import queue
import re
import select
import statistics
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RATE = 1000
SECONDS = 3.0
SIZES = {"80x24": (80, 24), "160x48": (160, 48)}
PLACES = (500, 10_000)
KEYS = "αβγδεζηθικλμνξοπρστυφχψω"
"""Letters that no word has, typed one after the other."""
KEY_EVERY = 0.11


def word(number: int) -> str:
    """The text of token `number`, from 1: a paragraph has sixty words."""
    return f"\n\nw{number}" if number % 60 == 0 else f" w{number}"


@dataclass
class PretendingEngine:
    """Sends words up to `start` at once, then `RATE` a second for so long.

    Args:
        start: the word from which on time counts.
    """

    start_word: int
    events: queue.Queue[Any] = field(default_factory=queue.Queue)

    def start(self) -> None:
        """Be ready."""
        from mgpt_tui.inference.process.messages import Ready

        self.events.put(Ready("pretended", 15_000_000, 256, "f" * 64, "on paper"))

    def generate(
        self, context: Any, settings: Any, until: Any = None, samples: int = 1, muted: str = ""
    ) -> int:
        """Begin to send."""
        threading.Thread(target=self._write, daemon=True).start()
        return 1

    def _write(self) -> None:
        from mgpt_tui.inference.process.messages import Chunks, Ended, Started
        from mgpt_tui.inference.request import Finished, FinishReason
        from mgpt_tui.text import TextChunk

        self.events.put(Started(1, 2, 0, 1))
        number, total = 0, self.start_word + round(RATE * (SECONDS + 2))
        while number < self.start_word:
            number += 1
            self.events.put(Chunks(1, (TextChunk(word(number), (number,)),)))
        began = time.monotonic()
        while number < total:
            time.sleep(0.005)
            due = min(total, self.start_word + int((time.monotonic() - began) * RATE))
            while number < due:
                number += 1
                self.events.put(Chunks(1, (TextChunk(word(number), (number,)),)))
        self.events.put(Ended(1, Finished(FinishReason.LENGTH, total, total / RATE, 1, 0, total)))

    def look(self, context: Any, settings: Any, count: int) -> int:
        """Nothing to see."""
        return 0

    def measure(self, context: Any) -> int:
        """Nothing to count."""
        return 0

    def stop(self, id: int) -> None:
        """Go on."""

    def switch(self, model: str | None) -> None:
        """There is no other."""

    def close(self) -> None:
        """Nothing to end."""


def app(start_word: int) -> None:
    """The child: the app itself."""
    from mgpt_tui.ui.app import WritingRoom

    room = WritingRoom(PretendingEngine(start_word), "pretended")
    room.open()
    room.finish()


@contextmanager
def terminal(size: tuple[int, int], start_word: int, home: Path) -> Iterator[Terminal]:
    """The app in a terminal of its own, with the story begun."""
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", size[1], size[0], 0, 0))
    folders = ("MGPT_DATA_DIR", "MGPT_CONFIG_DIR", "MGPT_STATE_DIR", "MGPT_CACHE_DIR")
    environment = os.environ | dict.fromkeys(folders, str(home)) | {"TERM": "xterm-256color"}
    process = subprocess.Popen(
        [sys.executable, __file__, "--child", str(start_word)],
        stdin=follower, stdout=follower, stderr=follower, env=environment, start_new_session=True,
    )  # fmt: skip
    os.close(follower)
    screen = Terminal(leader, process)
    try:
        screen.wait_for("ow does the story begin?")
        screen.type("Go\r")
        screen.wait_for_word(start_word)
        screen.drain(1.2)  # until what came at once is kept on disk: no story is told like that
        yield screen
    finally:
        process.kill()
        os.close(leader)


class Terminal:
    """The other end of the app's terminal."""

    def __init__(self, leader: int, process: subprocess.Popen[bytes]) -> None:
        self._leader = leader
        self.process = process

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._leader, keys.encode())

    def read(self, seconds: float) -> bytes:
        """What the app writes within that time; returns as soon as it wrote something."""
        ready, _, _ = select.select([self._leader], [], [], seconds)
        try:
            return os.read(self._leader, 1 << 16) if ready else b""
        except OSError:  # the app has left
            return b""

    def drain(self, seconds: float) -> None:
        """Read for so long."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(left)

    def wait_for(self, text: str, seconds: float = 60.0) -> float:
        """Read until `text` was written; the seconds that it took."""
        began, tail, wanted = time.monotonic(), b"", text.encode()
        while wanted not in tail:
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"the app never wrote {text}")
            tail = tail[-len(wanted) :] + self.read(0.2)
        return time.monotonic() - began

    def wait_for_word(self, number: int, seconds: float = 60.0) -> None:
        """Read until a later word than that was written."""
        end, tail = time.monotonic() + seconds, b""
        while not any(int(found) > number for found in re.findall(rb"w(\d+)\b", tail)):
            if time.monotonic() > end:
                raise TimeoutError(f"the app never came to word {number}")
            tail = tail[-20:] + self.read(0.2)

    def busy(self) -> float:
        """Seconds of processor time that the app has used."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def cost(size: tuple[int, int], start_word: int) -> float:
    """Share of one core while the app shows what comes."""
    with tempfile.TemporaryDirectory() as home, terminal(size, start_word, Path(home)) as screen:
        before, began = screen.busy(), time.monotonic()
        screen.drain(SECONDS)
        share = (screen.busy() - before) / (time.monotonic() - began)
        screen.drain(2.5)
        check_the_end(screen, Path(home), start_word)
    return share


def check_the_end(screen: Terminal, home: Path, start_word: int) -> None:
    """The saved story is what was sent."""
    from mgpt_tui.stories.library import StoryLibrary

    screen.type("\x11")  # ctrl+q
    screen.drain(0.2)
    screen.process.wait(20)
    library = StoryLibrary(home / "stories")
    (entry,) = library.entries()
    total = start_word + round(RATE * (SECONDS + 2))
    told = library.open(entry.path)[0].text
    assert told == "Go" + "".join(map(word, range(1, total + 1))), "the story is not what was sent"


def latencies(size: tuple[int, int], start_word: int) -> list[float]:
    """Seconds from a key to its letter on the screen, while words come."""
    taken = []
    with tempfile.TemporaryDirectory() as home, terminal(size, start_word, Path(home)) as screen:
        for letter in KEYS:
            screen.type(letter)
            took = screen.wait_for(letter)
            taken.append(took)
            screen.drain(max(0.0, KEY_EVERY - took))
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--child", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child is not None:
        app(given.child)
        return
    report: dict[str, Any] = {"tokens_per_second": RATE, "rounds": given.rounds}
    for name, size in SIZES.items():
        shares: dict[int, list[float]] = {place: [] for place in PLACES}
        keys: dict[int, list[float]] = {place: [] for place in PLACES}
        for _ in range(given.rounds):
            for place in PLACES:
                shares[place].append(cost(size, place))
                keys[place] += latencies(size, place)
        medians = {place: statistics.median(shares[place]) for place in PLACES}
        report[name] = {
            "share_of_a_core": {str(place): round(share, 3) for place, share in medians.items()},
            "late_to_early": round(medians[PLACES[1]] / medians[PLACES[0]], 2),
            "key_seconds_95": {
                str(place): round(statistics.quantiles(taken, n=20)[-1], 3)
                for place, taken in keys.items()
            },
        }
        print(f"{name}: {report[name]}", file=sys.stderr, flush=True)
    print(json.dumps(report))


if __name__ == "__main__":
    main()
