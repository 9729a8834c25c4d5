"""`benchmarks/startup.py`: how it waits for what is drawn, and what it reads of other processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

if sys.platform != "linux":
    pytest.skip("terminals and /proc of Linux", allow_module_level=True)

import startup

PLAY = """
import sys
print("storyteller: who begins? Once ...", flush=True)
input()
print("Once upon a time", flush=True)
input()
"""


def test_the_first_word_is_one_that_is_drawn_after_the_key() -> None:
    with startup.Program([sys.executable, "-c", PLAY], dict(os.environ)) as program:
        painted = program.seconds_to(b"storyteller.*Once")
        program.type(b"\r")
        assert painted < program.seconds_to(b"Once upon")
        pid = program.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_program_starts_beside_other_threads(recwarn: pytest.WarningsRecorder) -> None:
    """Python 3.12 and newer warn where a process with threads is forked, but raise nothing."""
    over = threading.Event()
    threading.Thread(target=over.wait).start()
    try:
        with startup.Program([sys.executable, "-c", PLAY], dict(os.environ)) as program:
            program.seconds_to(b"storyteller")
            assert os.getsid(program.pid) == program.pid
    finally:
        over.set()
    assert recwarn.list == []


def test_a_program_that_ends_is_no_fast_one() -> None:
    with (
        startup.Program([sys.executable, "-c", "print('no')"], dict(os.environ)) as program,
        pytest.raises((RuntimeError, OSError)),
    ):
        program.seconds_to(b"storyteller")


def test_memory_and_children_are_those_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path(f"/proc/self/task/{os.getpid()}/children").exists():
        pytest.skip("a kernel that tells no children")
    glob = Path.glob

    def with_one_that_ended(folder: Path, pattern: str) -> Iterator[Path]:
        yield folder / "0" / "children"
        yield from glob(folder, pattern)

    monkeypatch.setattr(Path, "glob", with_one_that_ended)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in startup.children(os.getpid())
        told = startup.memory(child.pid)
        child.kill()
    assert 0 < told["proportional"] <= told["resident"]
    assert told["torch_libraries"] == 0
    assert torch.__version__  # which is loaded here
    assert startup.memory(os.getpid())["torch_libraries"] > 0


def test_the_app_is_measured_as_it_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in startup.environment_in(tmp_path)
