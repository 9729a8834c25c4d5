"""`mgpt-tui`: what it refuses before a screen opens, and what it says after."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

if sys.platform == "win32":
    pytest.skip("terminals of their own are for Unix", allow_module_level=True)

from tests.real_terminal import Terminal
from tests.waiting import PATIENCE, gone

APP = ("-m", "mgpt_tui")


@pytest.mark.parametrize("arguments", [[], ["tui"], ["--model", "storyteller"]])
def test_off_a_terminal_it_names_the_command_to_use(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "mgpt_tui", *arguments]
    done = subprocess.run(
        command, input="", capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert "mgpt-tui generate" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_model_is_refused_before_the_screen_opens() -> None:
    with Terminal(*APP, "--model", "no-such-model") as terminal:
        assert terminal.ends() == 2
    assert b"There is no model 'no-such-model'" in terminal.drawn
    assert b"\x1b[?1049h" not in terminal.drawn


def test_a_story_is_written_in_a_real_terminal_kept_and_named(
    home: Path, tiny_checkpoint: Path
) -> None:
    with Terminal(*APP, "--model", str(tiny_checkpoint)) as terminal:
        terminal.takes_over()  # nothing is painted yet
        assert not terminal.echoes
        terminal.send("Once upon a time")
        terminal.sees("Once upon a time")
        terminal.send("\r")
        terminal.sees("tok/s")
        terminal.send("\x11")  # ctrl+q
        assert terminal.ends() == 0
    stories = list((home / "data" / "stories").glob("*.json"))
    assert len(stories) == 1
    text = stories[0].read_text("utf-8")
    assert '"text": "Once upon a time"' in text
    said = terminal.drawn.rpartition(b"\x1b[?1049l")[2].decode()
    assert str(stories[0]) in said.replace("\r\n", "")


def test_enter_sends_though_it_was_typed_before_the_app_had_the_terminal(
    home: Path, tiny_checkpoint: Path
) -> None:
    with Terminal(*APP, "--model", str(tiny_checkpoint)) as terminal:
        terminal.send("Once upon\rA time")
        terminal.sees("tok/s", "› A time")
        terminal.send("\n\x11")  # ctrl+j begins a line, as ever
        assert terminal.ends() == 0
    (story,) = (home / "data" / "stories").glob("*.json")
    assert '"text": "Once upon"' in story.read_text("utf-8")
    (draft,) = home.rglob("*.draft")
    assert r'"A time\n"' in draft.read_text("utf-8")


EARLY = """
import sys
from mgpt_tui.cli import main
from mgpt_tui.inference.process.client import EngineClient

def start(self):
    print("Textual is there" if "textual" in sys.modules else "it comes first")
    sys.exit(7)

EngineClient.start = start
main([])
"""


def test_the_engine_is_started_before_the_app_is_imported() -> None:
    with Terminal("-c", EARLY) as terminal:
        assert terminal.ends() == 7
    assert b"it comes first" in terminal.drawn


INTERRUPTED = """
import sys
from mgpt_tui.cli import main
from mgpt_tui.inference.process import client

class CtrlC:
    def find_spec(self, name, path=None, target=None):
        if name == "mgpt_tui.ui.app":
            raise KeyboardInterrupt

start = client.EngineClient.start

def start_and_tell(self):
    start(self)
    print(f"engine {self.pid}.", flush=True)

client.EngineClient.start = start_and_tell
client._command = lambda model, python: ["sleep", "600"]  # which minds no end of its input
sys.meta_path.insert(0, CtrlC())
main([])
"""


def test_ctrl_c_while_the_app_is_imported_leaves_no_engine() -> None:
    with Terminal("-c", INTERRUPTED) as terminal:
        assert terminal.ends() == 130
    found = re.search(rb"engine (\d+)\.", terminal.drawn)
    assert found is not None
    gone(int(found[1]))


@pytest.mark.parametrize("term", ["dumb", "Unknown"])
def test_a_terminal_that_can_show_no_screen_is_refused_at_once(term: str) -> None:
    with Terminal(*APP, term=term) as terminal:
        assert terminal.ends() == 2
    said = " ".join(terminal.drawn.decode().split())
    assert f"The terminal '{term}' cannot show the app." in said
    assert "xterm-256color" in said
    assert "`mgpt-tui generate`" in said
    assert "\x1b" not in said


@pytest.mark.parametrize("term", ["", "vt100"])
def test_other_terminals_show_it_and_take_any_bytes(term: str, tiny_checkpoint: Path) -> None:
    with Terminal(*APP, "--model", str(tiny_checkpoint), term=term) as terminal:
        terminal.sees("ow does the story begin?")
        terminal.send(b"caf\xe9 \x9bau lait")
        terminal.sees("caf\ufffd \ufffdau lait")
        terminal.send("\x11")  # ctrl+q
        assert terminal.ends() == 0
    assert b"Traceback" not in terminal.drawn


def test_what_is_typed_outlives_any_end_of_the_app(home: Path, tiny_checkpoint: Path) -> None:
    typed = ""
    draft = home / "state" / "drafts" / "1.draft"

    def kept() -> str:
        return draft.read_text("utf-8") if draft.exists() else ""

    for word, end in (("Once", signal.SIGKILL), ("upon", signal.SIGTERM), ("a", signal.SIGHUP)):
        with Terminal(*APP, "--model", str(tiny_checkpoint)) as terminal:
            terminal.takes_over()
            if typed:
                terminal.sees(typed)  # where it was
            terminal.send(word)
            typed += word
            if end is signal.SIGKILL:  # the others wait until it is on disk
                terminal.until(lambda: typed in kept(), "a line that is kept")  # noqa: B023
            else:
                terminal.sees(typed)
            terminal.process.send_signal(end)
            terminal.ends()
        assert typed in kept()
    assert not list((home / "data").glob("**/*.json"))
