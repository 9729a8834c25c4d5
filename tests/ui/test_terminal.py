"""What a terminal sends becomes keys, and nothing that nobody pressed."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.drivers import linux_driver
from textual.events import Key

from mgpt_tui.ui.terminal import SafeParser, forgiving, guard_input

ESC = "\x1b"


def pressed(*reads: str) -> list[str]:
    """The keys that these reads are, followed by a while in which nothing comes."""
    parser = SafeParser()
    events = [event for read in reads for event in parser.feed(read)]
    if parser._timeout_time is not None:
        parser._timeout_time = time.monotonic() - 1
    events += parser.tick()
    return [event.key for event in events if isinstance(event, Key)]


@pytest.mark.parametrize(
    ("reads", "keys"),
    [
        (["\x1bw"], ["alt+w"]),
        (["\x1bw"] * 4, ["alt+w"] * 4),
        (["\x1bw" * 4], ["alt+w"] * 4),
        ([ESC, "w", ESC, "w"], ["alt+w"] * 2),
        (["\x1bS\x1bs"], ["alt+shift+s", "alt+s"]),
        (["\x1bw\x1b[A"], ["alt+w", "up"]),
        (["\x1bwabc"], ["alt+w", "a", "b", "c"]),
        (["\x1bw" + "a" * 40], ["alt+w"] + ["a"] * 40),
        ([ESC, "\r"], ["escape", "enter"]),
        ([ESC, "\r", ESC, "\r"], ["escape", "enter"] * 2),
        ([ESC, ESC, "\r"], ["escape", "escape", "enter"]),
        ([ESC], ["escape"]),
        ([ESC, ESC], ["escape", "escape"]),
        (["\x1b\x7f", "\x1bb"], ["ctrl+w", "ctrl+left"]),
        (["\x1b[119;3u"], ["alt+w"]),
        # Nothing that is known: dropped to its end.
        (["\x1b["], []),
        (["\x1b[\x1b[\x1b[A"], ["up"]),
        (["\x1b[>1;95;0c"], []),
        (["\x1b[>1;95;0c\x1b[>1;95;0cx"], ["x"]),
        (["\x1b[1;2;\x1bw"], ["alt+w"]),
        (["\x1bO\x1bw"], ["alt+w"]),
        # No letter of a key with alt is typed.
        (["\x1b."], ["alt+full_stop"]),
        (["\x1b "], ["alt+space"]),
        (["\x1bé"], ["alt+é"]),
    ],
)
def test_every_press_counts_and_nothing_else_is_typed(reads: list[str], keys: list[str]) -> None:
    assert pressed(*reads) == keys


def test_a_key_with_alt_types_nothing() -> None:
    parser = SafeParser()
    events = [*parser.feed("\x1bw\x1b.\x1b[A")]
    assert [event.character for event in events if isinstance(event, Key)] == [None] * 3


@given(st.lists(st.sampled_from(["\x1bw", ESC, "\r", "a", "\x1b[A", "\x1b["]), max_size=12))
def test_no_circumflex_is_ever_typed(reads: list[str]) -> None:
    assert "circumflex_accent" not in pressed(*reads)


@given(st.binary(), st.lists(st.integers(0, 60), max_size=4))
def test_any_bytes_are_text(data: bytes, cuts: list[int]) -> None:
    decode = forgiving("utf-8")().decode
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    text = "".join(decode(data[a:b]) for a, b in pairwise(edges)) + decode(b"", final=True)
    assert text == data.decode("utf-8", "replace")


def test_the_driver_reads_through_both(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XTermParser", "getincrementaldecoder"):
        monkeypatch.setattr(linux_driver, name, getattr(linux_driver, name))
    guard_input()
    assert linux_driver.XTermParser is SafeParser
    assert linux_driver.getincrementaldecoder is forgiving
