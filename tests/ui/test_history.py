"""What was typed before comes back, in the next run too."""

from __future__ import annotations

import json
import stat

import pytest

from mgpt_tui import paths
from mgpt_tui.ui.history import LONGEST, MOST, PromptHistory, history_file


def test_lines_come_back_and_the_draft_last() -> None:
    history = PromptHistory()
    assert history.earlier("draft") is None
    assert history.later() is None
    for line in ("one", "two", "two", "  ", "three\nlines"):
        history.add(line)
    assert history.lines == ["one", "two", "three\nlines"]
    assert history.earlier("draft") == "three\nlines"
    assert history.earlier("three\nlines") == "two"
    assert history.earlier("two") == "one"
    assert history.earlier("one") is None
    assert [history.later() for _ in range(4)] == ["two", "three\nlines", "draft", None]


def test_the_next_run_has_them() -> None:
    first, second = PromptHistory(), PromptHistory()
    first.add('a "key" \u2028 and \x1b[2J')
    second.add("another app's")
    assert PromptHistory().lines == ['a "key" \n and ␛[2J', "another app's"]
    assert stat.S_IMODE(history_file().stat().st_mode) == 0o600


def test_so_many_are_kept_and_none_is_endless() -> None:
    history = PromptHistory()
    for number in range(MOST + 20):
        history.add(f"line {number}")
    history.add("x" * (LONGEST + 1))
    assert len(history.lines) == MOST
    assert PromptHistory().lines == history.lines
    assert len(history_file().read_text("utf-8").splitlines()) == MOST
    assert stat.S_IMODE(history_file().stat().st_mode) == 0o600


@pytest.mark.parametrize("content", [b"\xff", b'[1]\n3\nnull\n""\n{', b"[" * 100_000])
def test_a_damaged_file_costs_only_itself(content: bytes) -> None:
    history_file().parent.mkdir(parents=True)
    history_file().write_bytes(content + b'\n"good"\n')
    lines = PromptHistory().lines
    assert lines in ([], ["good"])
    PromptHistory().add("more")


def test_a_folder_in_the_way_costs_nothing() -> None:
    paths.state_dir().parent.mkdir(parents=True, exist_ok=True)
    paths.state_dir().write_text(json.dumps("in the way"), encoding="utf-8")
    history = PromptHistory()
    history.add("one")
    assert history.earlier("") == "one"
