"""What a terminal sends becomes keys, and nothing that nobody pressed."""

from __future__ import annotations

import random
import time

import pytest
from fuzzers import keys
from hypothesis import given, settings
from hypothesis import strategies as st
from textual._ansi_sequences import ANSI_SEQUENCES_KEYS
from textual.events import AppFocus, Key, MouseEvent, Resize
from textual.message import Message

from mgpt_tui.ui.terminal.parser import SafeParser

ESC = "\x1b"


def read(*reads: str) -> list[Message]:
    """What these reads are, followed by a while in which nothing comes."""
    parser = SafeParser()
    events = [event for read in reads for event in parser.feed(read)]
    while parser._timeout_time is not None:
        parser._timeout_time = time.monotonic() - 1
        events += parser.tick()
    return events


def typed(*reads: str) -> str:
    """The text that these reads put into a field."""
    keys = [event for event in read(*reads) if isinstance(event, Key)]
    return "".join(key.character or "" for key in keys if key.is_printable)


def pressed(*reads: str) -> list[str]:
    """The keys that these reads are."""
    return [event.key for event in read(*reads) if isinstance(event, Key)]


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
        (["\x1bOP", "\x1b[[A", "\x1b[3$"], ["f1", "f1", "shift+delete"]),
        (["\x1b[1\r", "\x1b[5\x1b[A"], ["enter", "up"]),
        (["\x1b[M !!x"], ["x"]),
        # Replies that came late, whole and cut, and letters with alt that begin like them.
        (["\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\x", "\x1b]4;1;#fff\x07y"], ["x", "y"]),
        (["\x1bP>|XTerm(389)\x1b", "\\x"], ["x"]),
        (["\x1b_Gi=31;OK\x1b\\", "\x1b]11;rgb:"], []),
        (["\x1b]11;rgb\r", "\x1b]11;rgb\x1b[A"], ["enter", "up"]),
        (
            ["\x1bPx", "\x1b]1", "\x1b_"],
            ["alt+shift+p", "x", "alt+right_square_bracket", "1", "alt+underscore"],
        ),
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


@pytest.mark.parametrize(
    ("sequence", "text"),
    [
        ("97u", "a"), ("97;1u", "a"), ("97;;97u", "a"), ("97;2;65u", "A"),
        ("97;1:1u", "a"), ("97;1:2u", "a"), ("97;1:3u", ""), ("97;1:9u", ""), ("97;1:3;97u", ""),
        ("97:65;2u", "A"), ("97:65u", "a"), ("97:65:97;2:1u", "A"), ("97::113u", "a"),
        ("97;2u", "A"), ("97;65u", "A"), ("97;66u", "a"), ("97;129u", "a"), ("223;2u", "ß"),
        ("32u", " "), ("33u", "!"), ("49;2u", ""), ("49:33;2u", "!"), ("97;;72:105u", "Hi"),
        ("97;5u", ""), ("97;5;97u", "a"), ("97;3u", ""), ("119;3;8721u", "∑"), ("97;9u", ""),
        ("57400u", "1"), ("57409u", "."), ("57409;;44u", ","), ("57414u", ""), ("57441;2u", ""),
        ("99999999;1u", ""), ("55296u", ""), ("97;1;55296u", ""), ("97;1;99999999u", ""),
        ("97;99999999u", ""), ("97;0u", "a"), ("3u", ""), ("97;1;7u", ""), ("97;1;17u", ""),
        ("27;2;65~", "A"), ("27;2;97~", "A"), ("27;2;33~", "!"), ("27;5;97~", ""), ("27;5;13~", ""),
        ("57345u", ""), ("u", ""), (";u", ""), ("~", ""), ("97~", ""), ("97A", ""), ("5A", ""),
    ],
)  # fmt: skip
def test_what_a_longer_sequence_means_is_typed_or_nothing_is(sequence: str, text: str) -> None:
    assert typed(f"\x1b[{sequence}") == text


@pytest.mark.parametrize(
    ("sequence", "keys"),
    [
        ("97;5u", ["ctrl+a"]), ("65;6u", ["ctrl+shift+a"]), ("27;5;97~", ["ctrl+a"]),
        ("27;2;13~", ["shift+enter"]), ("13;2u", ["shift+enter"]), ("13;129u", ["enter"]),
        ("122;5:1u", ["ctrl+z"]), ("122;5:3u", []), ("1;3D", ["alt+left"]), ("1;3:3D", []),
        ("1;1:2A", ["up"]), ("3;5~", ["ctrl+delete"]), ("3;5:3~", []), ("27u", ["escape"]),
        ("5A", ["ctrl+up"]), ("119;3u", ["alt+w"]), ("57441;2u", []), ("9u", ["tab"]),
        ("97;1;17u", []), ("17u", []), ("u", []), ("13;1:3u", []), ("127u", ["backspace"]),
    ],
)  # fmt: skip
def test_longer_sequences_press_what_they_mean(sequence: str, keys: list[str]) -> None:
    assert pressed(f"\x1b[{sequence}") == keys


@pytest.mark.parametrize(
    "sequence", [known for known in ANSI_SEQUENCES_KEYS if known[1:].strip("\x1b")]
)
def test_every_sequence_that_textual_knows_is_read_to_its_end(sequence: str) -> None:
    assert pressed(f"{sequence}x")[-1] == "x"
    assert pressed(*sequence, "x")[-1] == "x"


def test_sizes_and_places_that_cannot_be_mean_nothing() -> None:
    sizes = [f"\x1b[48;{high};{wide};0;0t" for high, wide in [(0, 0), (24, 80), (99999, 80)]]
    mice = [f"\x1b[<0;{x};1M" for x in (5, 99999999999, -3)]
    events = read("".join(sizes + mice), "\x1b[I")
    assert [event.size for event in events if isinstance(event, Resize)] == [(80, 24)]
    assert [event.x for event in events if isinstance(event, MouseEvent)] == [4]
    assert isinstance(events[-1], AppFocus)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(keys.TARGETS)), st.integers(0, 2**32))
def test_any_sequences_in_any_reads_end_nothing(target: str, seed: int) -> None:
    keys.TARGETS[target](random.Random(seed))
