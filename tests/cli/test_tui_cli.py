"""`mgpt-tui`: what it refuses before a screen opens, and what it says after."""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

pty = pytest.importorskip("pty")


@pytest.mark.parametrize("arguments", [[], ["tui"], ["--model", "storyteller"]])
def test_off_a_terminal_it_names_the_command_to_use(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "mgpt_tui", *arguments]
    done = subprocess.run(
        command, input="", capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "mgpt-tui generate" in done.stderr
    assert "Traceback" not in done.stderr


class Terminal:
    """A command in a terminal of its own, 80 x 24."""

    def __init__(self, *arguments: str, term: str = "xterm-256color") -> None:
        self.seen = b""
        self.child, self.side = pty.fork()
        if self.child == 0:
            os.environ |= {"TERM": term, "COLUMNS": "80", "LINES": "24"}
            os.execv(sys.executable, [sys.executable, "-m", "mgpt_tui", *arguments])

    def read(self, wanted: bytes | None) -> None:
        """Read until `wanted` came, or everything where it is None."""
        limit = time.monotonic() + 60
        while wanted is None or wanted not in self.seen:
            assert time.monotonic() < limit, self.seen[-2000:]
            if select.select([self.side], [], [], 1)[0]:
                try:
                    data = os.read(self.side, 65536)
                except OSError:  # the command has ended
                    data = b""
                if not data:
                    break
                self.seen += data

    def exit_code(self) -> int:
        """Wait for the end."""
        self.read(None)
        return os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1])


def test_an_unknown_model_is_refused_before_the_screen_opens() -> None:
    terminal = Terminal("--model", "no-such-model")
    assert terminal.exit_code() == 2
    assert b"There is no model 'no-such-model'" in terminal.seen
    assert b"\x1b[?1049h" not in terminal.seen


def test_a_story_is_written_in_a_real_terminal_kept_and_named(
    home: Path, tiny_checkpoint: Path
) -> None:
    terminal = Terminal("--model", str(tiny_checkpoint))
    terminal.read(b"\x1b[?1049h")  # the screen is taken, but nothing is painted yet
    os.write(terminal.side, b"Once upon a time")
    terminal.read(b"Once upon a time")
    os.write(terminal.side, b"\r")
    terminal.read(b"tok/s")
    os.write(terminal.side, b"\x11")  # ctrl+q
    assert terminal.exit_code() == 0
    stories = list((home / "data" / "stories").glob("*.json"))
    assert len(stories) == 1
    text = stories[0].read_text("utf-8")
    assert '"text": "Once upon a time"' in text
    said = terminal.seen.rpartition(b"\x1b[?1049l")[2].decode()
    assert str(stories[0]) in said.replace("\r\n", "")


@pytest.mark.parametrize("term", ["dumb", "Unknown"])
def test_a_terminal_that_can_show_no_screen_is_refused_at_once(term: str) -> None:
    terminal = Terminal(term=term)
    assert terminal.exit_code() == 2
    said = " ".join(terminal.seen.decode().split())
    assert f"The terminal '{term}' cannot show the app." in said
    assert "xterm-256color" in said
    assert "`mgpt-tui generate`" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("term", ["", "vt100"])
def test_other_terminals_show_it_and_take_any_bytes(term: str, tiny_checkpoint: Path) -> None:
    terminal = Terminal("--model", str(tiny_checkpoint), term=term)
    terminal.read(b"ow does the story begin?")
    os.write(terminal.side, b"caf\xe9 \x9bau lait")
    terminal.read("caf\ufffd \ufffdau lait".encode())
    os.write(terminal.side, b"\x11")  # ctrl+q
    assert terminal.exit_code() == 0
    assert b"Traceback" not in terminal.seen
