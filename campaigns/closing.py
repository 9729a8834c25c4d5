"""Close the terminal at random moments, and find nothing left behind and no text lost.

    python campaigns/closing.py [--ends N] [--seed N] [--keep-files]

The real app with its engine is started in a terminal by make, by sh and directly, in turn. The
terminal goes at a random moment: while it starts, while one types, while the model writes, in the
editor, or while it takes nothing any more. The app and its engine must be gone soon, and the story
must be kept, at most two seconds of text behind.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import random
import select
import shlex
import struct
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from lab import Different, Lab, campaign, note_texts
from writing import LOSS, noted

ENDS = 6
SOON = 5.0
"""Seconds in which all must be gone; a quiet machine needs less than one."""
STARTS = 120.0
"""Seconds in which the app must have come so far."""
WAYS = ("make", "sh", "directly")


def child(log: Path) -> None:
    """`mgpt-tui`, which notes every text that its session has."""
    from mgpt_tui.cli import main

    note_texts(log)
    main([])


def command(way: str, folder: Path, log: Path) -> list[str]:
    """What starts the app in that way."""
    words = [sys.executable, __file__, "--child", str(log)]
    if way == "directly":
        return words
    if way == "sh":
        return ["sh", "-c", f"{shlex.join(words)}; echo over"]
    makefile = folder / "Makefile"
    makefile.write_text(f"run:\n\t{shlex.join(words)}\n")
    return ["make", "-f", str(makefile), "run"]


@dataclass
class Window:
    """A terminal's window, and what was drawn in it."""

    leader: int
    drawn: bytes = b""
    texts: Callable[[], list[tuple[float, str]]] = field(default=list)

    def until(self, holds: Callable[[], bool], what: str, seconds: float = STARTS) -> None:
        """Read what the app draws until that holds.

        Raises:
            Different: where it never does.
        """
        limit = time.monotonic() + seconds
        while not holds():
            if time.monotonic() > limit:
                raise Different(f"In vain was waited {what}; it drew {self.drawn[-600:]!r}")
            if select.select([self.leader], [], [], 0.05)[0]:
                try:
                    self.drawn += os.read(self.leader, 1 << 16)
                except OSError as error:
                    raise Different(f"It ended by itself: {self.drawn[-2000:]!r}") from error

    def linger(self, seconds: float) -> None:
        """Read what is drawn for so long."""
        until = time.monotonic() + seconds
        self.until(lambda: time.monotonic() > until, "for a while", seconds + 60)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self.leader, text.encode())


# The moments.


def starting(window: Window, draw: random.Random) -> None:
    """Anywhere in the start."""
    window.linger(draw.uniform(0, 3))


def typing(window: Window, draw: random.Random) -> None:
    """While one types."""
    window.until(lambda: b"ow does the story begin?" in window.drawn, "for the prompt")
    for _ in range(draw.randrange(1, 40)):
        window.type(
            draw.choice(["word ", "\x7f", "\x1b[D", "\x1b[200~two\nlines\x1b[201~", "\x1a"])
        )


def writing(window: Window, draw: random.Random) -> None:
    """While the model writes."""
    window.until(lambda: b"ow does the story begin?" in window.drawn, "for the prompt")
    window.type("Once upon a time\r")
    window.until(lambda: bool(window.texts()) and len(window.texts()[-1][1]) > 60, "for a story")
    window.linger(draw.uniform(0, 4))


def editing(window: Window, draw: random.Random) -> None:
    """In the editor of the story, or in another dialog."""
    writing(window, draw)
    window.type(draw.choice(["\x1bOS", "\x1bOR", "\x1bOP", "\x0f", "\x1b[18~"]) + "words")
    window.linger(draw.uniform(0, 1))


def deaf(window: Window, draw: random.Random) -> None:
    """When the terminal has taken nothing for a while: what is drawn piles up."""
    writing(window, draw)
    for _ in range(60):
        window.type("\x1bOP\x1b[27u\x1bOQ")
    time.sleep(draw.uniform(1, 4))


MOMENTS = (starting, typing, writing, editing, deaf)


def left_behind(home: Path) -> list[str]:
    """The processes that were started with this home and still run."""
    found, mark = [], str(home).encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:  # it is gone, or another's
            continue
    return found


def close_once(lab: Lab, draw: random.Random, number: int) -> float:
    """Open the app, close its terminal, and look at what is left; gives the seconds it took.

    Raises:
        Different: where anything is left but the story.
    """
    from mgpt_tui.stories.library import StoryLibrary

    home = Lab(lab.folder / f"{number}")
    (home.folder / "config").mkdir(parents=True)
    sampling = {"max_tokens": 100_000, "ignore_end": True, "finish_sentence": False}
    (home.folder / "config" / "settings.json").write_text(
        json.dumps({"format": 1, "sampling": sampling})
    )
    log, way, moment = home.folder / "texts.jsonl", WAYS[number % 3], draw.choice(MOMENTS)
    words = command(way, home.folder, log)
    process, leader = pty.fork()
    if process == 0:
        os.environ.update(home.home, TERM="xterm-256color")
        os.execvp(words[0], words)
    fcntl.ioctl(leader, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    window = Window(leader, texts=lambda: noted(log))
    try:
        moment(window, draw)
    finally:
        closed = time.monotonic()
        os.close(leader)
    reaped = False
    while (rest := left_behind(home.folder)) or not reaped:
        if not reaped:
            reaped = os.waitpid(process, os.WNOHANG)[0] == process
        if time.monotonic() > closed + SOON:
            raise Different(f"{way}, {moment.__name__}: {SOON} s later there is still {rest}")
        time.sleep(0.02)
    took = time.monotonic() - closed
    library = StoryLibrary(home.folder / "home" / "stories")
    kept = max(
        (library.open(entry.path)[0].text for entry in library.entries()), key=len, default=""
    )
    owed = max((text for at, text in noted(log) if at <= closed - LOSS), key=len, default="")
    if not kept.startswith(owed):
        raise Different(f"{way}, {moment.__name__}: owed was {owed!r}, kept is {kept!r}")
    print(f"  {number + 1}: {way}, {moment.__name__}: gone in {took:.2f} s, "
          f"kept {len(kept)} characters, owed {len(owed)}", flush=True)  # fmt: skip
    return took


def body(lab: Lab, draw: random.Random, ends: int) -> str:
    if not Path("/proc/self/environ").exists():
        return "Nothing was closed: this needs /proc, to see what is left behind"
    longest = max(close_once(lab, draw, number) for number in range(ends))
    return f"Nothing was left behind and no text lost {ends} times, gone in {longest:.2f} s at most"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]))
    else:
        sys.exit(campaign(__doc__ or "", ENDS, body, ready=lambda lab: None))
