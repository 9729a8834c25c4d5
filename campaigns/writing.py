"""Torment the app: random keys, pastes and resizes, and kill -9 in the middle of a story.

    python campaigns/writing.py [--ends N] [--seed N] [--keep-files]

First, in one process with an engine that only pretends: 10,000 random keys, pastes and resizes,
over every screen. No exception may come, the story must be what is shown, and undo must lead back
to its beginning, redo to its end. Then the real app in a terminal, killed at random moments while
the model writes and opened again each time: it must offer the story, which may lack no more than
the text of the last two seconds.
"""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import pty
import random
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import Different, Lab, campaign, note_texts

ROUNDS, KEYS_A_ROUND = 10, 1000
LOSS = 2.0
"""Seconds of text that a kill may cost."""

NAMED = (
    *(
        "enter",
        "escape",
        "backspace",
        "delete",
        "tab",
        "up",
        "down",
        "left",
        "right",
        "home",
        "end",
    ),
    *("pageup", "pagedown", "space", "ctrl+j", "ctrl+left", "ctrl+right", "shift+left"),
    *("ctrl+home", "ctrl+end", "ctrl+a", "ctrl+k", "ctrl+u", "ctrl+w", "ctrl+d", "ctrl+e"),
)
COMMANDS = (
    *("/retry", "/undo", "/redo", "/word", "/sentence", "/new", "/next", "/prev", "/compare 3"),
    *(
        "/set temperature 1.5",
        "/set top-k x",
        "/preset wild",
        "/save one",
        "/open one",
        "/nonsense",
    ),
    *("/rename two", "/export ../three.txt", "/edit", "/other", "/branches", "/settings"),
)
PASTES = (
    "Once upon a time there was a fox.",
    "[bold]no markup[/] \x1b[2J\x1b[31m \x07 \u202e\r\n\r\nTwo lines. ",
    "word " * 300,
    "/retry",
    "\u4f60\u597d \U0001f600 e\u0301 \t|",
    " ",
)


def pressable() -> list[str]:
    """Every key of the app but those that leave it."""
    from mgpt_tui.ui.keys import KEYS

    keys = [name for key in KEYS if key.id != "quit" for name in key.keys.split(",") if name]
    return [*keys, *NAMED]


async def act(app: Any, pilot: Any, keys: list[str], draw: random.Random) -> None:
    """One random thing."""
    from textual.events import Key, Paste

    what = draw.random()
    if what < 0.55:
        letter = draw.choice("abcdefg .,!?\"'AB/123")
        app.post_message(Key(letter, letter))
    elif what < 0.92:
        name = draw.choice(keys)
        app.post_message(Key(name, " " if name == "space" else None))
    elif what < 0.96:
        app.post_message(Paste(draw.choice(PASTES)))
    elif what < 0.98:
        for letter in draw.choice(COMMANDS):
            app.post_message(Key("space" if letter == " " else letter, letter))
        app.post_message(Key("enter", None))
    else:
        await pilot.resize_terminal(draw.randrange(30, 170), draw.randrange(10, 50))
    await pilot.pause(0)


async def wait(holds: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
    """Wait until something holds.

    Raises:
        Different: where it never does.
    """
    limit = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > limit:
            raise Different(f"In vain was waited until {what}.")
        await asyncio.sleep(0.02)


async def press_at_random(draw: random.Random, count: int) -> str:
    """One app, so many random things, and what must hold in the end.

    Raises:
        Different: where it does not.
    """
    from pretending import pretending
    from textual.events import Key

    from mgpt_tui.ui.app import WritingRoom
    from mgpt_tui.ui.widgets.story_pane import StoryPane

    app = WritingRoom(pretending(draw), "pretended")
    keys, screens = pressable(), set()
    async with app.run_test(size=(80, 24), notifications=True) as pilot:
        for _ in range(count):
            await act(app, pilot, keys, draw)
            screens.add(type(app.screen).__name__)
        for _ in range(20):
            app.post_message(Key("escape", None))
            await pilot.pause(0)
        await wait(lambda: app.screen is app.room, "every dialog closed")
        session = app.session
        await wait(lambda: app.engine.events.empty(), "the engine was heard")
        session.stop()
        while session.can_redo:  # what was done last may have been an undo
            session.redo()
        app.room.desk.show()

        def shown() -> str:
            return app.room.query_one(StoryPane).text

        await wait(lambda: shown() == session.story.text, "the story was what is shown")
        told, steps = session.story.text, 0
        while session.can_undo:
            session.undo()
            steps += 1
        if session.story.text:
            raise Different(f"Undo does not lead to the beginning but to {session.story.text!r}.")
        while session.can_redo:
            session.redo()
        if session.story.text != told:
            raise Different("Redo does not lead back to the end.")
        app.room.desk.show()
        await wait(lambda: shown() == told, "the story was shown again")
    app.finish()
    return f"{steps} steps of undo, {len(told)} characters, {len(screens)} screens"


def random_keys(lab: Lab, draw: random.Random) -> None:
    """All the random keys, a part of them in each app."""
    os.environ.update(lab.home)
    for number in range(ROUNDS):
        said = asyncio.run(press_at_random(draw, KEYS_A_ROUND))
        print(f"  keys {(number + 1) * KEYS_A_ROUND:,}: {said}", flush=True)


# Kills.


def child(log: Path) -> None:
    """The real app, which notes every text that its session has."""
    from mgpt_tui.inference.process.client import EngineClient
    from mgpt_tui.ui.app import WritingRoom

    note_texts(log)
    WritingRoom(EngineClient(), "storyteller").open()


def read_until(leader: int, wanted: Callable[[bytes], bool], seconds: float = 60.0) -> bytes:
    """Read what the app draws until that holds.

    Raises:
        Different: where it never does.
    """
    drawn, limit = b"", time.monotonic() + seconds
    while not wanted(drawn):
        if time.monotonic() > limit:
            raise Different(f"The app does not come so far; it drew {drawn[-600:]!r}")
        if select.select([leader], [], [], 0.1)[0]:
            drawn += os.read(leader, 1 << 16)
    return drawn


def noted(log: Path) -> list[tuple[float, str]]:
    """The texts that the app had, and when."""
    if not log.exists():
        return []
    lines = log.read_text(encoding="utf-8").splitlines()
    return [tuple(json.loads(line)) for line in lines if line.endswith("]")]


def kill_once(lab: Lab, draw: random.Random, number: int) -> str:
    """Open the app, let it write, kill it, and look at what is kept.

    Raises:
        Different: where more is lost than may be.
    """
    from mgpt_tui.stories.library import StoryLibrary

    log = lab.folder / f"texts-{number}.jsonl"
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    process = subprocess.Popen(
        [sys.executable, __file__, "--child", str(log)],
        stdin=follower, stdout=follower, stderr=follower, start_new_session=True,
        env=os.environ | lab.home | {"TERM": "xterm-256color"},
    )  # fmt: skip
    os.close(follower)
    try:
        if number:
            read_until(leader, lambda drawn: b"You were writing" in drawn)
            os.write(leader, b"\r")
            read_until(leader, lambda drawn: bool(noted(log)))
            os.write(leader, b"\r")
        else:
            read_until(leader, lambda drawn: b"ow does the story begin?" in drawn)
            os.write(leader, b"Once upon a time\r")
        before = len(noted(log)[-1][1]) if noted(log) else 0
        read_until(
            leader, lambda drawn: bool(log.exists()) and len(noted(log)[-1][1]) > before + 40
        )
        until = time.monotonic() + draw.uniform(0.2, 5)
        read_until(leader, lambda drawn: time.monotonic() > until)
        process.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        process.wait()
    finally:
        process.kill()
        os.close(leader)
    texts = noted(log)
    library = StoryLibrary(lab.folder / "home" / "stories")
    entries = library.unfinished()
    if len(entries) != 1:
        raise Different(f"After a kill {len(entries)} stories wait to be opened, not 1.")
    kept = library.open(entries[0].path)[0].text
    newest = texts[-1][1]
    owed = max((text for at, text in texts if at <= killed - LOSS), key=len, default="")
    if not newest.startswith(kept) or len(kept) < len(owed):
        raise Different(f"Kept are {len(kept)} characters of {len(newest)}; {len(owed)} were owed.")
    return f"kept {len(kept)} of {len(newest)} characters"


def body(lab: Lab, draw: random.Random, ends: int) -> str:
    print(f"{ROUNDS * KEYS_A_ROUND:,} random keys, pastes and resizes", flush=True)
    random_keys(lab, draw)
    print(f"{ends} kills while the model writes", flush=True)
    for folder in (lab.folder / "home", lab.folder / "state"):  # a line may be left in there
        if folder.exists():
            folder.rename(folder.with_name(f"{folder.name}-of-keys"))
    (lab.folder / "config").mkdir(exist_ok=True)
    sampling = {"max_tokens": 100_000, "ignore_end": True, "finish_sentence": False}
    (lab.folder / "config" / "settings.json").write_text(
        json.dumps({"format": 1, "sampling": sampling})
    )
    for number in range(ends):
        print(f"  kill {number + 1}: {kill_once(lab, draw, number)}", flush=True)
    return f"All kept after {ends} kills"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]))
    else:
        sys.exit(campaign(__doc__ or "", 10, body, ready=lambda lab: None))
