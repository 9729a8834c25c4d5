"""A short slice of `make fuzz`, always the same, so that the fuzzers themselves stay sound."""

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random

import fuzz
import pytest
from fuzzers import family, files, lines, training

from mgpt_tui.errors import UserError

TARGETS = files.TARGETS | lines.TARGETS | training.TARGETS | family.TARGETS
SLOW = (
    "patterns",
    "runs",
    "story folders",
    "states",
    "sealed checkpoints",
    "prompts",
    *family.TARGETS,
)


@pytest.mark.parametrize("name", TARGETS)
def test_nothing_but_a_plain_message(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    for number in range(10 if name in SLOW else 60):
        with suppress(UserError):
            TARGETS[name](fuzz.generator(3, name, number))


def takes(draw: Random) -> None:
    draw.random()


def refuses(draw: Random) -> None:
    raise UserError("No.")


def fails(draw: Random) -> None:
    raise RecursionError


def hangs(draw: Random) -> None:
    signal.raise_signal(signal.SIGPROF)  # as the alarm does


class Unclosable:
    def __del__(self) -> None:
        raise ValueError


def loses(draw: Random) -> None:
    Unclosable()


@pytest.mark.skipif(not hasattr(signal, "SIGPROF"), reason="alarms")
@pytest.mark.parametrize(
    ("target", "find"),
    [
        (refuses, ""),
        (takes, ""),
        (fails, "RecursionError"),
        (hangs, "Hang"),
        (loses, "ValueError"),
    ],
)
def test_what_is_a_find(target: Callable[[Random], None], find: str):
    before = signal.signal(signal.SIGPROF, fuzz._alarm)
    tally = fuzz.Tally.new()
    told = fuzz.attempt("x", target, 0, 1, tally)
    signal.signal(signal.SIGPROF, before)
    assert find in told and bool(told) == bool(find)
    assert tally.refused.value == (target is refuses)


def test_the_same_three_make_the_same_input():
    assert fuzz.generator(1, "a", 2).random() == fuzz.generator(1, "a", 2).random()
    assert fuzz.generator(1, "a", 2).random() != fuzz.generator(1, "a", 3).random()
